"""`edgecvar serve`: cameras for months, told by a file, with a page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional

import click

from edgecvar.terminal import say


@click.command("serve")
@click.argument("config", required=False, metavar="CONFIG.yaml", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong with CONFIG.yaml.")
@click.option("--example", is_flag=True, help="Print a configuration with every key explained.")
def command(config: Optional[Path], check: bool, example: bool) -> None:
    """Run the sources of CONFIG.yaml for as long as they last, and longer.

    \b
    edgecvar serve --example > edge.yaml
    edgecvar serve --check edge.yaml
    edgecvar serve edge.yaml

    A camera that is away is tried again. The page is at http://127.0.0.1:8470/ unless told otherwise, and shows
    streams, labels and events; without any source it asks for the first. SIGHUP reads the file again, SIGTERM and
    Ctrl-C end it. What happens is logged to standard error. The page needs the extra `live`.
    """
    if example:
        from edgecvar.serve.configuration.example import EXAMPLE

        print(EXAMPLE, end="")
        return
    if config is None:
        raise click.UsageError("name a configuration: edgecvar serve CONFIG.yaml; --example prints one")
    from edgecvar.serve.configuration.loading import WrongConfig, check_config, load_config

    try:
        loaded = load_config(config)
        bundle = check_config(config, loaded)
    except WrongConfig as error:
        for line in error.lines:
            say(f"error: {line}", err=True)
        sys.exit(1)
    if check:
        say(f"{config}: {len(loaded.sources)} sources, bundle {bundle.name}; nothing is wrong")
        return
    from edgecvar.serve.log import Log
    from edgecvar.serve.service import Service

    Service(config, loaded, bundle, Log(loaded.log, journal="JOURNAL_STREAM" in os.environ)).run()

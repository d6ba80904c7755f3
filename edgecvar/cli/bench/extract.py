"""`edgecvar bench extract`: ways to get vectors out of H.264 and HEVC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecvar.terminal import say_json


@click.command("extract")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds that are counted.")
@click.option("--pictures", type=click.IntRange(min=1), default=2000, show_default=True, help="At most, of each file.")
@click.option("--images", is_flag=True, help="Also native with the images of all I-pictures.")
@click.option("--threads", type=click.IntRange(2, 8), metavar="N", help="Also parsing on N threads against one.")
@click.option("--json", "as_json", is_flag=True, help="Print every round and the figures as one JSON document.")
def command(as_json: bool, **options: Any) -> None:
    """Compare ways to get vectors out of H.264 and HEVC.

    Pictures a second of CPU time on one thread: the native core with vectors alone and with every residual, PyAV
    with exported vectors, PyAV decoding alone, and mv-extractor where it is installed. Of HEVC FFmpeg exports no
    vectors, so there native is compared with PyAV decoding alone. PATH is a file, or a folder whose video files are
    all taken. Files that the native core does not read are listed with the reason.
    """

    from edgecvar.bench.extract import ExtractConfig, measure_extract
    from edgecvar.console import Console
    from edgecvar.progress import StepBar

    with StepBar() as bar:
        session = measure_extract(ExtractConfig(**options), bar.show)
    if as_json:
        from edgecvar.cli.report.extraction import extract_document

        say_json(extract_document(session))
        return
    from edgecvar.cli.report.extraction import print_extract

    print_extract(session, Console())

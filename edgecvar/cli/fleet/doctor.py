"""`edgecvar doctor`: what is installed, what works here, what is missing and the command that installs it."""

from __future__ import annotations

import sys
from typing import List

import click

from edgecvar.terminal import say, say_json


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """Look at this machine: libraries, decoders, encoders, runners, devices, permissions; last, run the demo.

    A line each: ok, optional (not there, and not needed), missing or broken, with the command that mends it. Exits
    with 1 where nothing can be read or run. Libraries are imported in processes of their own, so that one that crashes
    is a line like the others.
    """
    from dataclasses import asdict

    from edgecvar.judge.doctor.checkup import check_up
    from edgecvar.judge.doctor.finding import Finding

    found: List[Finding] = []
    for each in check_up():
        if not as_json:
            if not found or found[-1].group != each.group:
                say(f"{each.group}:")
            say(f"  {each.state:<8}  {each.name:<18}  {each.detail}")
            if each.remedy:
                say(f"  {'':<8}  {'':<18}  -> {each.remedy}")
        found.append(each)
    stopping = [each.name for each in found if each.stops]
    if as_json:
        say_json({"runs": not stopping, "findings": [asdict(each) for each in found]})
    elif stopping:
        say(f"nothing runs here before this is mended: {', '.join(stopping)}")
    else:
        say("edgecvar runs here")
    if stopping:
        sys.stdout.flush()
        sys.exit(1)

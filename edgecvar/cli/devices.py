"""`edgecvar devices`: what a bundle can be compiled for, and which of them this machine is."""

from __future__ import annotations

import click

from edgecvar.terminal import say, say_json


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """Show the devices that a bundle can be compiled for, and mark the one that this is.

    Peaks are those of the GPU alone, without sparsity, at the highest clock of the largest module. A dash is unknown,
    or not there.
    """
    from edgecvar.bundle.devices import DEVICES, detect_device
    from edgecvar.cli.report.devices import print_devices
    from edgecvar.errors import ConfigError

    try:
        here, why = detect_device().name, ""
    except ConfigError as error:
        here, why = "", str(error)
    if as_json:
        from dataclasses import asdict

        document = {"here": here or None, "devices": [asdict(device) for device in DEVICES.values()]}
        say_json(document)
    else:
        print_devices(here)
    if why:
        say(why, err=True)

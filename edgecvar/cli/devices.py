"""`edgecvar devices`: what a bundle can be compiled for, what one would do on each."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from edgecvar.terminal import say, say_json


@click.command("devices")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option(
    "--source", metavar="STREAM", help='A file, or "480p camera", "720p camera", "1080p camera" [default: 720p camera].'
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(bundle: Optional[Path], source: Optional[str], as_json: bool) -> None:
    """Show the devices that a bundle can be compiled for, and mark the one that this is.

    Peaks are those of the GPU alone, without sparsity, at the highest clock of the largest module. A dash is unknown,
    or not there. With BUNDLE, what it would do on each: predictions with their bounds, nothing is run.
    """
    if bundle is not None:
        _predict(bundle, source, as_json)
        return
    if source is not None:
        raise click.UsageError("--source is for a BUNDLE's predictions, which is missing")
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


def _predict(bundle: Path, source: Optional[str], as_json: bool) -> None:
    from edgecvar.cli.report.predicted.devices import predictions_document, print_predictions
    from edgecvar.predict.predictor import DEFAULT_STREAM, prediction_for_each

    predictions = prediction_for_each(bundle, source or DEFAULT_STREAM)
    if as_json:
        say_json({"predictions": predictions_document(predictions)})
    else:
        print_predictions(predictions)

"""What a bundle would do on every device, in one table."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from rich.table import Table

from edgecvar.cli.report.predicted.prediction import brief, most_cameras
from edgecvar.console import Console
from edgecvar.predict.prediction import Prediction
from edgecvar.terminal import say

WIDTH = 100
"""Columns that the table wants at most."""


def predictions_document(predictions: Sequence[Prediction]) -> List[Dict[str, Any]]:
    """The figures of the table for JSON, without layers."""
    keep = {"bundle", "device", "title", "precision", "typing", "stream", "sample_ms", "pictures_per_second", "cameras"}
    keep |= {"bottleneck", "watts", "least_watts", "watts_source", "calibrated", "notes"}
    return [{"predicted": True, **each.model_dump(include=keep)} for each in predictions]


def print_predictions(predictions: Sequence[Prediction]) -> None:
    """A row a device."""
    table = Table(padding=(0, 1), collapse_padding=True, pad_edge=False, box=None)
    titles = ("cameras", "pictures/s, one stream", "ms a sampled picture", "watts")
    for column in ("name", "type", *titles, "bound by"):
        table.add_column(column, justify="right" if column in titles else "left", no_wrap=True)
    for each in predictions:
        cells = (most_cameras(each), brief(each.pictures_per_second), brief(each.sample_ms), _watts(each))
        held = each.bottleneck.split(" (")[0]
        table.add_row(each.device, each.precision, *cells, held[4:] if held.startswith("the ") else held)
    console = Console()
    console.width = max(console.width, WIDTH)
    first = predictions[0]
    console.print(f"{first.bundle}: PREDICTED, not measured", style="bold")
    console.print(table)
    stream = first.stream
    say(
        f"for streams such as {stream.name} ({stream.width} x {stream.height}, {stream.fps:.4g} pictures/s), one of "
        f"{stream.every} sampled"
    )
    say("cameras: of 25 pictures/s, likely, at most, many on all cores; memory is not reckoned")
    say("in brackets: the bounds of four of five; ms: of the stages; watts: the module's, published, not of this load")
    say(f"`edgecvar bench --for NAME --bundle {first.bundle}` says more, and what would make it faster")


def _watts(prediction: Prediction) -> str:
    if prediction.watts is None:
        return "unknown"
    least = "" if prediction.least_watts is None else f"{prediction.least_watts:g}-"
    return f"{least}{prediction.watts:g}"

"""A prediction as text: what a bundle would do on a device that is not here, and what to change."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List

from rich.table import Table

from edgecvar.console import Console
from edgecvar.predict.prediction import Interval, Prediction, Remedy, StageTime

SHOWN_LAYERS = 6
"""Of a prediction, the slowest."""


def prediction_document(prediction: Prediction) -> Dict[str, Any]:
    """The prediction ready for JSON; `predicted` says what it is."""
    return {"predicted": True, **prediction.model_dump()}


def print_prediction(prediction: Prediction, console: Console) -> None:
    """Draw it: stages, what runs beside them, the rate with its bounds, the ranked changes."""
    stream = prediction.stream
    console.print(
        f"{prediction.bundle} on {prediction.title} ({prediction.device}), {prediction.precision}", style="bold"
    )
    console.print("PREDICTED from data sheets and published figures, not measured", style="bold yellow")
    console.print(
        f"{_many(prediction.streams, 'stream')} such as {stream.name}: {stream.width} x {stream.height}, "
        f"{stream.fps:.4g} pictures/s, {_figure(stream.megabits_per_second)} Mbit/s, "
        f"an I-picture every {_figure(stream.gop)}; "
        f"{'all sampled' if stream.every == 1 else f'one of {stream.every} sampled'}"
    )
    console.print(_stage_table(prediction))
    console.print(_layer_table(prediction))
    for line in _lines(prediction):
        console.print(line)


def _stage_table(prediction: Prediction) -> Table:
    table = Table()
    for column in ("what", "layers", "runs a sample", "low ms", "likely ms", "high ms", "bound by"):
        table.add_column(column, justify="left" if column in ("what", "bound by") else "right")
    for stage in prediction.stages:
        cells = (f"stage:{stage.stage}", str(len(stage.layers)), f"{stage.per_sample:.3g}")
        table.add_row(*cells, *_cells(stage.ms), _bound(stage))
    host = prediction.host
    table.add_section()
    decoder = {"hardware": "in hardware", "software": "on the CPU", "none": "not needed"}[host.decoder]
    for name, interval in (("read", host.read), ("prepare", host.prepare), (f"image ({decoder})", host.image)):
        table.add_row(f"{name}, a stream picture", "", "", *_cells(interval), "")
    return table


def _layer_table(prediction: Prediction) -> Table:
    rows = [(layer.ms * stage.per_sample, stage.stage, layer) for stage in prediction.stages for layer in stage.layers]
    total = sum(ms for ms, _, _ in rows) or 1.0
    table = Table(title="slowest layers", title_justify="left")
    for column in ("stage", "layer", "kind", "in", "ms", "share", "bound by"):
        table.add_column(column, justify="right" if column in ("ms", "share") else "left")
    for ms, stage, layer in sorted(rows, key=lambda row: -row[0])[:SHOWN_LAYERS]:
        cells = (stage, layer.name, layer.kind, layer.precision, f"{layer.ms:.3f}", f"{ms / total:.1%}", layer.bound)
        table.add_row(*cells)
    return table


def _lines(prediction: Prediction) -> Iterator[str]:
    rate = prediction.pictures_per_second
    yield f"per sampled picture: stages {bounded(prediction.sample_ms)} ms"
    yield (
        f"pictures of the stream a second, all streams together: {bounded(rate)}; "
        f"{prediction.cameras:.1f} cameras of 25 pictures/s at most"
    )
    yield f"bottleneck: {prediction.bottleneck}"
    yield from _changes("each change alone", prediction.remedies)
    if prediction.goal is not None:
        yield from _goal(prediction, prediction.goal)
    if prediction.watts is not None:
        least = "" if prediction.least_watts is None else f"{prediction.least_watts:g} to "
        yield f"watts: unknown; published is {least}{prediction.watts:g} ({prediction.watts_source})"
    else:
        yield "watts: unknown"
    if prediction.calibrated:
        yield f"corrected by {_many(len(prediction.calibrated), 'session')} from such a device"
    error = prediction.errors.get("median")
    if error is not None:
        yield (
            f"bounds: four of five of {prediction.fitted_on} published figures lay within such when left out; "
            f"median error {error:.0%}"
        )
    yield from (f"note: {note}" for note in prediction.notes)


def _goal(prediction: Prediction, goal: float) -> Iterator[str]:
    if prediction.pictures_per_second.likely >= goal:
        yield f"{goal:g} pictures a second: likely reached as it is"
        return
    reached = prediction.enough[-1].pictures_per_second if prediction.enough else prediction.pictures_per_second.likely
    verdict = "reached by" if reached >= goal else f"not reached ({reached:.1f} at most) by"
    yield from _changes(f"{goal:g} pictures a second: {verdict}", prediction.enough)


def _changes(title: str, found: List[Remedy]) -> Iterator[str]:
    if not found:
        yield f"{title}: nothing that is known here"
        return
    yield f"{title}:"
    for remedy in found:
        yield f"  {remedy.pictures_per_second:7.1f}/s ({remedy.gain:.2f} x): {remedy.change}"


def _bound(stage: StageTime) -> str:
    spent: Counter[str] = Counter()
    for layer in stage.layers:
        spent[layer.bound] += layer.ms  # type: ignore[assignment]  # a Counter adds floats as well
    total = sum(spent.values()) or 1.0
    return ", ".join(f"{name} {share / total:.0%}" for name, share in spent.most_common())


def _cells(interval: Interval) -> List[str]:
    return [_figure(value) for value in (interval.low, interval.likely, interval.high)]


def bounded(interval: Interval) -> str:
    """The likely figure and its bounds."""
    return f"{_figure(interval.likely)} (from {_figure(interval.low)} to {_figure(interval.high)})"


def _figure(value: float) -> str:
    """Three digits, and never a power of ten."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.6f}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"

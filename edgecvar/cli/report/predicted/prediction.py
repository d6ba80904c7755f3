"""A prediction as text: what a bundle would do on a device that is not here, and what to change."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List

from rich.table import Table

from edgecvar.console import Console
from edgecvar.predict.prediction import Interval, Prediction, Remedy, StageTime
from edgecvar.predict.predictor import MANY

SHOWN_LAYERS = 6
"""Of a prediction, the slowest."""


def prediction_document(prediction: Prediction) -> Dict[str, Any]:
    """The prediction ready for JSON; `predicted` says what it is."""
    return {"predicted": True, **prediction.model_dump()}


def print_prediction(prediction: Prediction, console: Console) -> None:
    """Draw it: whether the cameras fit, stages, what runs beside them, the ranked changes, how sure that is."""
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
    for line in _answer(prediction):
        console.print(line)
    console.print(_stage_table(prediction))
    console.print(_layer_table(prediction))
    for line in _lines(prediction):
        console.print(line)


def verdict(prediction: Prediction) -> str:
    """Whether the streams that were asked for run in real time, by the bounds."""
    wanted, rate = prediction.streams * prediction.stream.fps, prediction.pictures_per_second
    sent = "that it sends" if prediction.streams == 1 else "that they send"
    if rate.low >= wanted:
        return f"enough for the {_figure(wanted)} {sent}, even by the lower bound"
    if rate.likely >= wanted:
        return f"likely enough for the {_figure(wanted)} {sent}; not enough by the lower bound"
    if rate.high >= wanted:
        return f"likely not enough for the {_figure(wanted)} {sent}; enough only by the upper bound"
    return f"not enough for the {_figure(wanted)} {sent}, even by the upper bound"


def most_cameras(prediction: Prediction) -> str:
    """Whole cameras, and no number beyond what was reckoned."""
    return f"over {MANY}" if prediction.cameras > MANY else str(int(prediction.cameras))


def published_watts(prediction: Prediction) -> str:
    """The range with its unit and what it is of; empty where none is known."""
    if prediction.watts is None:
        return ""
    least = "" if prediction.least_watts is None else f"{prediction.least_watts:g} to "
    return f"{least}{prediction.watts:g} W" + (f" ({prediction.watts_source})" if prediction.watts_source else "")


def _answer(prediction: Prediction) -> Iterator[str]:
    of = " of the stream" if prediction.streams == 1 else f" of {prediction.streams} streams together"
    yield f"{bounded(prediction.pictures_per_second)} pictures/s{of}: {verdict(prediction)}"
    yield f"cameras of 25 pictures/s at most: {most_cameras(prediction)} (likely; memory is not reckoned)"
    yield f"the stages take {bounded(prediction.sample_ms)} ms a sampled picture"
    yield f"bottleneck: {prediction.bottleneck}"


def _stage_table(prediction: Prediction) -> Table:
    table = Table()
    for column in ("what", "layers", "runs", "ms a run (bounds)", "bound by"):
        table.add_column(column, justify="right" if column in ("layers", "ms a run (bounds)") else "left")
    for stage in prediction.stages:
        cells = (f"stage:{stage.stage}", str(len(stage.layers)), f"{stage.per_sample:.3g} a sampled picture")
        table.add_row(*cells, brief(stage.ms), _bound(stage))
    host = prediction.host
    table.add_section()
    decoder = {"hardware": "hardware", "software": "on the CPU", "none": "not needed"}[host.decoder]
    for name, interval in (("read", host.read), ("prepare", host.prepare), (f"I-pictures, {decoder}", host.image)):
        table.add_row(name, "", "1 a stream picture", brief(interval), "")
    return table


def _layer_table(prediction: Prediction) -> Table:
    rows = [(layer.ms * stage.per_sample, stage.stage, layer) for stage in prediction.stages for layer in stage.layers]
    total = sum(ms for ms, _, _ in rows) or 1.0
    table = Table(title="layers that take most of a sampled picture", title_justify="left")
    for column in ("stage", "layer", "kind", "type", "ms a run", "of all", "bound by"):
        table.add_column(column, justify="right" if column in ("ms a run", "of all") else "left", overflow="fold")
    for ms, stage, layer in sorted(rows, key=lambda row: -row[0])[:SHOWN_LAYERS]:
        cells = (stage, layer.name, layer.kind, layer.precision, f"{layer.ms:.3f}", f"{ms / total:.1%}", layer.bound)
        table.add_row(*cells)
    return table


def _lines(prediction: Prediction) -> Iterator[str]:
    yield from _changes("what would make it faster, each change alone", prediction.remedies)
    if prediction.goal is not None:
        yield from _goal(prediction, prediction.goal)
    watts = published_watts(prediction)
    yield "watts at this load: unknown" + (f"; published is {watts}" if watts else "")
    if prediction.calibrated:
        yield f"corrected by {_many(len(prediction.calibrated), 'session')} from such a device"
    error = prediction.median_error
    if error is not None:
        yield (
            f"bounds: four of five of {prediction.fitted_on} published latencies lay within such when left out; "
            f"median error {error:.0%} (`edgecvar bench published` has each)"
        )
    yield from (f"note: {note}" for note in prediction.notes)


def _goal(prediction: Prediction, goal: float) -> Iterator[str]:
    if prediction.pictures_per_second.likely >= goal:
        yield f"goal of {_figure(goal)} pictures/s: likely reached as it is"
        return
    if not prediction.enough:
        yield f"goal of {_figure(goal)} pictures/s: not reached; no change that is known here gains anything"
        return
    reached = prediction.enough[-1].pictures_per_second
    found = "reached with" if reached >= goal else f"not reached, {reached:.0f} with all of"
    yield from _changes(f"goal of {_figure(goal)} pictures/s: {found} these, one after the other", prediction.enough)


def _changes(title: str, found: List[Remedy]) -> Iterator[str]:
    if not found:
        yield f"{title}: nothing that is known here"
        return
    yield f"{title}:"
    for remedy in found:
        yield f"  {remedy.pictures_per_second:7,.0f} pictures/s ({remedy.gain:.2f} x): {remedy.change}"


def _bound(stage: StageTime) -> str:
    spent: Counter[str] = Counter()
    for layer in stage.layers:
        spent[layer.bound] += layer.ms  # type: ignore[assignment]  # a Counter adds floats as well
    total = sum(spent.values()) or 1.0
    return ", ".join(f"{name} {share / total:.0%}" for name, share in spent.most_common(1))


def bounded(interval: Interval) -> str:
    """The likely figure and its bounds."""
    return f"{_figure(interval.likely)} (from {_figure(interval.low)} to {_figure(interval.high)})"


def brief(interval: Interval) -> str:
    """The same for a table."""
    return f"{_figure(interval.likely)} ({_figure(interval.low)} - {_figure(interval.high)})"


def _figure(value: float) -> str:
    """Three digits, and never a power of ten."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.6f}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"

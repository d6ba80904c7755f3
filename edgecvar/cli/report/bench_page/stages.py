"""The spans of a session as a table, with what was predicted beside what was measured."""

from __future__ import annotations

from typing import Dict, List, Optional

from edgecvar.bench.session import Session
from edgecvar.bench.summary import Row, summarise
from edgecvar.cli.report.bench_page.amounts import deviation, figure, low_likely_high, span
from edgecvar.cli.report.page.elements import Markup, element, section, short, table
from edgecvar.predict.prediction import Interval, Prediction

ROWS = 200


def stages_section(session: Session) -> Markup:
    """Percentiles and shares; predictions of one call, where there are any."""
    summary = summarise(session)
    calls = {} if session.prediction is None else predicted_calls(session)
    heads = ["what", "times", "p50 ms", "p90 ms", "p99 ms", "share"]
    heads += ["predicted ms: low / likely / high", "likely against p50"] if calls else []
    rows = [_cells(row, f"{row.share:.1%}", calls) for row in summary.rows[:ROWS]]
    rows.append(_cells(summary.latency, "", calls))
    if summary.against is not None:
        rows += [_cells(row, f"{row.share:.1%}", {}, "decoding all: ", bool(calls)) for row in summary.against.rows]
    left = len(summary.rows) - ROWS
    return section(
        "Stages",
        element("p", "Each span of the run; end to end is from a picture's packet to its decision, waiting included."),
        table(heads, rows, (0,)),
        element("p", f"and {left} more", class_="faint") if left > 0 else None,
    )


def predicted_calls(session: Session) -> Dict[str, Interval]:
    """By span, what one call was predicted to take; of the host it is given for a picture of the stream."""
    prediction = session.prediction
    if prediction is None:
        return {}
    calls = {f"stage:{each.stage}": each.ms for each in prediction.stages}
    image = len(session.run.spans_ms.get("image", ()))
    factor = session.run.pictures / image if image else 0.0
    scaled = prediction.host.image.times(factor)
    if scaled.high > 0:
        calls["image"] = scaled
    return calls


def _cells(row: Row, share: str, calls: Dict[str, Interval], of: str = "", wide: Optional[bool] = None) -> List[str]:
    cells = [short(of + row.name), str(row.count), f"{row.p50_ms:.2f}", f"{row.p90_ms:.2f}", f"{row.p99_ms:.2f}", share]
    predicted = calls.get(row.name)
    if predicted is not None:
        return [*cells, low_likely_high(predicted), deviation(predicted.likely, row.p50_ms)]
    return [*cells, "", ""] if (bool(calls) if wide is None else wide) else cells


def beside_table(session: Session, prediction: Prediction) -> Markup:
    """What the whole was predicted to do, beside what it did."""
    summary, run = summarise(session), session.run
    pictures, every = max(run.pictures, 1), session.every
    spans = {name: sum(values) for name, values in run.spans_ms.items()}
    host = prediction.host

    def of_stream(*names: str) -> float:
        return sum(spans.get(name, 0.0) for name in names) / pictures

    pairs = [
        ("pictures a second", summary.pictures_per_second, prediction.pictures_per_second),
        ("stages, ms a sampled picture", summary.stage_ms_per_sample, prediction.sample_ms),
        ("read and parse, ms a picture", of_stream("read", "trace", "parse"), host.read),
        ("prepare, ms a picture", of_stream("prepare"), host.prepare),
        ("I-pictures, ms a picture", of_stream("image"), host.image),
    ]
    rows = [
        (
            name,
            figure(measured),
            figure(predicted.likely),
            span(predicted),
            deviation(predicted.likely, measured),
            "yes" if predicted.low <= measured <= predicted.high else "no",
        )
        for name, measured, predicted in pairs
        if measured > 0 or predicted.high > 0
    ]
    shape = prediction.stream
    note = None
    if (shape.width, shape.height, shape.every) != (session.width, session.height, every):
        note = element(
            "p",
            f"The prediction is for {shape.width} x {shape.height}, every {shape.every}; measured was "
            f"{session.width} x {session.height}, every {every}.",
            class_="faint",
        )
    made = table(("", "measured", "predicted", "from to", "off by", "within"), rows, (0,))
    return element("div", element("h3", "Predicted beside measured"), made, note)

"""The page of a session, with a prediction beside it where there is one, and the page of a prediction alone."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Iterator, List, Mapping, Sequence, Tuple

from edgecvar.bench.advice import advice
from edgecvar.bench.session import Session
from edgecvar.bench.summary import summarise
from edgecvar.cli.report.bench_page.amounts import check_figures, figure, span
from edgecvar.cli.report.bench_page.board import board_section
from edgecvar.cli.report.bench_page.flow import measured_flow, predicted_flow
from edgecvar.cli.report.bench_page.flow_picture import flow_section
from edgecvar.cli.report.bench_page.layer_tables import layers_section
from edgecvar.cli.report.bench_page.layers import stage_layers
from edgecvar.cli.report.bench_page.predicted import PLAINLY, prediction_section
from edgecvar.cli.report.bench_page.roofline import roofline_section
from edgecvar.cli.report.bench_page.stages import beside_table, stages_section
from edgecvar.cli.report.bench_page.style import BENCH_STYLE
from edgecvar.cli.report.bench_page.timeline import timeline_section
from edgecvar.cli.report.bundle.exits import exit_fact
from edgecvar.cli.report.page.document import document, write_document
from edgecvar.cli.report.page.elements import Markup, element, plain_list, section, short, table
from edgecvar.cli.report.page.report import Fact
from edgecvar.cli.report.predicted.prediction import most_cameras, verdict
from edgecvar.predict.prediction import Prediction


def render_session(session: Session) -> str:
    """The document; raises ConfigError where a figure in it cannot be drawn."""
    _check(session)
    return document(f"{_name(session)}: where the time goes", _facts(session), _sections(session), style=BENCH_STYLE)


def render_prediction(prediction: Prediction, flow: Mapping[str, Sequence[str]] = {}) -> str:
    """The document; `flow`: the sources of each stage, where they are known. Raises ConfigError as above."""
    check_figures(prediction)
    rate, ms = prediction.pictures_per_second, prediction.sample_ms
    title = f"{short(PurePath(prediction.bundle).name)} on {short(prediction.title)}: a prediction"
    held, _, why = prediction.bottleneck.partition(" (")
    facts = [
        Fact("pictures a second", figure(rate.likely), f"predicted, {span(rate)}; {verdict(prediction)}"),
        Fact("stages of a sampled picture", f"{figure(ms.likely)} ms", f"predicted, {span(ms)}"),
        Fact("cameras at most", most_cameras(prediction), "of 25 pictures a second, predicted"),
        Fact("bottleneck", held, f"predicted, {why}".rstrip(", )")),
    ]
    layers = stage_layers((), prediction)
    parts = [
        element("p", PLAINLY, class_="note"),
        flow_section(predicted_flow(prediction, flow), predicted=True),
        prediction_section(prediction),
        layers_section(layers) if layers else None,
        roofline_section(layers, prediction),
    ]
    return document(title, facts, parts, style=BENCH_STYLE)


def render_sessions(sessions: Sequence[Session]) -> str:
    """The document of one session, or of several: their figures side by side, and the sections of each in a fold."""
    if len(sessions) == 1:
        return render_session(sessions[0])
    names = [f"{_name(session)}, {_engine(session)}" for session in sessions]
    folds: List[Markup] = []
    for name, session in zip(names, sessions):
        _check(session)
        folds.append(element("details", element("summary", name), _sections(session), open=None if folds else ""))
    return document(
        f"{len(sessions)} measurements, one beside the other",
        (),
        _side_by_side(names, sessions),
        folds,
        style=BENCH_STYLE,
    )


def write_sessions_page(target: Path, sessions: Sequence[Session]) -> None:
    """Write the page of sessions, whole or not at all; raises ConfigError where it cannot be drawn or written."""
    write_document(target, render_sessions(sessions))


def write_prediction_page(target: Path, prediction: Prediction, flow: Mapping[str, Sequence[str]]) -> None:
    """The same of a prediction; `flow`: the sources of each stage by its name, empty where they are not known."""
    write_document(target, render_prediction(prediction, flow))


def _check(session: Session) -> None:
    check_figures(*session.moments, *session.layers, session.board, session.prediction)


def _name(session: Session) -> str:
    return short(PurePath(session.bundle).name)


def _engine(session: Session) -> str:
    """The runner, and the precision where its name does not end with it."""
    runner, precision = short(session.runner), short(session.precision)
    return runner if runner.endswith(f"-{precision}") else f"{runner}, {precision}"


def _side_by_side(names: Sequence[str], sessions: Sequence[Session]) -> Markup:
    heads = ["", "pictures/s", "ms a sampled picture", "of it stages", "x real time", "decisions/s"]
    with_joules = any(
        session.board is not None and session.board.joules_per_decision is not None for session in sessions
    )
    rows = []
    for name, session in zip(names, sessions):
        summary, board = summarise(session), session.board
        joules = None if board is None else board.joules_per_decision
        whole = summary.stage_ms_per_sample + summary.other_ms_per_sample
        figures = (summary.pictures_per_second, whole, summary.stage_ms_per_sample, summary.realtime)
        each = [figure(value) for value in (*figures, summary.decisions_per_second)]
        rows.append([name, *each, *(["" if joules is None else figure(joules)] if with_joules else [])])
    return table([*heads, *(["joules a decision"] if with_joules else [])], rows, (0,))


def _facts(session: Session) -> List[Fact]:
    summary = summarise(session)
    whole = summary.stage_ms_per_sample + summary.other_ms_per_sample
    parts = f"{figure(summary.stage_ms_per_sample)} of stages, {figure(summary.other_ms_per_sample)} of all else"
    facts = [
        Fact("pictures a second", figure(summary.pictures_per_second), "of the stream, decoding included"),
        Fact("a sampled picture", f"{figure(whole)} ms", parts),
        Fact("real time", f"{figure(summary.realtime)} x", f"of {session.stream_fps:.4g} pictures a second"),
        Fact("decisions a second", figure(summary.decisions_per_second), f"every {session.every} pictures"),
    ]
    if session.exits is not None:
        facts.append(exit_fact(session.exits))
    if session.board is not None and session.board.joules_per_decision is not None:
        facts.append(Fact("energy", f"{figure(session.board.joules_per_decision)} J", "a decision, above idling"))
    if session.prediction is not None:
        rate = session.prediction.pictures_per_second
        facts.append(Fact("predicted", figure(rate.likely), f"pictures a second, {span(rate)}"))
    return facts


def _sections(session: Session) -> Iterator[Markup]:
    prediction = session.prediction
    if session.untrained:
        yield element("p", "Untrained weights: its decisions mean nothing, its times do.", class_="note")
    yield plain_list(_circumstances(session))
    yield _advice(session)
    yield flow_section(measured_flow(session), predicted=False)
    if session.moments:
        yield timeline_section(session.moments)
    yield stages_section(session)
    layers = stage_layers(session.layers, prediction)
    if layers:
        yield layers_section(layers)
    plot = None if prediction is None else roofline_section(layers, prediction)
    if plot is not None:
        yield plot
    if session.board is not None:
        yield board_section(session.board)
    if prediction is not None:
        yield prediction_section(prediction, beside_table(session, prediction))
    yield section("Measured on", plain_list([(short(key), short(value)) for key, value in session.machine.items()]))


def _circumstances(session: Session) -> List[Tuple[str, str]]:
    run = session.run
    shape = f"{session.width} x {session.height} at {session.stream_fps:.4g} pictures a second"
    counts = f"{run.pictures} pictures, {run.sampled} sampled, {run.decisions} decisions in {run.wall_seconds:.2f} s"
    how = f", read by the {short(session.extraction)} extraction" if session.extraction else ""
    return [
        ("bundle", session.bundle),
        ("runner", _engine(session)),
        ("source", f"{session.source}: {shape}{how}"),
        ("measured", f"{counts}, after {session.warm_up.wall_seconds:.2f} s of warm-up kept apart"),
    ]


def _advice(session: Session) -> Markup:
    """What the measurement says to change, and what the prediction names as the bottleneck."""
    sentence = advice(session)
    lines = [_sentence(sentence.partition("advice: ")[2] or sentence)]
    if session.prediction is not None:
        lines.append(
            _sentence(
                f"the prediction for {session.prediction.title} has as bottleneck {session.prediction.bottleneck}"
            )
        )
        best = max(session.prediction.remedies, key=lambda remedy: remedy.gain, default=None)
        if best is not None:
            lines.append(_sentence(f"of what it reckons, most is gained by this, {best.gain:.2f} times: {best.change}"))
    return section("What to change", element("ul", [element("li", line) for line in lines]))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")

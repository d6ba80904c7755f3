"""The page of a measurement: well formed, escaped, of the session's own figures; sections where there is something."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import pytest

from edgecvar.bench.observed import Board, Moment, ObservedStage, Reading
from edgecvar.bench.session import Session, load_session, save_session
from edgecvar.bench.summary import summarise
from edgecvar.cli.report.bench_page.page import (
    render_prediction,
    render_session,
    render_sessions,
    write_prediction_page,
    write_sessions_page,
)
from edgecvar.cli.report.page.charts import LEFT, RIGHT, WIDTH
from edgecvar.errors import ConfigError
from tests.cli.report.bench_page.jetson_session import FLOW, board, observed, prediction, session
from tests.cli.report.page.parsed_page import ParsedPage

HOSTILE = "<script>alert(1)</script>\"'&amp; onload=x \x1b[31m\n\u202e</title></style>"
ALWAYS = ["What to change", "Where a picture's time goes", "Stages", "Measured on"]
LARGEST = 2_000_000
"""Bytes."""


def bare(**changes: Any) -> Session:
    """A session as a machine without an engine's profiler and sensors makes it."""
    return session(**{"moments": [], "layers": [], "board": None, "prediction": None, "against": None, **changes})


def headings(found: Session) -> Any:
    return ParsedPage(render_session(found)).of("h2")


def test_every_section_is_there_once_and_the_page_asks_for_nothing() -> None:
    document = render_session(session())
    page = ParsedPage(document)
    assert page.of("h2") == [
        *("What to change", "Where a picture's time goes", "Timeline", "Stages", "Layers", "Roofline", "The board"),
        *("Prediction for Jetson TX2", "Measured on"),
    ]
    assert any("default-src 'none'" in str(attributes.get("content")) for tag, attributes in page.tags if tag == "meta")
    assert "http:" not in document and "https:" not in document


@pytest.mark.parametrize(
    ("there", "sections"),
    [
        ({}, []),
        ({"moments": session().moments}, ["Timeline"]),
        ({"board": board()}, ["The board"]),
        ({"layers": observed(4)}, ["Layers"]),
        ({"prediction": prediction()}, ["Layers", "Roofline", "Prediction for Jetson TX2"]),
        ({"prediction": prediction(stages=[])}, ["Prediction for Jetson TX2"]),
        ({"prediction": prediction(peak_gops=0.0)}, ["Layers", "Prediction for Jetson TX2"]),
    ],
)
def test_a_section_is_there_where_there_is_something_to_show(there: Dict[str, Any], sections: Any) -> None:
    assert sorted(headings(bare(**there))) == sorted([*ALWAYS, *sections])


def test_its_figures_are_those_of_the_session() -> None:
    found = session()
    summary, page = summarise(found), ParsedPage(render_session(found))
    shown = dict(zip(page.of("dt")[:6], page.of("dd")))
    assert float(shown["pictures a second"]) == summary.pictures_per_second == 96
    assert shown["a sampled picture"] == f"{summary.stage_ms_per_sample + summary.other_ms_per_sample:.1f} ms"
    assert float(shown["real time"].rstrip(" x")) == pytest.approx(summary.realtime, abs=0.005)
    assert float(shown["decisions a second"]) == summary.decisions_per_second == 48
    assert shown["energy"] == "0.152 J"
    cells = page.of("td")
    for row in [*summary.rows, summary.latency]:
        at = cells.index(row.name)
        assert cells[at + 1 : at + 5] == [str(row.count), *(f"{ms:.2f}" for ms in (row.p50_ms, row.p90_ms, row.p99_ms))]


def test_what_was_predicted_stands_beside_what_was_measured() -> None:
    cells = ParsedPage(render_session(session())).of("td")
    at = cells.index("stage:motion")
    assert cells[at + 6 : at + 8] == ["6.12 / 7.65 / 9.95", "-10%"]
    at = cells.index("image")  # predicted for a picture of the stream, of which one in twelve is an I-picture
    assert cells[at + 6] == "2.88 / 3.60 / 4.68"
    at = cells.index("pictures a second")
    assert cells[at + 1 : at + 6] == ["96.0", "104", "75.0 to 130", "+8%", "yes"]
    slow = session(prediction=prediction(pictures_per_second={"low": 10, "likely": 24, "high": 48}))
    cells = ParsedPage(render_session(slow)).of("td")
    at = cells.index("pictures a second")
    assert cells[at + 4 : at + 6] == ["-75%", "no"]


def test_advice_is_in_sentences() -> None:
    advice = ParsedPage(render_session(session())).of("li")
    assert advice[0].startswith("3.8 such streams fit") and advice[0].endswith(".")
    assert "The prediction for Jetson TX2 has as bottleneck the stage residual (45% of the engine's time)." in advice
    assert "Of what it reckons, most is gained by this, 1.90 times: sample every 4th picture (--every 4)." in advice
    assert "Lock the clocks with `jetson_clocks` before measuring." in advice


def test_names_are_text_wherever_they_stand() -> None:
    run = session().run
    spans = {HOSTILE: [1.0], f"stage:{HOSTILE}": [2.0], **run.spans_ms}
    stages = [each.model_copy(update={"stage": HOSTILE}) for each in prediction().stages[:1]]
    layer = observed(2)[1].layers[0].model_copy(update=dict.fromkeys(("name", "kind", "precision", "tactic"), HOSTILE))
    reading = Reading(at_seconds=0, clocks_mhz={HOSTILE: 1.0}, watts={HOSTILE: 2.0})
    found = session(
        **dict.fromkeys(("bundle", "runner", "precision", "source", "extraction"), HOSTILE),
        machine={HOSTILE: HOSTILE},
        run=run.model_copy(update={"spans_ms": spans}),
        moments=[Moment(name=HOSTILE, thread=HOSTILE, stream=HOSTILE, start_ms=0, ms=1)],
        layers=[
            ObservedStage(stage=HOSTILE, layers=[layer], complaint=HOSTILE),
            ObservedStage(stage=f"{HOSTILE} 2", complaint=HOSTILE),
        ],
        board=Board(power_mode=HOSTILE, throttled=HOSTILE, advice=[HOSTILE], idle=[reading], loaded=[reading]),
        prediction=prediction(
            stages=stages,
            **dict.fromkeys(("bundle", "device", "title", "precision", "bottleneck", "watts_source"), HOSTILE),
            notes=[HOSTILE],
            calibrated=[HOSTILE],
        ),
        flow={HOSTILE: [HOSTILE]},
    )
    for document in (render_session(found), render_prediction(found.prediction, found.flow)):  # type: ignore[arg-type]
        page = ParsedPage(document)
        assert [sign for sign in document if not (sign.isprintable() or sign == "\n")] == []
        assert "<script>alert(1)</script>" in page.text and "\\u202e" in page.text


def test_very_much_makes_no_huge_page() -> None:
    many = {f"stage:{number} {'long ' * 50}": [1.0] for number in range(1000)}
    run = session().run
    found = session(
        300,
        run=run.model_copy(update={"spans_ms": {**run.spans_ms, **many}}),
        moments=[Moment(name=f"n{n}", thread=f"t{n}", start_ms=n / 10, ms=1) for n in range(4000)],
        board=Board(loaded=[Reading(at_seconds=n, celsius={f"z{z}": z for z in range(60)}) for n in range(2000)]),
    )
    document = render_session(found)
    ParsedPage(document)
    assert len(document.encode()) < LARGEST


def test_a_prediction_has_a_page_that_says_it_is_one(tmp_path: Path) -> None:
    write_prediction_page(tmp_path / "page.html", prediction(), FLOW)
    page = ParsedPage((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.of("h2") == ["Where a picture's time goes", "Prediction for Jetson TX2", "Layers", "Roofline"]
    assert "A prediction, not a measurement: nothing of it was run on such a device." in page.text
    assert page.of("dd")[:4] == ["104", "18.2 ms", "4", "the stage residual"]
    shown = dict(zip(page.of("dt"), page.of("dd")))
    assert shown["pictures a second"] == "104, from 75.0 to 130"
    assert shown["fitted on"] == "41 published figures; median error on such that it had not seen: 18%"
    assert "measured in" not in page.text and "What it leaves out" in page.of("h3")
    cells = page.of("td")
    assert cells.index("1. sample every 4th picture (--every 4)") < cells.index("2. train on inputs of 84 x 84")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"goal": 90.0}, "It is likely to be that fast as it is."),
        ({"goal": 160.0}, "One after the other, these are likely to be enough:"),
        ({"goal": 999.0}, "All of these together do not reach it:"),
        ({"goal": 999.0, "enough": []}, "No change that is known here gains anything."),
    ],
)
def test_it_says_what_reaches_the_goal(changes: Dict[str, Any], said: str) -> None:
    assert said in ParsedPage(render_prediction(prediction(**changes))).of("p")


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e15])
def test_other_figures_are_drawn_however_odd(value: float) -> None:
    reading = Reading(at_seconds=value, clocks_mhz={"gpu": value, "cpu": 0.0})
    stage = prediction(3).stages[1]
    layers = [each.model_copy(update={"ms": value}) for each in stage.layers]
    layers[0] = layers[0].model_copy(update={"multiply_adds": 10**15, "bytes": 1})
    made = observed(3)[1]
    found = session(
        moments=[Moment(name="read", thread="reader", start_ms=value, ms=value)],
        board=Board(idle=[reading], loaded=[Reading(at_seconds=0.0)]),
        layers=[made.model_copy(update={"layers": [made.layers[0].model_copy(update={"ms": value})]})],
        prediction=prediction(stages=[stage.model_copy(update={"layers": layers})], bandwidth_gb_per_s=value),
    )
    assert "The board" in headings(found)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, -1e16, 5e-324])
def test_a_figure_that_no_drawing_has_room_for_is_one_line(value: float) -> None:
    moment = Moment(name="read", thread="reader", start_ms=0, ms=value)
    for found in (session(moments=[moment]), session(prediction=prediction(peak_gops=value))):
        with pytest.raises(ConfigError, match="a report cannot be drawn of") as caught:
            render_session(found)
        assert "\n" not in str(caught.value)
    layer = prediction().stages[0].layers[0].model_copy(update={"multiply_adds": 10**400})
    stage = prediction().stages[0].model_copy(update={"layers": [layer]})
    with pytest.raises(ConfigError, match="a number of 401 figures"):
        render_prediction(prediction(stages=[stage]))


def test_a_session_that_was_saved_has_the_same_page(tmp_path: Path) -> None:
    save_session(session(), tmp_path / "s.json")
    write_sessions_page(tmp_path / "page.html", [load_session(tmp_path / "s.json")])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render_session(session())
    with pytest.raises(ConfigError, match=r"none/page\.html: cannot be written"):
        write_sessions_page(tmp_path / "none" / "page.html", [session()])


def test_several_sessions_are_one_page_with_their_figures_side_by_side() -> None:
    slow = session().run.model_copy(update={"wall_seconds": 5.0})
    page = ParsedPage(render_sessions([session(), bare(bundle="b.edgecvar", precision="fp32", run=slow)]))
    names = ["attp.edgecvar, tensorrt-8.2, fp16", "b.edgecvar, tensorrt-8.2, fp32"]
    cells = page.of("td")
    assert [cells[cells.index(name) + 1] for name in names] == ["96.0", "48.0"]
    assert cells[cells.index(names[0]) + 6] == "0.152" and [s for s in page.of("summary") if s in names] == names
    assert page.of("h2").count("Stages") == 2 and page.of("h2").count("The board") == 1
    with pytest.raises(ConfigError, match="cannot be drawn"):
        render_sessions([session(), session(prediction=prediction(peak_gops=1e300))])


def test_a_board_without_sensors_says_so() -> None:
    page = ParsedPage(render_session(bare(board=Board())))
    shown = dict(zip(page.of("dt"), page.of("dd")))
    assert shown["power mode"] == "cannot be told" and shown["throttling"] == "none was seen"
    assert "energy" not in shown and page.count("polyline") == 0
    full = ParsedPage(render_session(bare(board=board())))
    assert dict(zip(full.of("dt"), full.of("dd")))["watts, total"].startswith("3.80 idle, ")
    assert full.count("polyline") == 8  # three clocks, two temperatures, two rails, one load
    assert re.search(r"1170 to 910 MHz", full.text)
    marks = {attributes["x1"] for tag, attributes in full.tags if attributes.get("class") == "mark"}
    assert marks == {f"{LEFT + (WIDTH - RIGHT - LEFT) * 5 / 39:.1f}"}  # it idled for five of the 39 seconds

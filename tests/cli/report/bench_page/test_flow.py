"""The way of a picture: which box hands on to which, what bounds it, and where boxes are drawn."""

from __future__ import annotations

import re
from typing import Any, Dict, List

import pytest

from edgecvar.cli.report.bench_page.flow import measured_flow, predicted_flow
from edgecvar.cli.report.bench_page.flow_picture import HIGH, WIDE, flow_picture, flow_section
from tests.cli.report.bench_page.jetson_session import FLOW, prediction, session
from tests.cli.report.page.parsed_page import ParsedPage

READER = {("source", "read"), ("read", "image"), ("read", "prepare")}


def stages_of(flow: Dict[str, List[str]], **spans: List[float]) -> Any:
    """A session of these stages, each a millisecond."""
    run = session().run
    kept = {name: values for name, values in run.spans_ms.items() if not name.startswith("stage:")}
    made = {f"stage:{name}": spans.get(name, [1.0] * 120) for name in flow}
    return session(run=run.model_copy(update={"spans_ms": {**kept, **made}}), flow=flow, prediction=None)


def boxes(drawing: str) -> List[Any]:
    found = re.findall(
        r'<rect class="box[^"]*" rx="6" x="([\d.]+)" y="([\d.]+)"|<rect x="([\d.]+)" y="([\d.]+)"[^>]*class="box',
        drawing,
    )
    return [tuple(float(value) for value in match if value) for match in found]


def test_arrows_are_those_of_the_manifest() -> None:
    flow = measured_flow(session())
    assert set(flow.edges) == READER | {
        ("image", "stage:appearance"),
        ("prepare", "stage:motion"),
        ("prepare", "stage:residual"),
        ("stage:appearance", "stage:fuse"),
        ("stage:motion", "stage:fuse"),
        ("stage:residual", "stage:fuse"),
        ("stage:fuse", "decide"),
    }
    assert not flow.assumed


def test_a_stage_hides_the_input_of_its_name_from_later_ones_alone() -> None:
    flow = measured_flow(stages_of({"motion": ["motion"], "fuse": ["motion", "frame", "image"]}))
    assert {edge for edge in flow.edges if edge[1].startswith("stage:")} == {
        ("prepare", "stage:motion"), ("stage:motion", "stage:fuse"), ("prepare", "stage:fuse"), ("image", "stage:fuse")
    }  # fmt: skip


def test_where_a_session_does_not_say_arrows_are_as_is_common() -> None:
    known, assumed = measured_flow(session()), measured_flow(session(flow={}))
    assert set(assumed.edges) == set(known.edges) and assumed.assumed
    assert set(predicted_flow(prediction(), {}).edges) == set(known.edges)
    said = "arrows between stages are drawn as is common"
    assert said in flow_section(assumed, False) and said not in flow_section(known, False)


def test_times_are_for_a_sampled_picture_and_shares_of_all_work() -> None:
    flow = {box.key: box for box in measured_flow(session()).boxes}
    assert flow["read"].ms == pytest.approx(2 * 0.5 + 0.6, rel=0.02)  # two pictures read, one of them parsed
    assert flow["stage:appearance"].ms == pytest.approx(11 / 6, rel=0.02)
    assert sum(box.share for box in flow.values()) == pytest.approx(1)
    expected = flow["read"].predicted
    assert expected is not None and expected.likely == pytest.approx(1.6)
    expected = flow["stage:appearance"].predicted
    assert expected is not None and expected.likely == pytest.approx(0.9 * 11 / 6)


def test_the_bottleneck_is_the_largest_part_of_the_busiest_thread() -> None:
    assert measured_flow(session()).bottleneck == "stage:residual"
    short = stages_of({"motion": ["motion"]})
    assert measured_flow(short).bottleneck == "read"
    spans = {**short.run.spans_ms, "image": [100.0] * 20}
    slow = short.model_copy(update={"run": short.run.model_copy(update={"spans_ms": spans})})
    assert measured_flow(slow).bottleneck == "image"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("the stage motion (31% of the engine's time)", "stage:motion"),
        ("reading the stream", "read"),
        ("preparing the inputs", "prepare"),
        ("decoding I-pictures", "image"),
        ("who knows", "stage:residual"),
    ],
)
def test_a_prediction_names_its_bottleneck(words: str, key: str) -> None:
    assert predicted_flow(prediction(bottleneck=words), FLOW).bottleneck == key


@pytest.mark.parametrize(
    "flow",
    [
        FLOW,
        {"appearance": ["image"]},
        {"appearance": ["image"], "fuse": ["appearance", "motion", "residual"]},
        {"stem": ["frame"], "clip": ["stem"]},
        {"a": ["image"], "b": ["a"], "c": ["b"], "d": ["motion", "image", "a", "c"]},
        {str(number): ["motion"] for number in range(40)},
    ],
)
def test_boxes_do_not_touch_and_each_is_left_of_what_it_hands_on_to(flow: Dict[str, List[str]]) -> None:
    found = measured_flow(stages_of(flow))
    places = boxes(flow_picture(found))
    assert len(places) == len(found.boxes) and len(found.boxes) <= 5 + 12
    corner = dict(zip((box.key for box in found.boxes), places))
    assert all(corner[b][0] - corner[a][0] > WIDE for a, b in found.edges)
    for number, (x, y) in enumerate(places):
        assert all(abs(x - left) > WIDE or abs(y - top) > HIGH for left, top in places[:number])
    assert corner["decide"][0] == max(x for x, _ in places)


def test_stages_that_have_no_box_are_counted() -> None:
    flow = measured_flow(stages_of({str(number): ["motion"] for number in range(40)}))
    assert flow.left == 28 and "28 more stages" in flow_section(flow, False)


def test_an_arrow_passes_beside_the_boxes_of_a_column() -> None:
    """From `prepare` to `fuse`: level in the column of `appearance`, above or below its box."""
    found = measured_flow(stages_of({"appearance": ["image"], "fuse": ["appearance", "motion"]}))
    drawing = flow_picture(found)
    corner = dict(zip((box.key for box in found.boxes), boxes(drawing)))
    (x, y) = corner["stage:appearance"]
    paths = re.findall(r'd="([^"]*)"', drawing)
    (passing,) = [path for path in paths if " H" in path]
    level = float(re.search(r",([\d.]+) H([\d.]+)", passing)[1])  # type: ignore[index]
    assert not y <= level <= y + HIGH and f"H{x + WIDE:.1f}" in passing


def test_the_measured_figure_has_the_predicted_one_below() -> None:
    section = "<!DOCTYPE html>" + flow_section(measured_flow(session()), False)
    texts = ParsedPage(section).of("text")
    at = texts.index("residual")
    assert texts[at + 1 : at + 5] == ["9.00 ms", "38.1%", "pred. 6.48 to 10.5", "bottleneck"]
    assert not any(
        text.startswith("pred.")
        for text in ParsedPage("<!DOCTYPE html>" + flow_picture(measured_flow(session(prediction=None)))).of("text")
    )

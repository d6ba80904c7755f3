"""Layers joined by their nodes, and drawings whose marks lie where their values are."""

from __future__ import annotations

import re
from typing import Any, List

import pytest

from edgecvar.bench.observed import Moment, ObservedLayer, ObservedStage
from edgecvar.cli.report.bench_page.layer_tables import layers_section
from edgecvar.cli.report.bench_page.layers import ShownLayer, StageLayers, stage_layers
from edgecvar.cli.report.bench_page.legend import span_colours
from edgecvar.cli.report.bench_page.roofline import Dot, dots_of, roofline
from edgecvar.cli.report.bench_page.timeline import timeline_section
from tests.cli.report.bench_page.jetson_session import layer_times, observed, prediction
from tests.cli.report.page.parsed_page import ParsedPage


def parsed(section: str) -> ParsedPage:
    return ParsedPage(f"<!DOCTYPE html>{section}")


def numbers(page: ParsedPage, tag: str, *names: str) -> List[Any]:
    return [tuple(float(found[name]) for name in names) for each, found in page.tags if each == tag]


def test_layers_are_joined_by_the_nodes_that_they_hold() -> None:
    motion = {each.stage: each for each in stage_layers(observed(6), prediction(6))}["motion"]
    times = layer_times("motion", 6)
    assert motion.measured and motion.runs == 50 and motion.missed == 0 and len(motion.layers) == 5
    fused = next(layer for layer in motion.layers if layer.ms == 1.5)
    assert fused.predicted_ms == pytest.approx(times[0].ms + times[1].ms)
    assert fused.multiply_adds == times[0].multiply_adds + times[1].multiply_adds
    assert [layer.time for layer in motion.layers] == sorted((layer.time for layer in motion.layers), reverse=True)


def test_a_layer_goes_to_whom_most_of_its_nodes_are_in_and_to_nobody_where_none_is() -> None:
    times = layer_times("motion", 3)
    whole = times[0].model_copy(update={"nodes": ["a", "b", "c"]})
    alone = times[1].model_copy(update={"nodes": ["elsewhere"]})
    named = times[2].model_copy(update={"nodes": [], "name": "by name"})
    stages = [each.model_copy(update={"layers": [whole, alone, named]}) for each in prediction().stages[1:2]]
    made = [
        ObservedLayer(name="x", nodes=["a"], ms=3),
        ObservedLayer(name="y", nodes=["b", "c"], ms=2),
        ObservedLayer(name="by name", ms=1),
        ObservedLayer(name="reformat", ms=0.5),
    ]
    (found,) = stage_layers([ObservedStage(stage="motion", layers=made)], prediction(stages=stages))
    assert [layer.predicted_ms for layer in found.layers] == [None, whole.ms, named.ms, None] and found.missed == 1


def test_where_no_layer_was_measured_those_predicted_are_shown_with_the_reason() -> None:
    first = stage_layers(observed(6), prediction(6))[0]
    assert first.stage == "appearance" and not first.measured and first.complaint == "the engine has no inspector"
    assert [layer.predicted_ms for layer in first.layers] == [each.ms for each in layer_times("appearance", 6)]
    assert "not measured: the engine has no inspector" in layers_section([first])
    alone = stage_layers(observed(6), None)
    assert [each.measured for each in alone] == [False, True, True, True]
    page = parsed(layers_section(alone))
    assert "is reckoned" not in page.text and "is reckoned" in layers_section([first])
    assert "predicted ms" not in page.of("th") and "bound by" not in page.of("th") and "tactic" in page.of("th")


def test_of_many_layers_twenty_are_shown_and_the_others_folded() -> None:
    page = parsed(layers_section(stage_layers([], prediction(300))))
    assert page.of("summary").count("280 faster ones") == 3
    assert [
        len(table.split("<tr>")) - 2
        for table in layers_section(stage_layers([], prediction(300))).split("<table>")[1:3]
    ] == [20, 280]
    opened = [attributes for tag, attributes in page.tags if tag == "details" and "open" in attributes]
    assert len(opened) == 1


def test_dots_lie_at_their_work_a_byte_and_a_second() -> None:
    def layer(ms: float, adds: int, moved: int) -> ShownLayer:
        return ShownLayer("n", "dense", "fp16", "", ms, None, "", adds, moved)

    stage = StageLayers("s", [layer(1.0, 500_000_000, 10_000_000), layer(2.0, 0, 10), layer(0.0, 5, 5)], True)
    (dot,) = dots_of([stage])
    assert (dot.intensity, dot.gops) == (100, 1000)
    drawing = roofline([dot, Dot(dot.layer, "s", 1.0, 10.0)], prediction(peak_gops=1000.0, bandwidth_gb_per_s=10.0))
    page = parsed(drawing)
    (corner, low) = numbers(page, "circle", "cx", "cy")
    roof = [
        tuple(map(float, pair.split(","))) for pair in re.findall(r'points="([^"]*)" class="roof"', drawing)[0].split()
    ]
    assert corner == roof[1]  # at the ridge, as 100 operations a byte at 10 GB/s are 1000 GOP/s
    assert low == roof[0]  # 1 operation a byte at 10 GB/s
    assert len(page.of("title")) == 3


def test_spans_lie_where_they_were() -> None:
    made = [
        Moment(name="read", thread="reader", start_ms=1000, ms=250, picture=7),
        Moment(name="stage:motion", thread="engine", start_ms=1500, ms=500),
        Moment(name="read", thread="reader", start_ms=2500, ms=250),
    ]
    page = parsed(timeline_section(made))
    (first, second) = numbers(page, "rect", "x", "width", "y")
    assert first[0] == 4  # the run's first span is at the left edge, whenever it was
    assert second[0] - first[0] == pytest.approx(2 * first[1], abs=0.2) and second[1] == pytest.approx(
        2 * first[1], abs=0.2
    )
    assert second[2] > first[2]  # a lane of its own
    assert page.of("title")[1:] == ["read: 250 ms at 0.000 ms, picture 7", "stage:motion: 500 ms at 500 ms"]
    assert "The first 1000 ms of the run" in page.of("p")[0] and page.of("li") == ["read", "stage:motion"]


def test_a_wide_timeline_has_times_written_on_every_screen_of_it() -> None:
    made = [Moment(name="read", thread="reader", start_ms=2.5 * number, ms=1) for number in range(400)]
    page = parsed(timeline_section(made))
    places = [float(found["x"]) for found in (attributes for tag, attributes in page.tags if tag == "text")][1:]
    assert page.of("text")[1] == "0 ms" and len(places) >= 2 * 3200 / 600
    assert max(b - a for a, b in zip(places, places[1:])) <= 300


def test_kinds_keep_their_colours_and_stages_get_others() -> None:
    colours = span_colours(["stage:b", "read", "stage:a", "decide"])
    assert len(set(colours.values())) == 4
    assert colours["read"] == span_colours(["read"])["read"] == 0
    assert list(colours) == ["read", "decide", "stage:b", "stage:a"]

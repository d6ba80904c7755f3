"""What a prediction answers first: whether the streams run in real time, and how many cameras there may be."""

from __future__ import annotations

import io

import pytest

from edgecvar.cli.report.predicted.devices import print_predictions
from edgecvar.cli.report.predicted.prediction import most_cameras, print_prediction, published_watts, verdict
from edgecvar.console import Console
from edgecvar.predict.prediction import Interval
from tests.cli.report.bench_page.jetson_session import prediction

WIDEST = 100
"""Columns of a terminal."""


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ((100, 150, 200), "enough for the 100 that they send, even by the lower bound"),
        ((99, 100, 200), "likely enough for the 100 that they send; not enough by the lower bound"),
        ((50, 99, 100), "likely not enough for the 100 that they send; enough only by the upper bound"),
        ((50, 60, 99), "not enough for the 100 that they send, even by the upper bound"),
    ],
)
def test_the_bounds_decide_whether_the_streams_fit(rate, said):
    predicted = prediction(streams=4, pictures_per_second=Interval(low=rate[0], likely=rate[1], high=rate[2]))
    stream = predicted.stream.model_copy(update={"fps": 25.0})
    assert verdict(predicted.model_copy(update={"stream": stream})) == said


@pytest.mark.parametrize(("cameras", "said"), [(0.97, "0"), (10.6, "10"), (64.0, "64"), (1519.2, "over 64")])
def test_cameras_are_whole_and_no_more_than_were_reckoned(cameras, said):
    assert most_cameras(prediction(cameras=cameras)) == said


def test_watts_have_their_range_and_unit():
    predicted = prediction(watts=15.0, least_watts=7.5, watts_source="the module's power range")
    assert published_watts(predicted) == "7.5 to 15 W (the module's power range)"
    assert published_watts(prediction(watts=None)) == ""


def test_the_answer_stands_before_the_tables():
    out = io.StringIO()
    print_prediction(prediction(), Console(file=out, width=WIDEST))
    text = out.getvalue()
    places = [text.index(each) for each in ("PREDICTED", "that it sends", "cameras of 25", "bottleneck", "bound by")]
    assert places == sorted(places)


def test_the_table_of_devices_fits_a_terminal(capsys):
    print_predictions([prediction(device="agx-xavier"), prediction(cameras=200.0)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "over 64" in line] and max(map(len, lines[1:4])) <= WIDEST

"""What trials say: whether they hold, what a stream costs, and what keeps more from holding."""

from __future__ import annotations

import io
import json

import pytest

from edgecvar.bench.streams.session import Camera, StreamsSession, Trial, Way, drift_of
from edgecvar.cli.report.streams.most import print_streams, streams_document
from edgecvar.console import Console

MIB = 1 << 20


def trial(streams=4, **changes):
    fields = {
        "streams": streams, "processes": 2, "seconds": 8.0, "decisions": 100, "latest_seconds": 0.2, "drift": 0.0,
        "left_out": 0, "cpu_seconds": 8.0, "loaded_bytes": 200 * MIB, "resident_bytes": 300 * MIB,
    }  # fmt: skip
    return Trial(**{**fields, **changes})


def late(streams, **changes):
    return trial(streams, **{"latest_seconds": 1.5, "cpu_seconds": 15.5, **changes})


def session(reading, decoding, **changes):
    fields = {
        "bundle": "tiny", "untrained": False, "runner": "onnxruntime", "precision": "fp32",
        "stage": "appearance", "seconds": 8.0, "cores": 2, "machine": {"cores": "2"},
        "cameras": [Camera(path="a.mp4", width=64, height=48, fps=25, every=4, gop_seconds=1)],
    }  # fmt: skip
    ways = {"reading": Way(name="reading", trials=reading), "decoding": Way(name="decoding", trials=decoding)}
    return StreamsSession(**{**fields, **ways, **changes})


def shown(session):
    out = io.StringIO()
    print_streams(session, Console(file=out, width=200))
    return out.getvalue()


def test_a_trial_holds_where_nothing_is_late_left_out_or_later_and_later():
    assert trial().holds and trial(latest_seconds=1.0, drift=1.0).holds
    for broken in ({"latest_seconds": 1.01}, {"drift": 1.01}, {"left_out": 1}):
        assert not trial(**broken).holds


def test_costs_are_those_of_one_stream():
    one = trial(4, seconds=8.0, cpu_seconds=6.4)
    assert one.cpu_per_stream_second == pytest.approx(0.2)
    assert one.bytes_per_stream == 25 * MIB
    assert one.busy(2) == pytest.approx(0.4)
    assert trial(resident_bytes=0).bytes_per_stream == 0


def test_delays_that_grow_are_seen_before_they_are_long():
    steady = [(second / 10, 0.1 + 0.02 * (second % 7)) for second in range(80)]
    assert abs(drift_of(steady, 8.0)) < 0.3
    growing = [(second / 10, 0.1 + second / 10 * 0.05) for second in range(80)]  # 50 ms a second
    assert drift_of(growing, 8.0) == pytest.approx(3.0, rel=0.1)
    assert drift_of([], 8.0) == drift_of([(1.0, 5.0)], 8.0) == 0.0


def test_the_best_holds_and_the_limit_is_the_fewest_that_do_not():
    way = Way(name="reading", trials=[trial(2), trial(4), late(8), late(8), late(5), trial(5), late(6), late(6)])
    assert way.streams == 5 and way.too_many.streams == 6
    assert way.limit(2) == "the processor, 97% busy: 6 come 1.5 s late"
    assert "not the processor, 24% busy, but the engine or Python's lock" in way.limit(8)
    shared = Way(name="reading", trials=[late(1, cpu_seconds=6.4, machine_busy=0.98)])
    assert shared.limit(2) == "the processor, of which other programs left 40%: 1 come 1.5 s late"
    behind = Way(name="reading", trials=[trial(2), trial(3, drift=4.0)])
    assert behind.limit(2).endswith("3 fall 4.0 s a minute behind")
    assert "1 come" in Way(name="reading", trials=[late(1)]).limit(2)


def test_what_ended_a_search_is_said_where_nothing_failed():
    assert Way(name="reading", trials=[trial(256)], ended="--most 256, which hold").limit(2) == "--most 256, which hold"


def test_the_report_has_both_ways_and_their_ratio():
    both = session([trial(8), late(9), late(9)], [trial(3), late(4), late(4)])
    text = shown(both)
    assert "reading the compressed video: 8 streams in real time, decoding all 3 streams: 2.67 times\n" in text
    assert "tried, decoding all: 3, 4 (fails), 4 (fails)" in text
    assert "12.5" in text  # MB a stream
    document = json.loads(json.dumps(streams_document(both), allow_nan=False))
    assert (document["reading"]["streams"], document["decoding"]["streams"]) == (8, 3)
    assert document["reading"]["cpu_seconds_per_stream_second"] == pytest.approx(1 / 8)
    assert [entry["holds"] for entry in document["decoding"]["trials"]] == [True, False, False]


def test_where_nothing_is_saved_the_report_says_so():
    assert "1.00 times: it saves nothing here" in shown(session([trial(3)], [trial(3)]))
    assert "not one stream in real time, decoding all 1 stream\n" in shown(session([late(1)], [trial(1)]))
    assert "UNTRAINED" in shown(session([trial(3)], [trial(3)], untrained=True))
    assert streams_document(session([late(1)], [late(1)]))["reading"]["bytes_per_stream"] is None


def test_cameras_of_other_rates_say_how_each_is_sampled():
    two = session([trial(4)], [trial(2)])
    assert "one of 4 pictures is sampled; decoding all" in shown(two)
    slow = two.cameras[0].model_copy(update={"every": 2})
    said = shown(two.model_copy(update={"cameras": [*two.cameras, slow]}))
    assert "one of 2 or 4 pictures, by the camera's rate, is sampled" in said

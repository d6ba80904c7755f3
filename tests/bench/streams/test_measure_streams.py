"""Trials are played in processes of their own; what they find does not depend on how fast this machine is."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from edgecvar.bench.streams import measure
from edgecvar.bench.streams.measure import StreamsConfig, measure_streams
from edgecvar.errors import StreamError
from tests.bench.streams.test_streams_session import late, trial
from tests.moving_clip import moving_clip
from tests.stream.known_clips import encode, translation
from tests.tiny_bundle import tiny_bundle

TIMES = {"fast": None, "slow": [5 * number for number in range(20)]}
"""In 25ths of a second."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=40)


def config(clip, bundle, **changes):
    return StreamsConfig(**{"paths": (clip,), "bundle": bundle, "seconds": 1.0, "runner": "onnx", **changes})


def played(monkeypatch, capacities):
    """Stands in for playing: so many streams hold of each way."""
    asked = []

    def run(self, way, streams):
        asked.append((way, streams))
        return trial(streams) if streams <= capacities[way] else late(streams)

    monkeypatch.setattr(measure._Trials, "run", run)
    return asked


def test_both_ways_are_searched_in_turn(monkeypatch, bundle, clip):
    asked, told = played(monkeypatch, {"reading": 6, "decoding": 1}), []
    session = measure_streams(config(clip, bundle, processes=2), lambda *step: told.append(step[2]))
    assert (session.reading.streams, session.decoding.streams) == (6, 1)
    assert asked[:4] == [("reading", 2), ("decoding", 2), ("reading", 4), ("decoding", 2)]
    assert told[:2] == ["reading the compressed video: 2 streams at a time", "decoding all: 2 streams at a time"]
    assert "1 stream at" in told[asked.index(("decoding", 1))]
    assert (session.stage, session.precision) == ("appearance", "fp32")
    assert [(each.fps, each.every, each.gop_seconds) for each in session.cameras] == [(25.0, 2, 12 / 25)]


def test_the_most_that_is_asked_for_and_memory_end_a_search(monkeypatch, bundle, clip):
    played(monkeypatch, {"reading": 100, "decoding": 100})
    session = measure_streams(config(clip, bundle, processes=2, most=5))
    assert session.reading.limit(2) == "--most 5, which hold"
    monkeypatch.setattr(measure, "available_bytes", lambda: 0.0)
    session = measure_streams(config(clip, bundle, processes=2))
    assert session.reading.limit(2).startswith("memory: 4 streams") and session.reading.streams == 2


def test_streams_are_dealt_to_processes_and_begin_out_of_step(bundle, clip, tmp_path):
    other = shutil.copy(clip, tmp_path / "other.mp4")
    trials = measure._Trials(measure.open_bundle(bundle), config(clip, bundle, paths=(clip, other), processes=2))
    trials.cores = 8
    shares = trials._shares("reading", 5)
    assert [[feed.path.name for feed in share.feeds] for share in shares] == [["right.mp4"] * 3, ["other.mp4"] * 2]
    offsets = sorted(feed.offset for share in shares for feed in share.feeds)
    assert offsets == pytest.approx([number / 5 * 12 / 25 for number in range(5)])  # over a GOP
    assert [len(trials._shares("decoding", streams)) for streams in (1, 2, 3)] == [1, 2, 2]
    threads = {streams: trials._shares("decoding", streams)[0] for streams in (1, 2, 5, 20)}
    assert {streams: share.threads for streams, share in threads.items()} == {1: 8, 2: 4, 5: 1, 20: 1}
    assert {streams: share.choice.threads for streams, share in threads.items()} == {1: 8, 2: 4, 5: 1, 20: 1}


def test_each_camera_is_sampled_by_its_own_rate(bundle, tmp_path):
    """As `edgecvar run` would: with a rate in the spec one of so many pictures of each as its own rate says."""
    texture = translation(20, (64, 96), (1, 0))
    paths = tuple(encode(tmp_path / f"{name}.mp4", texture, times=times) for name, times in TIMES.items())
    opened = measure.open_bundle(bundle)
    manifest = opened.manifest.model_copy(update={"input": opened.manifest.input.model_copy(update={"rate": 5.0})})
    trials = measure._Trials(replace(opened, manifest=manifest), config(paths[0], bundle, paths=paths, processes=1))
    assert [camera.every for camera in trials.cameras] == [5, 1]
    assert [feed.every for feed in trials._shares("reading", 3)[0].feeds] == [5, 1, 5]
    told = config(paths[0], bundle, paths=paths, every=3)
    assert [camera.every for camera in measure._Trials(opened, told).cameras] == [3, 3]


@pytest.mark.parametrize("way", ["reading", "decoding"])
def test_a_trial_plays_its_files_again_and_again(bundle, clip, way):
    """A clip of 1.6 s, measured for 2: it begins anew, and goes on."""
    trials = measure._Trials(measure.open_bundle(bundle), config(clip, bundle, seconds=2.0, processes=2))
    one = trials.run(way, 3)
    assert (one.streams, one.processes) == (3, 2)
    assert one.decisions and one.latest_seconds > 0 and one.cpu_seconds > 0
    assert 0 < one.loaded_bytes < one.resident_bytes
    assert one.machine_busy is None or 0 <= one.machine_busy <= 1
    if one.holds:  # each stream decides on every second picture of 50, but not in first windows
        assert 3 * 12 <= one.decisions <= 3 * 26


def test_what_a_camera_fails_with_is_raised(bundle, clip, tmp_path):
    still = moving_clip(tmp_path / "intra.mp4", pictures=60, g="1")
    with pytest.raises(StreamError, match=r"no decision in 1 s of it"):
        measure_streams(config(still, bundle))
    shutil.copy(clip, tmp_path / "gone.mp4")
    trials = measure._Trials(measure.open_bundle(bundle), config(tmp_path / "gone.mp4", bundle))
    (tmp_path / "gone.mp4").unlink()
    with pytest.raises(StreamError, match=r"gone\.mp4: no such file"):
        trials.run("reading", 1)

"""What is run for which picture, and in what order."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgecvar.errors import BundleError, StreamError
from edgecvar.run.decisions import softmax
from edgecvar.run.recognizer import AHEAD, RunOptions, recognize
from tests.run.scripted import APPEARANCE, LABELS, MOTION, RecordingRunner, ScriptedStream, manifest, run, stage

LONG = "IPPP" + "PPPP" + "PPPP" + "IPPP"
"""With gop_length 4: windows 0, 1, 2 of one I-picture (0), window 3 of another (12)."""


def test_an_appearance_is_computed_once_however_many_windows_and_samples_share_it():
    _, runner, summary = run(LONG)
    assert [seen["image"] for seen in runner.of("appearance")] == [0, 12]
    assert summary.sampled == len(runner.of("motion")) == 14


def test_the_first_window_looks_ahead_and_the_others_back():
    decisions, runner, _ = run("IPPP" + "IPP" + "IP")
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    assert pairs == [(1, 0, 4), (2, 0, 4), (3, 0, 4), (5, 4, 0), (6, 4, 0), (8, 7, 4)]
    assert [decision.decode_index for decision in decisions] == [1, 2, 3, 5, 6, 8]


def test_pieces_of_a_long_gop_are_each_others_neighbours():
    _, runner, _ = run(LONG)
    neighbours = {seen["motion"]: seen["adjacent"] for seen in runner.of("fuse")}
    assert [neighbours[picture] for picture in (1, 4, 8, 13)] == [0, 0, 0, 0]


def test_the_first_windows_samples_run_before_their_neighbour_is_read():
    _, runner, _ = run("IPPPIP")
    names = [name for name, _ in runner.calls]
    assert names[:7] == ["appearance"] + ["motion", "residual"] * 3
    assert names.index("fuse") == 8  # after the second window's appearance


def test_a_stream_of_one_window_is_its_own_neighbour():
    decisions, runner, summary = run("IPP")
    assert [(seen["motion"], seen["adjacent"]) for seen in runner.of("fuse")] == [(1, 0), (2, 0)]
    assert len(decisions) == summary.decisions == 2


def test_a_window_without_samples_still_counts_as_the_first():
    _, runner, _ = run("I" + "IP" + "IP")
    assert [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")] == [
        (2, 1, 0),
        (4, 3, 1),
    ]


@pytest.mark.parametrize(
    "every, expected",
    [(1, [1, 2, 3, 5, 6, 7, 9, 10]), (2, [1, 3, 5, 7, 9, 10]), (3, [1, 5, 6]), (4, [1, 6]), (100, [1])],
)
def test_one_of_every_k_pictures_is_sampled_and_no_i_picture(every, expected):
    decisions, _, summary = run("IPPPIPPPIPP", options=RunOptions(every=every))
    assert [decision.decode_index for decision in decisions] == expected
    assert summary.sampled == len(expected)
    strided, _, _ = run("IPPPIPPPIPP", stride=every)
    assert [decision.decode_index for decision in strided] == expected


def test_pictures_before_the_first_i_picture_are_counted_and_not_run():
    decisions, _, summary = run("PBIPP")
    assert [decision.decode_index for decision in decisions] == [3, 4]
    assert summary.skipped == 2 and summary.reasons == {"before the first I-picture": 2}
    assert summary.pictures == 5
    assert summary.stream_seconds == pytest.approx(0.4)


@pytest.mark.parametrize("script", ["", "IIII", "PPPP"])
def test_a_stream_without_anything_to_sample_ends_with_a_note(script):
    decisions, runner, summary = run(script)
    assert decisions == [] and runner.calls == []
    assert summary.complete and summary.note.startswith("no decision")
    assert summary.pictures == len(script)


def test_a_run_of_one_kind_samples_no_other_and_says_where_there_is_none():
    decisions, _, _ = run("IPBBPBB", pictures="p")
    assert [decision.decode_index for decision in decisions] == [1, 4]
    decisions, _, summary = run("IPPPP", pictures="b")
    assert not decisions and "none of 5 pictures is a B picture" in summary.note


def test_the_consensus_is_the_mean_of_the_newest_scores():
    scores = {1: [4.0, 0, 0], 2: [0, 2.0, 0], 3: [0, 6.0, 0], 4: [0, 0, 9.0]}
    runner = RecordingRunner(lambda picture: scores[picture])
    decisions, _, _ = run("IPPPP", runner=runner, options=RunOptions(top=2), consensus=2)
    means = [[4, 0, 0], [2, 1, 0], [0, 4, 0], [0, 3, 4.5]]
    for decision, mean in zip(decisions, means):
        expected = np.exp(mean) / np.exp(mean).sum()
        assert decision.label == LABELS[int(np.argmax(mean))]
        assert decision.probability == pytest.approx(expected.max())
        assert decision.top[0] == (decision.label, decision.probability)
        assert len(decision.top) == 2 and decision.top[0][1] >= decision.top[1][1]
    assert [list(decision.scores) for decision in decisions] == list(scores.values())


def test_softmax_survives_large_scores():
    assert softmax(np.array([1e4, 0.0, 1e4], np.float32)) == pytest.approx([0.5, 0, 0.5])


def test_without_an_adjacent_input_nothing_waits():
    fuse = stage(
        "fuse", "picture", ("appearance", "appearance", "current"), ("motion", "motion", "current"), output=[3]
    )
    runner = RecordingRunner()
    with recognize(ScriptedStream("IPPPPP"), manifest([APPEARANCE, MOTION, fuse]), runner) as recognition:
        first = next(iter(recognition))
    assert first.decode_index == 1
    assert [name for name, _ in runner.calls] == ["appearance", "motion", "fuse"]


def test_a_window_stage_can_give_the_scores():
    classify = stage("classify", "gop", ("appearance", "appearance", "current"), output=[3])
    runner = RecordingRunner(lambda picture: [0.0, 5.0, 0.0])
    decisions, runner, _ = run("IPPIP", [APPEARANCE, classify], runner)
    assert [decision.label for decision in decisions] == ["one"] * 3
    assert len(runner.of("classify")) == 2


def test_a_picture_stage_can_take_the_image_of_both_windows():
    fuse = stage(
        "fuse",
        "picture",
        ("image", "image", "current"),
        ("image_adjacent", "image", "adjacent"),
        ("motion", "motion", "current"),
        output=[3],
    )
    _, runner, _ = run("IPIP", [fuse])
    assert [(seen["image"], seen["image_adjacent"]) for seen in runner.of("fuse")] == [(0, 2), (2, 0)]


@pytest.mark.parametrize(
    "stages",
    [
        [stage("classify", "gop", ("motion", "motion", "current"), output=[3])],
        [stage("classify", "gop", ("image", "image", "adjacent"), output=[3])],
        [stage("classify", "picture", ("motion", "motion", "adjacent"), output=[3])],
        [MOTION, stage("classify", "picture", ("motion", "motion", "adjacent"), output=[3])],
        [MOTION, stage("classify", "gop", ("motion", "motion", "current"), output=[3])],
        [stage("classify", "gop", ("image", "image", "current", 2), output=[3])],
    ],
)
def test_stages_that_ask_for_what_is_not_there_are_refused(stages):
    with pytest.raises(BundleError, match="classify"):
        recognize(ScriptedStream("IP"), manifest(stages), RecordingRunner())


def test_only_what_a_stage_takes_is_computed():
    class Reluctant:
        parsed = None
        reference = True

        def motion(self):
            return None

        def residual(self):
            raise AssertionError("nobody asked for a residual")

        def planes(self):
            raise AssertionError("nobody asked for an image")

    class Careful(ScriptedStream):
        def __iter__(self):
            for picture in super().__iter__():
                motion = picture.motion
                content = Reluctant()
                content.motion = lambda motion=motion: motion
                yield type(picture)(
                    picture.decode_index,
                    picture.display_index,
                    picture.pts_seconds,
                    picture.kind,
                    picture.keyframe,
                    content,
                )

    classify = stage("classify", "picture", ("motion", "motion", "current"), output=[3])
    decisions, _, _ = run("", [classify], stream=Careful("IPPIP"))
    assert len(decisions) == 3


def test_stages_run_in_the_callers_thread_and_reading_does_not():
    threads = set()
    stream = ScriptedStream("IPPIP", on_read=lambda index: threads.add(threading.current_thread()))
    _, runner, _ = run("", stream=stream)
    assert runner.threads == {threading.current_thread()}
    assert len(threads) == 1 and threads != runner.threads


def test_in_turn_the_callers_thread_reads_too_and_decides_the_same():
    threads = set()
    stream = ScriptedStream(LONG, on_read=lambda index: threads.add(threading.current_thread()))
    own = RecordingRunner()
    with recognize(stream, manifest(), own, RunOptions(in_turn=True)) as recognition:
        decisions = list(recognition)
    expected, other, _ = run(LONG)
    assert threads == own.threads == {threading.current_thread()} and own.calls == other.calls
    assert [each.scores.tolist() for each in decisions] == [each.scores.tolist() for each in expected]
    assert recognition.summary.complete


def test_what_is_read_in_turn_can_be_left_and_fail():
    stream = ScriptedStream("I" + "P" * 200)
    with recognize(stream, manifest(), RecordingRunner(), RunOptions(in_turn=True)) as recognition:
        next(iter(recognition))
        recognition.leave()
    assert stream.given < 20 and recognition.summary.ended == "closed"
    broken = ScriptedStream("IPP", error=StreamError("gone"))
    recognition = recognize(broken, manifest(), RecordingRunner(), RunOptions(in_turn=True))
    with pytest.raises(StreamError, match="gone"), recognition:
        list(recognition)
    assert recognition.summary.ended == "gone" and recognition.summary.pictures == 3


@pytest.mark.parametrize("in_turn", [False, True])
def test_a_run_that_is_left_leaves_no_thread(in_turn):
    before = set(threading.enumerate())
    stream = ScriptedStream("I" + "P" * 200)
    with recognize(stream, manifest(), RecordingRunner(), RunOptions(in_turn=in_turn)) as recognition:
        next(iter(recognition))
    assert set(threading.enumerate()) == before


def test_the_reader_runs_ahead_by_a_bounded_number_of_samples():
    stream = ScriptedStream("I" + "P" * 200)
    ahead = []

    class Watching(RecordingRunner):
        def launch(self, stage, inputs):
            time.sleep(0.001)
            ahead.append(stream.given)
            return super().launch(stage, inputs)

    runner = Watching()
    run("", [stage("classify", "picture", ("motion", "motion", "current"), output=[3])], runner, stream=stream)
    # Queued, plus the one being run and the one being put or read.
    assert max(given - picture for picture, given in enumerate(ahead, start=1)) <= AHEAD + 3
    assert len(ahead) == 200


def test_only_scores_leave_the_device():
    decisions, runner, _ = run(LONG)
    assert runner.fetched == ["fuse"] * len(decisions) and len(decisions) == 14


def test_the_clock_sees_every_part_under_its_name():
    from contextlib import contextmanager

    class Counting:
        def __init__(self):
            self.names = []

        @contextmanager
        def span(self, name, picture=None):
            yield
            self.names.append(name)

    clock = Counting()
    run("IPPIP", options=RunOptions(clock=clock))
    counts = {name: clock.names.count(name) for name in set(clock.names)}
    assert counts == {
        "read": 6,  # five pictures and the end
        "parse": 3,
        "prepare": 3,
        "image": 2,
        "stage:appearance": 2,
        "stage:motion": 3,
        "stage:residual": 3,
        "stage:fuse": 3,
        "decide": 3,
    }


def test_a_watcher_sees_every_picture_with_its_velocity():
    class Notes:
        def __init__(self):
            self.seen = []

        def picture(self, picture, velocity):
            self.seen.append((picture.decode_index, None if velocity is None else velocity[0, 0, 0]))

    notes = Notes()
    run("PIPP", options=RunOptions(watcher=notes, every=100))
    assert notes.seen == [(0, None), (1, None), (2, pytest.approx(0.5)), (3, pytest.approx(0.75))]

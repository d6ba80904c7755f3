"""What is run for which picture, in what order, and how a run ends."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.errors import BundleError, StreamError
from edgecvar.run.decisions import softmax
from edgecvar.run.recognizer import AHEAD, RunOptions, recognize
from edgecvar.stream.types import Break
from tests.run.scripted import APPEARANCE, INFO, LABELS, MOTION, SPEC, RecordingRunner, ScriptedStream, manifest, stage

DEFAULT = RunOptions()
LONG = "IPPP" + "PPPP" + "PPPP" + "IPPP"
"""With gop_length 4: windows 0, 1, 2 of one I-picture (0), window 3 of another (12)."""


def run(script, stages=None, runner=None, options=DEFAULT, stream=None, **spec):
    runner = runner or RecordingRunner()
    stream = stream or ScriptedStream(script)
    document = manifest(**spec) if stages is None else manifest(stages, **spec)
    with recognize(stream, document, runner, options) as recognition:
        decisions = list(recognition)
    return decisions, runner, recognition.summary


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "edgecvar-reader"]


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
    [(1, [1, 2, 3, 5, 6, 7, 9, 10]), (2, [1, 2, 5, 6, 9, 10]), (3, [1, 3, 6, 9]), (4, [1, 5, 9]), (100, [1])],
)
def test_every_kth_picture_is_sampled_and_the_next_one_where_that_is_an_i_picture(every, expected):
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
    reached = []
    stream = ScriptedStream("IPPPPP", on_read=reached.append)
    runner = RecordingRunner()
    with recognize(stream, manifest([APPEARANCE, MOTION, fuse]), runner) as recognition:
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
        def motion(self):
            return None

        def residual(self):
            raise AssertionError("nobody asked for a residual")

        def image(self):
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


def test_an_error_of_the_reader_reaches_the_caller_after_what_was_read():
    seen = []
    stream = ScriptedStream("IPPIP", error=StreamError("broken at picture 5"))
    recognition = recognize(stream, manifest(), RecordingRunner())
    with pytest.raises(StreamError, match="broken at picture 5"), recognition:
        for decision in recognition:
            seen.append(decision.decode_index)
    assert seen == [1, 2, 4]
    assert recognition.summary.ended == "broken at picture 5" and not recognition.summary.complete
    assert readers() == []


def test_leaving_early_ends_the_reader_thread():
    stream = ScriptedStream("I" + "P" * 100_000)
    with recognize(stream, manifest(), RecordingRunner()) as recognition:
        for _ in recognition:
            break
    assert readers() == []
    assert stream.given < 100
    assert recognition.summary.ended == "closed"


def test_a_summary_under_way_says_so_and_at_the_end_nothing():
    with recognize(ScriptedStream("IPP"), manifest(), RecordingRunner()) as recognition:
        decisions = iter(recognition)
        next(decisions)
        assert recognition.summary.ended == "under way"
        assert len(list(decisions)) == 1
    assert recognition.summary.ended == "" and recognition.summary.complete


def test_a_run_closed_while_it_waits_is_not_complete():
    waits, leave = threading.Event(), threading.Event()
    stream = ScriptedStream("IPPPPP", on_read=lambda index: index < 4 or (waits.set(), leave.wait(60)))
    with recognize(stream, manifest(), RecordingRunner(), RunOptions(release=leave.set)) as recognition:
        closing = threading.Thread(target=lambda: waits.wait(60) and recognition.close())
        closing.start()
        list(recognition)
        closing.join(60)
    assert recognition.summary.ended == "closed"


def test_breaking_out_of_a_plain_loop_ends_the_reader_thread_too():
    stream = ScriptedStream("I" + "P" * 100_000)
    for _ in recognize(stream, manifest(), RecordingRunner()):
        break
    assert readers() == []


def test_the_feed_can_be_left_after_any_picture():
    stream = ScriptedStream("PIPPP")
    feed = Feed(stream, SPEC, Demand(frozenset({"motion"}), False, 100), NoClock())
    given = [(stream.given, message is None) for message in feed.messages()]
    assert given == [(1, True), (2, True), (3, False), (4, True), (5, True)]


def test_a_reader_that_waits_for_its_source_is_released():
    more = threading.Event()
    stream = ScriptedStream("IPPIPPPP", on_read=lambda index: index < 6 or more.wait(60))
    for _ in recognize(stream, manifest(), RecordingRunner(), RunOptions(release=more.set)):
        break
    assert more.is_set() and readers() == []


def test_an_error_of_the_runner_ends_the_reader_thread():
    class Failing(RecordingRunner):
        def launch(self, stage, inputs):
            raise RuntimeError("engine failed")

    recognition = recognize(ScriptedStream("I" + "P" * 1000), manifest(), Failing())
    with pytest.raises(RuntimeError, match="engine failed"), recognition:
        list(recognition)
    assert recognition.summary.ended == "engine failed"
    assert readers() == []


def test_stages_run_in_the_callers_thread_and_reading_does_not():
    threads = set()
    stream = ScriptedStream("IPPIP", on_read=lambda index: threads.add(threading.current_thread()))
    _, runner, _ = run("", stream=stream)
    assert runner.threads == {threading.current_thread()}
    assert len(threads) == 1 and threads != runner.threads


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


def test_a_recognition_is_iterated_once():
    with recognize(ScriptedStream("IP"), manifest(), RecordingRunner()) as recognition:
        list(recognition)
        with pytest.raises(RuntimeError, match="once"):
            iter(recognition)


def test_the_clock_sees_every_part_under_its_name():
    from contextlib import contextmanager

    class Counting:
        def __init__(self):
            self.names = []

        @contextmanager
        def span(self, name):
            yield
            self.names.append(name)

    clock = Counting()
    run("IPPIP", options=RunOptions(clock=clock))
    counts = {name: clock.names.count(name) for name in set(clock.names)}
    assert counts == {
        "read": 6,  # five pictures and the end
        "prepare": 4,  # three samples and the second window's I-picture
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


def histories(runner, name):
    return [seen[name] for seen in runner.of("classify")]


def test_a_clip_is_the_newest_samples_and_the_first_stands_in_for_those_missing():
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), output=[3])
    decisions, runner, _ = run("IPPPPIP", [classify])
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 6)]
    assert [decision.decode_index for decision in decisions] == [1, 2, 3, 4, 6]


def test_a_clip_is_in_display_order():
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), output=[3])
    stream = ScriptedStream("IPBBPBB", shown=[0, 3, 1, 2, 6, 4, 5])
    decisions, runner, _ = run("", [classify], stream=stream)
    assert histories(runner, "motion") == [(1, 1, 1), (2, 2, 1), (2, 3, 1), (2, 3, 4), (3, 5, 4), (5, 6, 4)]
    assert [decision.display_index for decision in decisions] == [1, 2, 3, 4, 5, 6]


def test_a_clip_of_a_stages_outputs_is_handed_over_as_launched_and_each_is_run_once():
    classify = stage("classify", "picture", ("motion", "motion", "current", 2), output=[3])
    _, runner, _ = run("IPPP", [MOTION, classify])
    assert histories(runner, "motion") == [(1, 1), (1, 2), (2, 3)]
    assert [seen["motion"] for seen in runner.of("motion")] == [1, 2, 3]
    assert runner.fetched == ["classify"] * 3


def test_images_of_a_clip_are_those_of_each_samples_own_window():
    classify = stage(
        "classify", "picture", ("image", "image", "current", 3), ("motion", "motion", "current"), output=[3]
    )
    _, runner, _ = run("IPPP" + "IP", [classify])
    assert histories(runner, "image") == [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 4)]
    of_stage = stage("classify", "picture", ("features", "appearance", "current", 2), output=[3])
    _, runner, _ = run("IP" + "IPP" + "IP", [APPEARANCE, of_stage])
    assert histories(runner, "features") == [(0, 0), (0, 2), (2, 2), (2, 5)]
    assert len(runner.of("appearance")) == 3


def test_a_clip_that_waits_for_its_first_neighbour_is_made_of_the_same_samples():
    """The first window's samples have all been started before the first of them is finished."""
    classify = stage(
        "classify",
        "picture",
        ("motion", "motion", "current", 3),
        ("residual", "residual", "current", 2),
        ("image_adjacent", "image", "adjacent", 3),
        output=[3],
    )
    _, runner, _ = run("IPPP" + "IP" + "IP", [MOTION, classify])
    names = [name for name, _ in runner.calls]
    assert names[:4] == ["motion"] * 3 + ["classify"]
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 5), (3, 5, 7)]
    assert histories(runner, "residual") == [(1, 1), (1, 2), (2, 3), (3, 5), (5, 7)]
    assert histories(runner, "image_adjacent") == [(4, 4, 4), (4, 4, 4), (4, 4, 4), (4, 4, 0), (4, 0, 4)]


def test_stages_that_name_their_inputs_alike_have_histories_of_their_own():
    clip = stage("clip", "picture", ("motion", "motion", "current", 2), output=[1])
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), ("clip", "clip", "current"), output=[3])
    _, runner, _ = run("IPPPP", [clip, classify])
    assert [seen["motion"] for seen in runner.of("clip")] == [(1, 1), (1, 2), (2, 3), (3, 4)]
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_a_clip_of_clips_reaches_back_twice():
    clip = stage("clip", "picture", ("motion", "motion", "current", 2), output=[1])
    classify = stage("classify", "picture", ("clip", "clip", "current", 2), output=[3])
    _, runner, _ = run("IPPP", [clip, classify])
    assert [seen["motion"] for seen in runner.of("clip")] == [(1, 1), (1, 2), (2, 3)]
    assert histories(runner, "clip") == [(1, 1), (1, 2), (2, 3)]


def test_each_stream_has_a_history_of_its_own():
    classify = stage("classify", "picture", ("motion", "motion", "current", 2), output=[3])
    runner = RecordingRunner()
    for _ in range(2):
        run("IPP", [classify], runner)
    assert histories(runner, "motion") == [(1, 1), (1, 2)] * 2


class Spoilt(RecordingRunner):
    """From the third picture's scores on, what is fetched of one stage, and of the scores, is `value`."""

    def __init__(self, stage, value):
        super().__init__()
        self._stage, self._value = stage, value

    def fetch(self, value):
        output = super().fetch(value)
        late = self.fetched.count("fuse") >= 3
        return np.full_like(output, self._value) if late and value.stage in (self._stage, "fuse") else output


@pytest.mark.parametrize("spoilt, value", [("fuse", np.nan), ("fuse", np.inf), ("fuse", -np.inf), ("motion", np.nan)])
def test_scores_that_are_no_numbers_are_an_error_and_no_decision(spoilt, value):
    said = pytest.raises(BundleError, match=rf"stage {spoilt}: NaN or infinity for picture 4 \(0\.\d0 s\)")
    with recognize(ScriptedStream("IPP" + "IPP"), manifest(), Spoilt(spoilt, value), DEFAULT) as recognition, said:
        list(recognition)
    assert recognition.summary.decisions == 2


JUMP = Break("timestamps jumped ahead", INFO)
RESIZED = Break("picture size changed", replace(INFO, width=128, height=128, coded_width=128, coded_height=128))


def test_no_window_reaches_over_a_break():
    stream = ScriptedStream("IPP" + "IP" + "IPP" + "IP", breaks={5: JUMP})
    decisions, runner, summary = run("", stream=stream)
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    assert pairs == [(1, 0, 3), (2, 0, 3), (4, 3, 0), (6, 5, 8), (7, 5, 8), (9, 8, 5)]
    assert [decision.opens for decision in decisions] == ["", "", "", JUMP.reason, "", ""]
    assert summary.breaks == {JUMP.reason: 1}


def test_a_part_of_one_window_is_its_own_neighbour():
    decisions, runner, _ = run("", stream=ScriptedStream("IPP" + "IP" + "IPIP", breaks={3: JUMP, 5: JUMP}))
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    assert pairs == [(1, 0, 0), (2, 0, 0), (4, 3, 3), (6, 5, 7), (8, 7, 5)]
    assert [decision.opens for decision in decisions] == ["", "", JUMP.reason, JUMP.reason, ""]


def test_a_clock_that_jumps_inside_a_gop_keeps_its_i_picture():
    _, runner, summary = run("", stream=ScriptedStream("IPPPPP", breaks={3: JUMP}))
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    assert pairs == [(number, 0, 0) for number in (1, 2, 3, 4, 5)] and summary.skipped == 0


def test_pictures_of_another_size_are_prepared_for_it_and_wait_for_an_i_picture():
    decisions, runner, summary = run("", stream=ScriptedStream("IPP" + "P" + "IPIP", breaks={3: RESIZED}))
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    # A vector of so many pixels is half as far in a picture of twice the size.
    assert pairs == [(1, 0, 0), (2, 0, 0), (2, 4, 6), (4, 6, 4)]
    assert [decision.decode_index for decision in decisions] == [1, 2, 5, 7]
    assert summary.reasons == {"before the first I-picture": 1} and summary.breaks == {RESIZED.reason: 1}


def test_consensus_and_clips_begin_again_after_a_break():
    classify = stage("classify", "picture", ("motion", "motion", "current", 3), output=[3])
    runner = RecordingRunner(lambda clip: [float(clip[-1] < 4), float(clip[-1] >= 4), 0.0])
    stream = ScriptedStream("IPP" + "IPP", breaks={3: JUMP})
    decisions, runner, _ = run("", [classify], runner, stream=stream, consensus=8)
    assert histories(runner, "motion") == [(1, 1, 1), (1, 1, 2), (4, 4, 4), (4, 4, 5)]
    assert len({decision.probability for decision in decisions}) == 1


def test_hidden_pictures_are_neither_sampled_nor_counted_and_lend_their_i_picture():
    stream = ScriptedStream("IPPP" + "PPIP", hidden=[0, 1, 2, 4, 6])
    decisions, runner, summary = run("", stream=stream)
    assert [(seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")] == [(0, 6), (0, 6), (6, 0)]
    assert [decision.decode_index for decision in decisions] == [3, 5, 7]
    assert (summary.pictures, summary.hidden, summary.skipped) == (3, 5, 0)
    assert summary.stream_seconds == pytest.approx(0.4)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_decisions_come_in_display_order_as_soon_as_none_can_come_before(every):
    script, shown = "I" + "PBB" * 6, [0, *(3 * group + place for group in range(6) for place in (3, 1, 2))]
    stream = ScriptedStream(script, shown=shown)
    decided = []
    with recognize(stream, manifest([MOTION, CLASSIFY]), RecordingRunner(), RunOptions(every=every)) as recognition:
        for decision in recognition:
            decided.append(decision.display_index)
    assert decided == sorted(decided)
    assert len(decided) == recognition.summary.sampled >= 18 // every


def test_a_break_between_reordered_pictures_does_not_turn_their_decisions_round():
    """The picture displayed as 3 opens a part, whose first window it waits in; the one displayed as 4 came before."""
    stream = ScriptedStream("IPPBB" + "IP", shown=[0, 1, 4, 2, 3, 5, 6], breaks={4: JUMP})
    decisions, _, _ = run("", stream=stream)
    assert [decision.display_index for decision in decisions] == [1, 2, 3, 4, 6]


def test_a_decision_waits_for_no_more_than_what_is_displayed_before_it():
    gate = threading.Event()
    stream = ScriptedStream("IPBBP", shown=[0, 3, 1, 2, 4], on_read=lambda index: index < 4 or gate.wait(10))
    with recognize(stream, manifest([MOTION, CLASSIFY]), RecordingRunner(), RunOptions(every=9)) as recognition:
        first = next(iter(recognition))  # picture 4 has not been read: nothing else is waited for
        assert first.display_index == 3 and not gate.is_set()
        gate.set()


CLASSIFY = stage("classify", "picture", ("motion", "motion", "current"), output=[3])

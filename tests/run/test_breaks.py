"""Streams that break, hide pictures or reorder them: what belongs together, and the order of decisions."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.stream.types import RECONNECTED, Break
from tests.run.scripted import INFO, MOTION, RecordingRunner, ScriptedStream, histories, manifest, run, stage

CLASSIFY = stage("classify", "picture", ("motion", "motion", "current"), output=[3])


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


def test_no_i_picture_is_kept_over_a_reconnection():
    """It is of another time, and the first pictures of a connection may refer to what never came."""
    back = Break(RECONNECTED, INFO)
    _, runner, summary = run("", stream=ScriptedStream("IPP" + "P" + "IPIP", breaks={3: back}))
    pairs = [(seen["motion"], seen["appearance"], seen["adjacent"]) for seen in runner.of("fuse")]
    assert pairs == [(1, 0, 0), (2, 0, 0), (5, 4, 6), (7, 6, 4)]
    assert summary.reasons == {"before the first I-picture": 1} and summary.breaks == {RECONNECTED: 1}


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
    with recognize(stream, manifest([MOTION, CLASSIFY]), RecordingRunner()) as recognition:
        decisions = iter(recognition)
        assert [next(decisions).display_index for _ in range(3)] == [
            1,
            2,
            3,
        ] and stream.given == 4  # the last has not been read
        gate.set()

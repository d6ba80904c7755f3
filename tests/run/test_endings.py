"""How a run ends: at its stream's end, by an error, or because its caller leaves; no thread is left behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgecvar.errors import BundleError, StreamError
from edgecvar.run.recognizer import RunOptions, recognize
from tests.run.scripted import RecordingRunner, ScriptedStream, manifest


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "edgecvar-reader"]


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


def test_a_recognition_is_iterated_once():
    with recognize(ScriptedStream("IP"), manifest(), RecordingRunner()) as recognition:
        list(recognition)
        with pytest.raises(RuntimeError, match="once"):
            iter(recognition)


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
    with recognize(ScriptedStream("IPP" + "IPP"), manifest(), Spoilt(spoilt, value)) as recognition, said:
        list(recognition)
    assert recognition.summary.decisions == 2

"""A device that is slower than its camera: what is left out is counted, and no P-picture falls alone."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Dict, List

import numpy as np

from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.stream.live import LiveStream, Patience
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.attempt import MOST_IN_A_ROW, Attempt
from tests.run.scripted import INFO, Launched, RecordingRunner, ScriptedStream, manifest, stage

CLASSIFY = stage("classify", "picture", ("motion", "motion", "current"), output=[3])
LATE = 0.1


class Slow(RecordingRunner):
    """A stage takes `seconds`; scores are the same always."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def launch(self, stage: str, inputs: Dict[str, Any]) -> Launched:
        time.sleep(self._seconds)
        return Launched(stage, np.zeros((1, 3), np.float32))


def test_a_slow_runner_is_given_less_and_says_what_it_left_out() -> None:
    opening = partial(open_stream, timeout=20, on_demand=True)
    patience = Patience(reconnect=False, late=LATE)
    kinds: List[str] = []

    class Watcher:
        def picture(self, picture: Any, velocity: Any) -> None:
            kinds.append(picture.kind)
            exact = picture.motion is None or picture.motion.exact
            broken.append(not exact)

    broken: List[bool] = []
    with LiveStream("test://?size=96x64&fps=60&gop=15", opening, patience) as stream:
        options = RunOptions(release=stream.leave, late=LATE, watcher=Watcher())
        assert stream.info.extraction == "native"
        with recognize(stream, manifest([CLASSIFY]), Slow(0.25), options) as recognition:
            decisions = []
            for decision in recognition:
                decisions.append(decision)
                if len(decisions) == 8:
                    break
    live = recognition.summary.live
    assert live is not None and live.thinned > 0 and live.dropped > 0
    assert not any(broken)  # packets fell up to an I-picture
    assert recognition.summary.sampled < recognition.summary.pictures


def test_a_file_is_never_thinned() -> None:
    with recognize(ScriptedStream("I" + "P" * 40), manifest([CLASSIFY]), Slow(0.01)) as recognition:
        assert len(list(recognition)) == 40
    assert recognition.summary.live is None and INFO.fps == 10


class Packet:
    def __init__(self, kind: str) -> None:
        self.is_keyframe, self.size, self.kind = kind == "I", 100 * (kind != "E"), kind


def taken(kinds: str, waits: str, late: Any = 1.0) -> str:
    """What of the packets is given to a reader; of an L it is late."""
    attempt = Attempt("camera", late)
    now = time.perf_counter()
    packets = [(Packet(kind), now - 100 if wait == "L" else now + 100) for kind, wait in zip(kinds, waits)]
    given = "".join(packet.kind if attempt.takes(packet, at) else "-" for packet, at in packets)  # type: ignore[arg-type]
    assert attempt.dropped == given.count("-")
    return given


def test_packets_fall_up_to_an_i_picture_that_is_young() -> None:
    assert taken("IPPPIPPIPE", "..L.......") == "IP--IPPIPE"
    assert taken("IPPPIPPIPE", "..LLL.....") == "IP-----IPE"
    assert taken("IPPPE", "LLLLL") == "----E"
    assert taken("IPPP", "LLLL", None) == "IPPP"
    kinds = "I" + "P" * (MOST_IN_A_ROW + 10)  # intra refresh: no I-picture ever comes
    assert taken(kinds, ".L" + "." * (len(kinds) - 2)) == "I" + "-" * MOST_IN_A_ROW + "P" * 10


def test_a_full_queue_lets_them_fall_in_the_same_way() -> None:
    attempt = Attempt("camera", 1.0)
    full = [False, False, True, False, False, False]
    kept = [attempt.enters(Packet(kind), each) for kind, each in zip("IPPPIP", full)]  # type: ignore[arg-type]
    assert kept == [True, True, False, False, True, True] and attempt.dropped == 2
    assert Attempt("clip").enters(Packet("P"), True)  # type: ignore[arg-type]

"""A live source over several connections, which are written down: numbers, times, counts, and when it ends."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, List, Optional

import pytest

from edgecvar.errors import ConfigError, RefusedError, StreamError
from edgecvar.stream.live import LiveStream, Patience
from edgecvar.stream.live import absence as absences
from edgecvar.stream.types import MOST_REASONS, StreamSummary
from tests.run.scripted import INFO, ScriptedStream

URI = "rtsp://user:secret@camera/live"
NAME = "rtsp://user:***@camera/live"
QUICK = Patience(first=0.001, longest=0.002)


class Closing(ScriptedStream):
    closed = False

    def close(self) -> None:
        self.closed = True


class Connections:
    """Opens what is next in a list, an error or the pictures of a script; the last of them lasts."""

    def __init__(self, *plan: Any) -> None:
        self.plan = list(plan)
        self.opened: List[Closing] = []

    def __call__(self, source: Any) -> Any:
        assert source.uri == URI and source.name == NAME
        entry = self.plan.pop(0)
        if isinstance(entry, BaseException):
            raise entry
        self.opened.append(entry)
        return entry


def scripted(script: str, error: Optional[Exception] = None, **options: Any) -> Closing:
    return Closing(script, error, **options)


AWAY = StreamError(f"{NAME}: not a video that can be opened (refused); check")


def test_numbers_and_times_go_on_and_everything_is_counted() -> None:
    plan = Connections(
        AWAY,
        scripted("IPPBB", StreamError(f"{NAME}: nothing came for 4 s"), shown=[0, 3, 6, 1, 2]),
        AWAY,
        AWAY,
        scripted("PIP"),
        RefusedError(f"{NAME}: 401"),
        scripted("IPPP", RuntimeError("the end of this test")),
    )
    said: List[str] = []
    stream = LiveStream(URI, plan, QUICK, said.append)
    assert plan.plan[0] is AWAY  # nothing was opened yet
    pictures = []
    with pytest.raises(RuntimeError), stream:
        assert stream.info == INFO
        for picture in stream:
            pictures.append(picture)
    assert [picture.decode_index for picture in pictures] == list(range(12))
    assert [picture.display_index for picture in pictures] == [0, 3, 6, 1, 2, 7, 8, 9, 10, 11, 12, 13]
    assert [(at, p.opens.reason) for at, p in enumerate(pictures) if p.opens] == [
        (5, "reconnected"),
        (8, "reconnected"),
    ]
    times = [picture.pts_seconds for picture in sorted(pictures, key=lambda picture: picture.display_index)]
    assert all(early < late for early, late in zip(times, times[1:]))
    counts = stream.summary
    assert counts.pictures == 12 and counts.breaks == {"reconnected": 2}
    assert counts.live is not None and counts.live.reconnections == 2
    refused = "not a video that can be opened (refused); check"
    expected = {refused: 3, "nothing came for 4 s": 1, "the stream ended": 1, "401": 1}
    assert counts.live.failures == expected
    assert all(each.closed for each in plan.opened) and len(plan.opened) == 3
    assert not any("secret" in line for line in said)
    # Once for each reason while it is away, and once when it is back.
    assert [line.split(": ")[1].split(";")[0] for line in said] == [
        "not a video that can be opened (refused)",
        "there, after 0.0 s",
        "nothing came for 4 s",
        "not a video that can be opened (refused)",
        "there, after 0.0 s",
        "the stream ended",
        "401",
        "there, after 0.0 s",
    ]


def test_the_pauses_grow_are_bounded_and_begin_anew_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(absences.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(absences.random, "random", lambda: 0.0)
    absence = absences.Absence(NAME, Patience(), lambda line: None)
    assert [absence.pause(AWAY) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert absence.pause(RefusedError(f"{NAME}: 404")) == 30
    now[0] = 100.0
    assert absence.over() and not absence.over()
    now[0] = 110.0  # too soon: it comes and goes
    absence.begins()
    assert absence.pause(AWAY) == 30
    absence.over()
    now[0] = 150.0
    absence.begins()
    assert absence.pause(AWAY) == 1
    assert absence.seconds == pytest.approx(100.0)
    monkeypatch.setattr(absences.random, "random", lambda: 1.0)
    assert absence.pause(AWAY) == pytest.approx(2 * (1 - absences.JITTER))


def test_the_last_attempt_is_when_it_has_been_waited_for_as_long_as_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(absences.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(absences.random, "random", lambda: 0.0)
    absence = absences.Absence(NAME, Patience(wait=5), lambda line: None)
    for pause in (1, 2, 2):
        assert absence.pause(AWAY) == pause
        now[0] += pause
    with pytest.raises(StreamError, match=r"given up, as it was away for 5 s \(--wait 5\)"):
        absence.pause(AWAY)


def test_a_source_of_another_size_than_was_known_opens_a_break_before_its_first_picture() -> None:
    other = scripted("IPP", RuntimeError("the end of this test"))
    other.info = replace(INFO, width=128, height=128)
    stream, pictures = LiveStream(URI, Connections(scripted(""), other), QUICK), []
    assert stream.info == INFO
    with pytest.raises(RuntimeError):
        for picture in stream:
            pictures.append(picture)
    assert [picture.opens is not None and picture.opens.info == other.info for picture in pictures] == [
        True,
        False,
        False,
    ]
    assert [picture.decode_index for picture in pictures] == [0, 1, 2]


def test_reasons_are_bounded() -> None:
    counts, more = StreamSummary(), StreamSummary()
    for number in range(1000):
        counts.skip(f"reason {number}")
        counts.conceal(f"damage {number}")
        more.skip(f"another {number}")
    both = counts.and_of(more)
    assert len(both.reasons) == len(both.damage) == MOST_REASONS + 1
    assert sum(both.reasons.values()) == both.skipped == 2000 and sum(both.damage.values()) == 1000
    absence = absences.Absence(NAME, QUICK, lambda line: None)
    for number in range(100):
        absence.pause(StreamError(f"{NAME}: reason {number}"))
    assert len(absence.failures) == 17 and sum(absence.failures.values()) == 100


@pytest.mark.parametrize("error", [None, StreamError(f"{NAME}: nothing came")])
def test_without_reconnecting_it_ends_as_the_stream_does(error: Optional[StreamError]) -> None:
    stream = LiveStream(URI, Connections(scripted("IPP", error)), replace(QUICK, reconnect=False))
    pictures = []
    try:
        pictures += stream
        assert error is None
    except StreamError as raised:
        assert raised is error
    assert stream.summary.pictures == 3


def test_what_it_cannot_be_asked_for_is_raised_at_once() -> None:
    with pytest.raises(ConfigError), LiveStream(URI, Connections(ConfigError("no")), QUICK) as stream:
        _ = stream.info


def test_it_is_left_while_it_pauses() -> None:
    stream = LiveStream(URI, Connections(AWAY), Patience(first=1000, longest=1000))
    outcome: List[str] = []

    def ask() -> None:
        with pytest.raises(StreamError) as caught:
            _ = stream.info
        outcome.append(str(caught.value))

    thread = threading.Thread(target=ask)
    thread.start()
    while not (stream.summary.live and stream.summary.live.failures):
        pass
    stream.close()
    thread.join(30)
    assert outcome == [f"{NAME}: it was closed before it could be opened"]


class Ending(LiveStream):
    """Its connection ends in another thread while its counts are asked for, unless that has to wait."""

    ends: Optional[threading.Thread] = None
    asked = False

    @property
    def _past(self) -> StreamSummary:
        stream = self._stream
        if self.asked and self.ends is None and stream is not None:
            self.ends = threading.Thread(target=self._let_go, args=(stream,))
            self.ends.start()
            self.ends.join(0.2)
        return self.known

    @_past.setter
    def _past(self, known: StreamSummary) -> None:
        self.known = known


def test_no_connection_is_counted_twice_while_it_ends() -> None:
    with Ending(URI, Connections(scripted("IPPP")), QUICK) as stream:
        picture = iter(stream)
        assert [next(picture).kind for _ in range(4)] == list("IPPP")
        stream.asked = True
        assert stream.summary.pictures == 4 and stream.ends is not None
        stream.ends.join(10)
        assert stream.summary.pictures == 4
        stream.leave()
        picture.close()  # type: ignore[attr-defined]

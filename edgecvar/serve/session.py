"""One run of one source: its decisions become events, and all who are to hear of them do."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.event_settings import EventSettings
from edgecvar.run.events import Event, EventTracker
from edgecvar.run.station import SourceState
from edgecvar.serve.board import Board
from edgecvar.serve.lane import Lane, State
from edgecvar.serve.log import Log
from edgecvar.sinks.clips.event_clips import ClipSettings, EventClips
from edgecvar.sinks.delivery.delivery import Deliveries
from edgecvar.sinks.sink import Sink
from edgecvar.stream.live import OR_END
from edgecvar.stream.packets import PacketTap
from edgecvar.stream.types import CodedPicture


@dataclass(frozen=True)
class Hearing:
    """How decisions become events, of a bundle's `labels`; where clips are cut to; who is told of both."""

    labels: Sequence[str]
    events: EventSettings
    clips: Optional[ClipSettings]
    deliveries: Deliveries


_NOTHING = RunSummary(0, 0, 0, 0, {}, 0.0, 0.0)


class Session:
    """A listener of the station and the watcher of the stream; of the stream's own threads but for `use`."""

    def __init__(self, lane: Lane, board: Board, log: Log, hearing: Hearing) -> None:
        self.summary: Optional[RunSummary] = None
        self._lane, self._board, self._log = lane, board, log
        self._hearing = hearing
        self._turn = threading.RLock()
        self._tracker = EventTracker(hearing.labels, hearing.events)
        self._clips = None if hearing.clips is None else self._cutter(hearing.clips)
        self._told: Optional[Sink] = None
        self._stack = ExitStack()

    @property
    def tap(self) -> Optional[PacketTap]:
        """What the stream shows its packets, where clips are cut."""
        return None if self._clips is None else self._clips.tap

    def use(self, hearing: Hearing) -> None:
        """From now on so, but for clips; what goes on ends where events are others."""
        with self._turn:
            if hearing.events != self._hearing.events:
                self._tell(self._tracker.finish())
                self._tracker = EventTracker(hearing.labels, hearing.events)
            if hearing.deliveries is not self._hearing.deliveries and self._told is not None:
                self._leave()
                self._enter(hearing.deliveries)
            self._hearing = hearing

    def heard(self, line: str) -> None:
        """What a live source says of itself: that it is away and why, or how it is read."""
        text = _own(self._lane.uri, line)
        if line.endswith(OR_END):
            self.say("away", text[: -len(OR_END)].rstrip())
        else:
            self._log.info("stream says", stream=self._lane.name, what=text)

    def say(self, state: State, why: str = "") -> None:
        """Where the stream is, on the board and in the log."""
        why = _own(self._lane.uri, why)
        if self._lane.tell(state, why):
            say = self._log.warning if state in ("away", "failed") else self._log.info
            say(f"stream {state}", stream=self._lane.name, why=why or None)

    def picture(self, picture: CodedPicture, velocity: Optional[NDArray[np.float32]]) -> None:
        if self._lane.state[0] == "away":
            self.say("running")
        self._lane.picture(picture, velocity)

    def decision(self, name: str, decision: Decision) -> None:
        self._lane.decision(decision)
        with self._turn:
            for sink in self._sinks:
                sink.decision(decision)
            self._tell(self._tracker.decision(decision))

    def state(self, name: str, state: SourceState) -> None:
        """Begins and ends; what the station makes of it is said by whoever begins the next session."""
        with self._turn:
            if state.phase == "running" and state.info is not None:
                self._lane.opened(state.info)
                self.summary = state.summary
                self._enter(self._hearing.deliveries)
                self.say("running")
            elif state.over:
                self._end(state.summary)

    def counted(self, summary: RunSummary) -> None:
        """The counts of the run so far."""
        self.summary = summary
        self._lane.counted(summary)

    def _live(self) -> RunSummary:
        return self.summary or _NOTHING

    def _end(self, summary: Optional[RunSummary]) -> None:
        self._tell(self._tracker.finish())
        if summary is not None:
            self.counted(summary)
        if self._clips is not None and summary is not None:
            self._clips.finish(summary)
        self._leave()

    def _enter(self, deliveries: Deliveries) -> None:
        self._told = self._stack.enter_context(deliveries.for_source(self._lane.name, self._live))

    def _leave(self) -> None:
        if self._told is not None and self.summary is not None:
            self._told.finish(self.summary)
        self._told = None
        self._stack.close()

    @property
    def _sinks(self) -> List[Sink]:
        return [sink for sink in (self._told, self._clips) if sink is not None]

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self._board.event(self._lane.name, event)
            over = event.end_seconds is not None
            self._log.info(
                "event ends" if over else "event begins",
                stream=self._lane.name,
                label=event.label,
                seconds=round(event.end_seconds - event.start_seconds, 2) if event.end_seconds is not None else None,
                peak=round(event.peak, 3),
            )
            for sink in self._sinks:
                sink.event(event)

    def _cutter(self, settings: ClipSettings) -> EventClips:
        return EventClips(settings, self._hearing.events, self._lane.name, live=True, told=self._clip)

    def _clip(self, number: int, clip: Path) -> None:
        self._board.clip(self._lane.name, number, clip)


def _own(uri: str, text: str) -> str:
    """What is said of a source without its name, which stands beside it."""
    return text[len(uri) :].lstrip(": ") if text.startswith(uri) else text

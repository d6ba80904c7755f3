"""A sink that writes a clip of the stream around each event."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Callable, Dict, List, Optional

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgecvar.errors import EdgecvarError, reason
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.event_settings import EventSettings
from edgecvar.run.events import Event
from edgecvar.sinks.clips.folder import clip_name, duration, file_size, prune
from edgecvar.sinks.clips.kept_packets import Cut, KeptPacket, KeptPackets
from edgecvar.sinks.clips.mp4 import write_mp4
from edgecvar.terminal import say

LATE = 2.0
"""Seconds beyond what an event must hold and last: when it is told to have begun, so long ago it may have been."""
WAITING = 2
"""Clips that wait to be written; with more, the stream waits for the disk."""


class ClipSettings(BaseModel):
    """Where clips go, in which an event has `clip_before` and `clip_after` seconds around it.

    `clip_longest`: seconds of a clip at most; that of a longer event ends then. `clip_memory`: bytes of packets held of
    one stream. `clips_keep`, `clips_size`: clips that are older are removed, and the oldest where there is more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: Path
    clip_before: float = Field(2.0, ge=0, le=600)
    clip_after: float = Field(2.0, ge=0, le=600)
    clip_longest: float = Field(60.0, gt=0, le=3600)
    clip_memory: int = Field(64 << 20, ge=1 << 16)
    clips_keep: Optional[float] = Field(None, gt=0)
    clips_size: Optional[int] = Field(None, gt=0)

    @field_validator("clips_keep", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return duration(value) if isinstance(value, str) else value

    @field_validator("clips_size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return file_size(value) if isinstance(value, str) else value


@dataclass(eq=False)
class _Pending:
    """A clip under way: the end of what belongs to it is not known before the event's."""

    cut: Cut
    name: str
    end: float


@dataclass(frozen=True)
class _Whole:
    number: int
    name: str
    packets: List[KeptPacket]


class EventClips:
    """Cuts a clip for each event, from the I-picture before it, and writes it in a thread of its own.

    `tap` is for the stream that is run. A clip that cannot be written is counted, and the run goes on; what became of
    all is said at the end. `live`: clips are called by the time of day and not by that of the stream. `told`: called
    with an event's number and its clip's file, in another thread, instead of what is said at the end.
    """

    def __init__(
        self,
        settings: ClipSettings,
        events: EventSettings,
        source: str,
        live: bool = False,
        told: Optional[Callable[[int, Path], None]] = None,
    ) -> None:
        rules = [events, *(events.of(label) for label in events.labels)]
        lag = max(max(each.hold, each.shortest) for each in rules) + LATE
        self.tap = KeptPackets(settings.clip_before + lag, settings.clip_memory)
        self.written = self.failed = 0
        self._settings, self._source, self._live, self._told = settings, source, live, told
        self._pending: Dict[int, _Pending] = {}
        self._why = ""
        self._due: queue.Queue[Optional[_Whole]] = queue.Queue(WAITING)
        self._writer: Optional[Thread] = None

    def __enter__(self) -> EventClips:
        return self

    def __exit__(self, *exc: object) -> None:
        self._join()

    def decision(self, decision: Decision) -> None:
        self.tap.passed(decision.pts_seconds)
        self._take_ready()

    def event(self, event: Event) -> None:
        if event.end_seconds is None:
            self._begin(event)
        elif event.number in self._pending:
            pending = self._pending[event.number]
            pending.end = min(pending.end, event.end_seconds + self._settings.clip_after)

    def finish(self, summary: RunSummary) -> None:
        self._take_ready(final=True)
        self._join()
        folder = self._settings.clips
        if (self.written or self.failed) and self._told is None:
            lost = f"; {self.failed} could not be written: {self._why}" if self.failed else ""
            say(f"clips: {self.written} in {folder}{lost}", err=True)

    def _begin(self, event: Event) -> None:
        cut = self.tap.begin(event.start_seconds, self._settings.clip_before)
        if cut is None:
            self._fail("no I-picture before the event is held in memory any more")
            return
        began = time.time() - max(0.0, self.tap.decided - event.start_seconds)
        name = clip_name(self._source, event.label, event.start_seconds, began if self._live else None)
        self._pending[event.number] = _Pending(cut, name, cut.start + self._settings.clip_longest)

    def _take_ready(self, final: bool = False) -> None:
        for number, pending in list(self._pending.items()):
            packets = self.tap.take(pending.cut, pending.end, final)
            if packets is not None:
                del self._pending[number]
                if packets:
                    self._write(_Whole(number, pending.name, packets))
                else:
                    self._fail("no picture of the event was held")

    def _write(self, whole: _Whole) -> None:
        if self._writer is None:
            self._writer = Thread(target=self._write_all, name="edgecvar-clips", daemon=True)
            self._writer.start()
        self._due.put(whole)

    def _write_all(self) -> None:
        """The writer thread."""
        while True:
            whole = self._due.get()
            if whole is None:
                return
            try:
                self._write_one(whole)
            except Exception as error:  # whatever it is: with no writer the stream would wait for ever
                self._fail(str(error) if isinstance(error, EdgecvarError) else reason(error))

    def _write_one(self, whole: _Whole) -> None:
        settings = self._settings
        assert self.tap.form is not None
        prune(settings.clips, settings.clips_keep, settings.clips_size)
        write_mp4(settings.clips / whole.name, self.tap.form, whole.packets)
        self.written += 1
        if self._told is not None:
            self._told(whole.number, settings.clips / whole.name)
        prune(settings.clips, settings.clips_keep, settings.clips_size)

    def _fail(self, why: str) -> None:
        self.failed += 1
        self._why = why

    def _join(self) -> None:
        if self._writer is not None:
            self._due.put(None)
            self._writer.join()
            self._writer = None

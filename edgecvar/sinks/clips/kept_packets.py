"""The newest packets of a stream, in bounded memory, and the cuts that are made of them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Deque, List, Optional, Sequence, Tuple

from edgecvar.sinks.clips.mp4 import TrackForm, track_form
from edgecvar.stream.clock import Moment
from edgecvar.stream.container import OpenVideo

if TYPE_CHECKING:
    from av.packet import Packet


@dataclass(eq=False)
class KeptPacket:
    """One packet in decode order, and when its picture is displayed: None until that is known, and of lost pictures.

    `opens`: the stream broke before it.
    """

    data: bytes
    keyframe: bool
    seconds: Optional[float] = None
    opens: bool = False


@dataclass(eq=False)
class Cut:
    """A stretch that is being kept: packets from number `first`, an I-picture, displayed at `start`, on.

    `taken`: what there was of it when memory ran out, after which it grows no more.
    """

    first: int
    start: float
    taken: Optional[Tuple[KeptPacket, ...]] = None


class KeptPackets:
    """A tap on a stream that keeps what cuts may be made of: bounded in seconds, in whole GOPs, and in bytes.

    The thread that reads adds, the one that decides cuts. Kept are `seconds` before the newest decision and, beyond
    that, what cuts under way have begun with. With more than `size` bytes the oldest GOP goes, whoever needs it.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self.form: Optional[TrackForm] = None
        self.decided = -math.inf
        self._seconds, self._size = seconds, size
        self._lock = Lock()
        self._packets: Deque[KeptPacket] = deque()
        self._first = 0
        self._bytes = 0
        self._broke = -1
        self._cuts: List[Cut] = []

    def opened(self, video: OpenVideo) -> None:
        self.form = track_form(video)

    def packet(self, number: int, packet: Packet[Any]) -> None:
        kept = KeptPacket(bytes(packet), bool(packet.is_keyframe))
        with self._lock:
            self._packets.append(kept)
            self._bytes += len(kept.data)
            while self._bytes > self._size and self._packets:
                self._drop(self._next_key(1))

    def shown(self, number: int, moment: Moment) -> None:
        with self._lock:
            if number >= self._first:
                self._packets[number - self._first].seconds = moment.pts_seconds

    def broke(self, pts_seconds: float) -> None:
        with self._lock:
            for at in range(len(self._packets) - 1, -1, -1):
                if self._packets[at].seconds == pts_seconds:
                    self._packets[at].opens, self._broke = True, self._first + at
                    return

    def passed(self, seconds: float) -> None:
        """All that is displayed up to then has been decided on; what no cut can need any more goes."""
        with self._lock:
            self.decided = seconds
            key = self._key_before(seconds - self._seconds)
            needed = min([self._first + (key or 0), *(cut.first for cut in self._cuts if cut.taken is None)])
            self._drop(max(0, needed - self._first))

    def begin(self, start: float, before: float) -> Optional[Cut]:
        """A cut from the I-picture `before` seconds before `start`, or as near as there is; None without any."""
        with self._lock:
            packets = list(self._packets)
            if not packets:
                return None
            shown = self._last_shown(start) or 0
            opens = next((at for at in range(shown, -1, -1) if packets[at].opens), 0)
            ends = next((at for at in range(shown + 1, len(packets)) if packets[at].opens), len(packets))
            keys = [at for at in range(opens, ends) if packets[at].keyframe]
            known = [(at, packets[at].seconds) for at in keys]
            held = [(at, when) for at, when in known if when is not None and when <= max(start, self.decided)]
            if not held:
                return None
            early = [each for each in held if each[1] <= start - before]
            key, when = early[-1] if early else held[0]
            cut = Cut(self._first + key, when)
            self._cuts.append(cut)
            return cut

    def take(self, cut: Cut, end: float, final: bool = False) -> Optional[List[KeptPacket]]:
        """The packets of a cut up to `end`, which is over then; None as long as some may still come, unless `final`.

        Pictures that need what is before the cut, and those that were lost, are not among them.
        """
        with self._lock:
            over = final or cut.taken is not None or self._broke > cut.first
            if not over and end > self.decided:
                return None
            packets = self._of(cut)
            opens = next((at for at, kept in enumerate(packets) if at and kept.opens), None)
            packets = packets[:opens]
            whole, limit = _whole_to(packets, end)
            if not over and limit > self.decided:
                return None
            self._cuts.remove(cut)
            return [kept for kept in packets[:whole] if kept.seconds is not None and kept.seconds >= cut.start]

    def _of(self, cut: Cut) -> Sequence[KeptPacket]:
        if cut.taken is not None:
            return cut.taken
        return list(islice(self._packets, cut.first - self._first, None))

    def _last_shown(self, seconds: float) -> Optional[int]:
        """The place of the picture that is displayed at a time."""
        shown = [(kept.seconds, at) for at, kept in enumerate(self._packets) if kept.seconds is not None]
        return max(((when, at) for when, at in shown if when <= seconds), default=(0.0, None))[1]

    def _key_before(self, seconds: float) -> Optional[int]:
        key = None
        for at, kept in enumerate(self._packets):
            if kept.seconds is not None and kept.seconds > seconds:
                break
            if kept.keyframe and kept.seconds is not None:
                key = at
        return key

    def _next_key(self, place: int) -> int:
        """The place of the next I-picture, of the end without one."""
        keys = (at for at, kept in enumerate(islice(self._packets, place, None), place) if kept.keyframe)
        return next(keys, len(self._packets))

    def _drop(self, count: int) -> None:
        for cut in self._cuts:
            if cut.taken is None and cut.first < self._first + count:
                cut.taken = tuple(self._of(cut))
        for _ in range(count):
            self._bytes -= len(self._packets.popleft().data)
        self._first += count


def _whole_to(packets: Sequence[KeptPacket], end: float) -> Tuple[int, float]:
    """How many packets, in decode order, have all that is displayed up to `end`, and up to when they have all.

    That is a little later where pictures are reordered: what is displayed before the last of them belongs to it.
    """
    count, limit = 0, end
    while True:
        for at in range(len(packets) - 1, count - 1, -1):
            seconds = packets[at].seconds
            if seconds is not None and seconds <= limit:
                count = at + 1
                break
        latest = max((kept.seconds for kept in packets[:count] if kept.seconds is not None), default=end)
        if latest <= limit:
            return count, limit
        limit = latest

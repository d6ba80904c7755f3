"""When a picture is displayed: one timeline, whatever the container's times do, and the places where they break."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set

if TYPE_CHECKING:
    from av.packet import Packet

MAX_REORDER = 18
"""Packets after which a picture that has not come out never will: H.264 and HEVC delay by 16 frames at most."""
LONGEST_STEP = 10.0
"""Seconds from one picture to the next beyond which times have jumped; four pictures of a slower stream."""
MPEG_TICK = Fraction(1, 90_000)
WRAP = 2**33 / 90_000
"""Seconds after which the times of an MPEG transport or program stream begin again."""
WENT_BACK, JUMPED_AHEAD = "timestamps went back", "timestamps jumped ahead"
_NUDGE = 0.01
"""Of a picture's duration: how far a picture comes after the one before it where its own time would be earlier."""


@dataclass(frozen=True)
class Moment:
    """When a picture is displayed, in seconds on the one timeline, and whether it is shown at all."""

    pts_seconds: float
    shown: bool


NEVER = Moment(0.0, shown=False)
"""That of a picture whose place in display order is not known yet."""


@dataclass(frozen=True, order=True)
class Told:
    """What a container tells of a picture: the `part` of the stream, its time there, the longest step up to it."""

    part: int
    seconds: Optional[float]
    longest: float


class DisplayClock:
    """Keeps the times of packets before the decoder sees them, and gives every picture its moment.

    Packets come in decode order, which is where times are seen to break; moments are asked for in display order. The
    times between two breaks keep their distances; over a break, and where a container gives no times or the same
    one again, the time goes on by one picture. `told` is called with each packet's number and moment.
    """

    def __init__(self, fps: Fraction, told: Optional[Callable[[int, Moment], None]] = None) -> None:
        step = 1.0 / float(fps)
        self._continuity = Continuity(step)
        self._line = Timeline(step)
        self._told: Dict[int, Told] = {}
        self._by_decoding: Dict[int, Told] = {}
        self._decode_times: List[Told] = []
        self._hidden: Set[int] = set()
        self._breaks: Dict[int, str] = {}
        self._base: Optional[Fraction] = None
        self._turns = self._decoded = False
        self._tell = told

    def packet(self, number: int, packet: Packet[Any]) -> None:
        """Notes the times of the packet with decode number `number`."""
        if self._base is None:  # one for all packets of a stream, and a new Fraction each time it is asked
            self._base = packet.time_base
            self._turns = self._base == MPEG_TICK
        base, turns, keyframe = self._base, self._turns, bool(packet.is_keyframe)
        pts, dts = _seconds(packet.pts, base), _seconds(packet.dts, base)
        followed = pts if dts is None else dts
        if dts is not None and not self._decoded:  # Matroska has none of the first pictures of a stream that reorders
            self._decoded = True
            self._continuity.forget()
        reason = self._continuity.follow(followed, keyframe, turns)
        if reason:
            self._breaks[number] = reason
        if turns and pts is not None and dts is not None:
            pts += WRAP * round((dts - pts) / WRAP)
        self._told[number] = self._continuity.told(pts)
        if pts is None and dts is not None:
            self._by_decoding[number] = self._continuity.told(dts)
            heapq.heappush(self._decode_times, self._by_decoding[number])
        if getattr(packet, "is_discard", False):
            self._hidden.add(number)

    def awaits(self, number: int) -> bool:
        """Whether packet `number` came, and its picture is neither shown nor lost."""
        return number in self._told

    def lost(self, number: int) -> None:
        """Packet `number`, unless its picture was shown, never gives one: its time goes to no other picture."""
        if self._told.pop(number, None) is None:
            return
        self._hidden.discard(number)
        decoded = self._by_decoding.pop(number, None)
        if decoded is None or not self._decode_times:
            return
        # Where a later picture already took that time, the one it would have had is over.
        self._decode_times.remove(decoded if decoded in self._decode_times else self._decode_times[0])
        heapq.heapify(self._decode_times)

    def hide(self, number: int) -> None:
        """The picture of packet `number` is not to be seen, by what the stream itself says."""
        self._hidden.add(number)

    def show(self, number: int, display_index: int) -> Moment:
        """The moment of the picture displayed as `display_index`.

        Containers with decode times alone (AVI) show their pictures at those times in turn.
        """
        moment = self._moment(number)
        if self._tell is not None:
            self._tell(number, moment)
        return moment

    def _moment(self, number: int) -> Moment:
        told = self._told.pop(number, None) or self._continuity.told(None)
        self._by_decoding.pop(number, None)
        if told.seconds is None and self._decode_times:
            told = heapq.heappop(self._decode_times)
        if number in self._hidden:
            self._hidden.remove(number)
            return Moment(self._line.beside(told), shown=False)
        return Moment(self._line.place(told), shown=True)

    def broke(self, number: int) -> str:
        """Why the times broke at packet `number` or before it, since this was last asked; empty where they did not.

        To be asked in decode order, of packets that gave a picture.
        """
        if not self._breaks:
            return ""
        passed = [at for at in self._breaks if at <= number]
        return ", ".join(dict.fromkeys(self._breaks.pop(at) for at in passed))


def _seconds(ticks: Optional[int], base: Optional[Fraction]) -> Optional[float]:
    # Two integers divided are rounded once, as a Fraction is, at a tenth of the time.
    return None if ticks is None or not base else ticks * base.numerator / base.denominator


class Continuity:
    """Follows decode times, packet after packet, and tells where they do not go on; `part` counts these places.

    `turned` is to be added to a packet's times: the turns of a transport stream's clock. Of two times on such a clock
    each may be the later one: the nearer is taken.
    """

    def __init__(self, step: float) -> None:
        self.part = 0
        self.turned = 0.0
        self._step = step
        self._last: Optional[float] = None
        self._still = 0
        self._longest = self._least_longest = max(LONGEST_STEP, 4 * step)

    def follow(self, seconds: Optional[float], keyframe: bool, turns: bool) -> str:
        """The reason for a break before the next packet, empty where there is none; `turns`: of a clock that turns.

        No picture decoded before an I-picture is displayed after it, so times that step back there are broken however
        short the step; elsewhere they may be display times, which step back as far as pictures are reordered.
        """
        if seconds is None or self._last is None:
            self._last = self._last if seconds is None else seconds
            self._still += 1
            return ""
        if turns:
            self.turned -= WRAP * round((seconds + self.turned - self._last) / WRAP)
        seconds += self.turned
        ahead = seconds - self._last
        self._longest = self._least_longest + self._still * self._step
        reason = ""
        if ahead < -self._step * (1 if keyframe else MAX_REORDER):
            reason = WENT_BACK
        elif ahead > self._longest:
            reason = JUMPED_AHEAD
        if ahead > 0:
            self._still = 0
        else:
            self._still += 1
        self._last = seconds if reason else max(self._last, seconds)
        self.part += bool(reason)
        return reason

    def forget(self) -> None:
        """What comes next is not compared with what was: those were display times, from here on there are others."""
        self._last = None

    def told(self, seconds: Optional[float]) -> Told:
        """A time of the packet that was followed last."""
        return Told(self.part, None if seconds is None else seconds + self.turned, self._longest)


class Timeline:
    """Places shown pictures, in display order, each after the one before it."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._part = 0
        self._shift = 0.0
        self._last: Optional[float] = None
        self._told: Optional[float] = None

    def place(self, times: Told) -> float:
        """The place of the next picture, of which the container says `times`."""
        told, self._told = self._told, times.seconds
        broke, self._part = times.part > self._part, max(self._part, times.part)
        if self._last is None:
            self._last = times.seconds or 0.0
            return self._last
        following = self._last + self._step
        if times.seconds is not None and times.seconds != told:
            ahead = times.seconds + self._shift - self._last
            if 0 < ahead <= times.longest:
                following = times.seconds + self._shift
            elif broke or not -MAX_REORDER * self._step < ahead <= 0:
                self._shift = following - times.seconds
            else:
                following = self._last + _NUDGE * self._step
        self._last = following
        return following

    def beside(self, times: Told) -> float:
        """Where a picture would be that takes no place: not after what has been shown."""
        own = 0.0 if times.seconds is None else times.seconds + self._shift
        return own if self._last is None else min(own, self._last)

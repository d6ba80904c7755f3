"""Intra refresh: pictures that are coded anew part by part since a recovery point, and have an image then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, List, Optional

MOST_PICTURES = 600
MOST_BYTES = 1 << 26
"""A recovery that takes more is not followed: all of it is kept, and decoded for one image."""


@dataclass(frozen=True)
class RecoveryState:
    """What the headers of a picture say of recovery: `count` is its recovery point's, -1 without one.

    `place` is what that counts: frame_num, which comes around at `places`, of H.264; the order count of HEVC, of which
    `places` is 0. `missing`: pictures are known to be missing before it.
    """

    place: int
    places: int
    intra: bool
    reference: bool
    count: int
    missing: bool = False

    def left(self, end: int) -> int:
        """How far it is from there to `end`; below 0 behind it, but where counts come around."""
        return (end - self.place) % self.places if self.places else end - self.place


@dataclass(frozen=True)
class RecoveryRun:
    """What a picture that completes a recovery is decoded from: packets of reference pictures, the last its own.

    `before` is the reference picture before the recovery point, None where the stream begins there: a decoder makes
    stand-ins for missing references of a gap in frame_num, which there is none of where that is 0. One of HEVC makes
    them of all.
    """

    sets: bytes
    before: Optional[bytes]
    packets: List[bytes]


@dataclass
class _Recovery:
    run: RecoveryRun
    end: int
    left: int
    size: int = field(default=0)


class RecoveryTracker:
    """Follows the recovery points of a stream (ITU-T H.264, D.2.8; H.265, D.3.8), one at a time; I-pictures need none.

    A recovery with a picture missing is given up.
    """

    def __init__(self) -> None:
        self._recovery: Optional[_Recovery] = None
        self._before: Optional[bytes] = None

    def push(self, state: RecoveryState, packet: bytes, sets: Callable[[], bytes]) -> Optional[RecoveryRun]:
        """The run that ends with the next picture in decode order, where that completes a recovery.

        `sets` gives the parameter sets in force.
        """
        if state.intra:
            self._recovery = None
        if not state.reference:
            return None  # no picture that comes later is made of it
        complete = None if self._recovery is None else self._follow(self._recovery, state, packet)
        if state.count > 0 and not state.intra and self._recovery is None:
            self._begin(state, packet, sets)
        self._before = packet
        return complete

    def _follow(self, recovery: _Recovery, state: RecoveryState, packet: bytes) -> Optional[RecoveryRun]:
        recovery.run.packets.append(packet)
        recovery.size += len(packet)
        left = state.left(recovery.end)
        missing = state.missing or (state.places > 0 and left != recovery.left - 1)
        recovery.left = left
        if missing or left <= 0 or len(recovery.run.packets) > MOST_PICTURES or recovery.size > MOST_BYTES:
            self._recovery = None
        return recovery.run if left <= 0 and not missing else None

    def _begin(self, state: RecoveryState, packet: bytes, sets: Callable[[], bytes]) -> None:
        if self._before is None and not state.place and state.places:
            return
        end = state.place + state.count
        run = RecoveryRun(sets(), self._before, [packet])
        self._recovery = _Recovery(run, end, state.count, len(packet))

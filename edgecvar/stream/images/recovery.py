"""Intra refresh in H.264: pictures that are coded anew part by part since a recovery point, and have an image then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, List, Optional

MOST_PICTURES = 600
MOST_BYTES = 1 << 26
"""A recovery that takes more is not followed: all of it is kept, and decoded for one image."""


@dataclass(frozen=True)
class RecoveryState:
    """What the headers of a picture say of recovery: `recovery_frame_cnt` is its recovery point's, -1 without one."""

    frame_num: int
    max_frame_num: int
    intra: bool
    reference: bool
    recovery_frame_cnt: int


@dataclass(frozen=True)
class RecoveryRun:
    """What a picture that completes a recovery is decoded from: packets of reference pictures, the last its own.

    `before` is the reference picture before the recovery point, None where the stream begins there: a decoder makes
    stand-ins for missing references of a gap in frame_num, which there is none of where that is 0.
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
    """Follows the recovery points of a stream (ITU-T H.264, D.2.8), one at a time; I-pictures need none.

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
        if state.recovery_frame_cnt > 0 and not state.intra and self._recovery is None:
            self._begin(state, packet, sets)
        self._before = packet
        return complete

    def _follow(self, recovery: _Recovery, state: RecoveryState, packet: bytes) -> Optional[RecoveryRun]:
        recovery.run.packets.append(packet)
        recovery.size += len(packet)
        left = (recovery.end - state.frame_num) % state.max_frame_num
        missing = left != recovery.left - 1
        recovery.left = left
        if missing or not left or len(recovery.run.packets) > MOST_PICTURES or recovery.size > MOST_BYTES:
            self._recovery = None
        return recovery.run if not (missing or left) else None

    def _begin(self, state: RecoveryState, packet: bytes, sets: Callable[[], bytes]) -> None:
        if self._before is None and not state.frame_num:
            return
        end = (state.frame_num + state.recovery_frame_cnt) % state.max_frame_num
        run = RecoveryRun(sets(), self._before, [packet])
        self._recovery = _Recovery(run, end, state.recovery_frame_cnt, len(packet))

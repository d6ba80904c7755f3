"""Transport streams made of one another: the same packets again, at other times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Callable, Dict

import av

from tests.stream.known_clips import translation

PACKET = 188
TURN = 1 << 33
"""Ticks of 90 kHz after which the times of a transport stream begin again."""


class Clockwork:
    """Writes transport packets again and again, their continuity counters going on as if they were one recording."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._counters: Dict[int, int] = {}

    def at(self, change: Callable[[int], int]) -> bytes:
        """The packets with every time, in ticks of 90 kHz, replaced by `change` of it."""
        made = bytearray(self._data)
        for start in range(0, len(made), PACKET):
            self._count(made, start)
            _retime(made, start, change)
        return bytes(made)

    def _count(self, made: bytearray, start: int) -> None:
        pid = (made[start + 1] & 31) << 8 | made[start + 2]
        if made[start + 3] & 0x10:
            self._counters[pid] = (self._counters.get(pid, -1) + 1) & 15
        made[start + 3] = made[start + 3] & 0xF0 | self._counters.get(pid, 0)


def slow_clip(path: Path) -> bytes:
    """Twenty seconds of two pictures each, moving to the right; two B-pictures between P-pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.options = {"x264-params": "keyint=20:bframes=2:b-adapt=0:scenecut=0:rc-lookahead=3"}
        for index, picture in enumerate(translation(40, (48, 64), (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def shifted(data: bytes, ticks: int) -> bytes:
    """The packets `ticks` later; beyond a turn of the clock they begin again."""
    return Clockwork(data).at(lambda time: (time + ticks) % TURN)


def _retime(made: bytearray, start: int, change: Callable[[int], int]) -> None:
    payload = start + 4
    if made[start + 3] & 0x20:
        payload += 1 + made[start + 4]
        if made[start + 4] and made[start + 5] & 0x10:
            clock = int.from_bytes(made[start + 6 : start + 10], "big") << 1 | made[start + 10] >> 7
            moved = change(clock) % TURN
            made[start + 6 : start + 10] = (moved >> 1).to_bytes(4, "big")
            made[start + 10] = made[start + 10] & 0x7F | (moved & 1) << 7
    if not made[start + 1] & 0x40 or made[payload : payload + 3] != b"\0\0\1" or made[payload + 3] >> 4 != 14:
        return
    for number in range({2: 1, 3: 2}.get(made[payload + 7] >> 6, 0)):
        at = payload + 9 + 5 * number
        a, b, c = made[at], int.from_bytes(made[at + 1 : at + 3], "big"), int.from_bytes(made[at + 3 : at + 5], "big")
        moved = change((a >> 1 & 7) << 30 | b >> 1 << 15 | c >> 1) % TURN
        made[at] = a & 0xF1 | (moved >> 30) << 1
        made[at + 1 : at + 3] = ((moved >> 15 & 0x7FFF) << 1 | 1).to_bytes(2, "big")
        made[at + 3 : at + 5] = ((moved & 0x7FFF) << 1 | 1).to_bytes(2, "big")

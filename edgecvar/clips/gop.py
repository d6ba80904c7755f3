"""Windows: a stream cut into runs of at most `gop_length` pictures, each with its newest I-picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple


@dataclass(frozen=True)
class Window:
    """One GOP, or one piece of a GOP that is longer than `gop_length`.

    `appearance` is the decode index of the newest I-picture at or before the window; `pictures` are the decode
    indices of its P and B pictures, possibly none.
    """

    index: int
    appearance: int
    pictures: Tuple[int, ...]


@dataclass(frozen=True)
class WindowPosition:
    """Where a picture falls: its window (-1 before the first I-picture) and whether it starts that window."""

    window: int
    starts: bool


class WindowCutter:
    """Cuts a stream as it comes: a window starts at every I-picture, and after `gop_length` pictures without one."""

    def __init__(self, gop_length: int) -> None:
        if gop_length < 1:
            raise ValueError(f"gop_length: got {gop_length}, expected at least 1")
        self._gop_length = gop_length
        self._window = -1
        self._filled = 0

    def push(self, kind: str) -> WindowPosition:
        """The position of the next picture in decode order, of kind "I", "P" or "B"."""
        starts = kind == "I" or (self._window >= 0 and self._filled == self._gop_length)
        if starts:
            self._window += 1
            self._filled = 0
        self._filled += 1
        return WindowPosition(self._window, starts)


def cut_windows(kinds: Sequence[str], gop_length: int) -> List[Window]:
    """The windows of a whole clip whose pictures, in decode order, are of these kinds."""
    cutter = WindowCutter(gop_length)
    windows: List[Window] = []
    appearance = -1
    for index, kind in enumerate(kinds):
        position = cutter.push(kind)
        if kind == "I":
            appearance = index
        if position.starts:
            windows.append(Window(position.window, appearance, ()))
        if position.window >= 0 and kind != "I":
            last = windows[-1]
            windows[-1] = Window(last.index, last.appearance, (*last.pictures, index))
    return windows

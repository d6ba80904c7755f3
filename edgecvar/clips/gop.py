"""Windows: a stream cut into runs of at most `gop_length` pictures, each with the newest image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Container, Dict, List, Sequence, Tuple


@dataclass(frozen=True)
class Window:
    """One GOP, or one piece of a GOP that is longer than `gop_length`.

    `appearance` is the decode index of the newest picture with an image at or before the window: an I-picture, or one
    that completes a recovery. `pictures` are the decode indices of its P and B pictures, possibly none. `part` counts
    the breaks of the stream before it. `unsampled` are those of a kind that is not to be sampled, else `pictures`.
    """

    index: int
    appearance: int
    pictures: Tuple[int, ...]
    part: int = 0
    unsampled: Tuple[int, ...] = ()


def pictures_of_parts(windows: Sequence[Window]) -> Dict[int, int]:
    """How many P and B pictures each part between two breaks has, of those that have some."""
    counts: Dict[int, int] = {}
    for window in windows:
        if window.pictures:
            counts[window.part] = counts.get(window.part, 0) + len(window.pictures)
    return counts


def longest_part(windows: Sequence[Window]) -> int:
    """The part with the most P and B pictures, the first of equals."""
    counts = pictures_of_parts(windows)
    return max(counts, key=lambda part: counts[part], default=0)


@dataclass(frozen=True)
class WindowPosition:
    """Where a picture falls: its window (-1 where it has no image) and whether it starts that window."""

    window: int
    starts: bool


class WindowCutter:
    """Cuts a stream as it comes: a window starts at every image, and after `gop_length` pictures without one.

    Windows are of shown pictures; a hidden image starts one at the next picture that is shown.
    """

    def __init__(self, gop_length: int) -> None:
        if gop_length < 1:
            raise ValueError(f"gop_length: got {gop_length}, expected at least 1")
        self._gop_length = gop_length
        self._window = -1
        self._filled = 0
        self._due = self._usable = False

    def push(self, has_image: bool, shown: bool = True) -> WindowPosition:
        """The position of the next picture in decode order."""
        if has_image:
            self._due = self._usable = True
        starts = shown and self._usable and (self._due or self._filled == self._gop_length)
        if starts:
            self._window += 1
            self._filled = 0
            self._due = False
        self._filled += shown
        return WindowPosition(self._window if self._usable else -1, starts)

    def reopen(self, keep: bool) -> None:
        """The stream breaks here: a window ends. The next one needs an image unless it may `keep` the last one."""
        self._usable = self._due = keep and self._usable


def cut_windows(
    kinds: Sequence[str],
    gop_length: int,
    hidden: Container[int] = (),
    opens: Container[int] = (),
    recovered: Container[int] = (),
    sampled: Container[str] = "PB",
) -> List[Window]:
    """The windows of a whole clip whose pictures, in decode order, are of these kinds, `sampled` the ones of those.

    `hidden` pictures are in none; those in `opens` are the first after a break; `recovered` ones have an image without
    being I-pictures.
    """
    cutter = WindowCutter(gop_length)
    windows: List[Window] = []
    appearance, part = -1, 0
    for index, kind in enumerate(kinds):
        if index in opens:
            cutter.reopen(keep=True)
            part += 1
        has_image = kind == "I" or index in recovered
        position = cutter.push(has_image, index not in hidden)
        if has_image:
            appearance = index
        if position.starts:
            windows.append(Window(position.window, appearance, (), part))
        if position.window >= 0 and kind != "I" and index not in hidden:
            last = windows[-1]
            if kind in sampled:
                windows[-1] = replace(last, pictures=(*last.pictures, index))
            else:
                windows[-1] = replace(last, unsampled=(*last.unsampled, index))
    return windows

"""What is written on a picture, which is changed in place: the best labels with their shares, the time, the rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.sinks.font import SMALLEST, text_ink

LABELS = 3
"""Of the best that are shown, where there is room."""
LINES_IN_HEIGHT = 28
"""Lines of text that the shorter side of a picture has room for."""
Colour = Tuple[int, int, int]
BEST, OTHER, WARNING, BLACK = (70, 200, 110), (90, 130, 190), (200, 120, 30), (0, 0, 0)
"""Of the bars, the note, and what is behind text."""


@dataclass(frozen=True)
class Caption:
    """`top`: labels with their shares, best first. `rate`: pictures a second of the run, 0 where unknown."""

    top: Sequence[Tuple[str, float]]
    seconds: float
    rate: float = 0.0
    note: str = ""


def draw_caption(picture: NDArray[np.uint8], caption: Caption) -> None:
    """Labels at the bottom left, time and note at the top left, the rate at the top right; uint8 (height, width, 3)."""
    width = picture.shape[1]
    size = text_size(picture)
    margin = size // 2
    time = draw_plate(picture, clock_time(caption.seconds), (margin, margin), size)
    if caption.note:
        draw_plate(picture, caption.note, (margin + time[0] + margin // 2, margin), size, WARNING)
    if caption.rate:
        words = f"{caption.rate:.0f} pictures/s"
        left = width - margin - _plate_width(words, size)
        if left > margin + time[1] + margin:
            draw_plate(picture, words, (margin, left), size)
    _draw_labels(picture, caption.top, size, margin)


def text_size(picture: NDArray[np.uint8]) -> int:
    """Pixels of an em on a picture of this size."""
    return max(SMALLEST, round(int(min(picture.shape[:2])) / LINES_IN_HEIGHT))


def clock_time(seconds: float) -> str:
    """A place in a stream as people read it."""
    tenths = round(10 * seconds)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def draw_plate(
    picture: NDArray[np.uint8], text: str, corner: Tuple[int, int], size: int, colour: Colour = BLACK
) -> Tuple[int, int]:
    """White text on a see-through plate with its top left corner at (row, column); the plate's (height, width)."""
    top, left = corner
    pad = max(2, size // 3)
    ink = text_ink(text, size, max(1, picture.shape[1] - left - 2 * pad))
    rows, columns = ink.shape[0] + pad // 2, ink.shape[1] + 2 * pad
    _tint(picture, (top, left), (top + rows, left + columns), colour)
    _print(picture, ink, (top + pad // 4, left + pad))
    return rows, columns


def _plate_width(text: str, size: int) -> int:
    return int(text_ink(text, size).shape[1]) + 2 * max(2, size // 3)


def _draw_labels(picture: NDArray[np.uint8], top: Sequence[Tuple[str, float]], size: int, margin: int) -> None:
    """A row each, with a bar as long as the share; as many as a third of the height holds."""
    height, width = picture.shape[:2]
    row, gap, pad = round(1.7 * size), max(1, size // 12), max(2, size // 3)
    rows = top[: max(1, min(LABELS, height // 3 // row))]
    right = margin + max(1, min(width - 2 * margin, 18 * size))
    for number, (label, share) in enumerate(rows):
        bottom = height - margin - (len(rows) - 1 - number) * row
        start = max(0, bottom - row + gap)
        bar = margin + round((right - margin) * min(1.0, max(0.0, share)))
        _tint(picture, (start, margin), (bottom, bar), OTHER if number else BEST)
        _tint(picture, (start, bar), (bottom, right), BLACK)
        percent = text_ink(f"{share:.0%}", size)
        left = right - percent.shape[1] - pad
        words = text_ink(label, size, max(1, left - margin - 2 * pad))
        for ink, column in ((percent, left), (words, margin + pad)):
            _print(picture, ink, (start + (bottom - start - ink.shape[0]) // 2, column))


def _tint(picture: NDArray[np.uint8], first: Tuple[int, int], last: Tuple[int, int], colour: Colour) -> None:
    """A quarter of the picture and three of the colour from (row, column) `first` to before `last`."""
    # Rows of numbers, not of pixels: a last axis of three costs ten times as much.
    flat = picture.reshape(picture.shape[0], -1)[max(0, first[0]) : last[0], 3 * first[1] : 3 * last[1]]
    flat >>= 2
    flat += np.tile((np.array(colour) * 3 // 4).astype(np.uint8), flat.shape[1] // 3)


def _print(picture: NDArray[np.uint8], ink: NDArray[np.uint8], corner: Tuple[int, int]) -> None:
    """White ink with its top left corner at (row, column); what reaches beyond the picture is cut off."""
    top, left = corner[0], max(0, corner[1])
    ink = ink[max(0, -top) :]
    flat = picture.reshape(picture.shape[0], -1)[max(0, top) :, 3 * left :][: ink.shape[0], : 3 * ink.shape[1]]
    part = ink[: flat.shape[0]].repeat(3, axis=1)[:, : flat.shape[1]].astype(np.uint16)
    flat[:] = ((flat * (255 - part) + 255 * part) >> 8).astype(np.uint8)

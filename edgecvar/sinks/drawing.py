"""The motion field as arrows on a picture, which is changed in place."""

from __future__ import annotations

from functools import lru_cache
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.types import BLOCK, StreamInfo

ARROWS_ACROSS = 40
"""Arrows in the longer direction, about."""
LEAST_CELL = 16
"""Side of an arrow's cell in pixels at least: a macroblock."""
STILL = 0.25
"""Pixels a frame below which no arrow is drawn: one quarter-pel step is as likely noise. Of a cell of 32 pixels."""
SHORTEST, LONGEST = 0.45, 1.5
"""Length of an arrow in cells."""
GAIN = 2.0
"""Arrow pixels for each pixel a frame."""
DIRECTIONS = 48
STEPS = 8
"""Lengths of an arrow in a cell's side."""
MEMORY = 0.5
"""The part of the field before that is in the one drawn: vectors jump about from picture to picture."""


def cell_blocks(info: StreamInfo) -> int:
    """Motion blocks that share one arrow, along each side."""
    longer = max(info.coded_width, info.coded_height)
    return max(LEAST_CELL, round(longer / ARROWS_ACROSS)) // BLOCK


def thin_field(velocity: NDArray[np.float32], blocks: int) -> NDArray[np.float16]:
    """Velocity (H/4, W/4, xy) averaged over whole cells of `blocks` x `blocks`: (rows, columns, xy), to be kept."""
    rows, columns = velocity.shape[0] // blocks, velocity.shape[1] // blocks
    cells = velocity[: rows * blocks, : columns * blocks].reshape(rows, blocks, columns, blocks, 2)
    thin: NDArray[np.float16] = np.clip(cells.mean(axis=(1, 3)), -1000, 1000).astype(np.float16)
    return thin


class Arrows:
    """Draws the fields of one stream in display order; a picture without vectors keeps those before it."""

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self._field: Optional[NDArray[np.float32]] = None

    def thin(self, velocity: NDArray[np.float32]) -> NDArray[np.float16]:
        """What is drawn of a picture's velocity (H/4, W/4, xy): the mean of each cell."""
        return thin_field(velocity, cell_blocks(self.info))

    def draw(self, picture: NDArray[np.uint8], field: Optional[NDArray[np.float16]]) -> None:
        """`picture` is as displayed (height, width, 3) before it is turned; `field` (rows, columns, xy) is its own."""
        if field is not None:
            new = field.astype(np.float32)
            self._field = new if self._field is None else MEMORY * self._field + (1 - MEMORY) * new
        if self._field is not None:
            draw_field(picture, self._field, self.info)


def draw_field(picture: NDArray[np.uint8], field: NDArray[np.floating], info: StreamInfo) -> None:
    """An outlined arrow at the middle of each cell that moves; its colour tells the direction that a viewer sees."""
    side = cell_blocks(info) * BLOCK
    velocity = field.astype(np.float32)
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    rows, columns = np.nonzero(speed > STILL * max(1.0, side / 32))
    if not len(rows):
        return
    x, y = velocity[rows, columns].T
    cells = np.clip(SHORTEST + GAIN * speed[rows, columns] / side, SHORTEST, LONGEST)
    steps = np.rint(cells * STEPS).astype(int)
    directions = np.rint(np.arctan2(y, x) / (2 * np.pi) * DIRECTIONS).astype(int) % DIRECTIONS
    turned = info.rotation * DIRECTIONS // 360
    stamps = [_arrow(side, step, direction, turned) for step, direction in zip(steps.tolist(), directions.tolist())]
    counts = [len(stamp[0]) for stamp in stamps]
    places, keeps, inks = (np.concatenate(parts) for parts in zip(*stamps))
    down = np.repeat((rows * side + side // 2 - info.crop_top).astype(np.int32), counts) + places[:, 0]
    across = np.repeat((columns * side + side // 2 - info.crop_left).astype(np.int32), counts) + places[:, 1]
    height, width = picture.shape[:2]
    inside = np.flatnonzero((down >= 0) & (down < height) & (across >= 0) & (across < width))
    if len(inside) < len(down):
        down, across, keeps, inks = down[inside], across[inside], keeps[inside], inks[inside]
    at = down * np.int32(width) + across
    under = picture.reshape(-1, 3).take(at, axis=0)
    drawn = ((under * keeps) >> 8).astype(np.uint8) + inks
    # A pixel as one value: to set three costs ten times as much.
    np.put(picture.reshape(-1).view("V3"), at, drawn.reshape(-1).view("V3"))


@lru_cache(maxsize=4096)
def _arrow(
    side: int, step: int, direction: int, turned: int
) -> Tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint8]]:
    """An arrow around (0, 0): its pixels (n, row and column), the part of the picture kept, of 256, and the ink (n, 3).

    It is the union of a line and a triangle, smooth at its edges, with a dark rim.
    """
    length, thick, rim = step / STEPS * side, max(0.7, 0.05 * side), max(0.8, 0.035 * side)
    reach = int(np.ceil(length / 2 + 3 * thick + 2 * rim))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle = 2 * np.pi * direction / DIRECTIONS
    along = columns * np.cos(angle) + rows * np.sin(angle)
    off = np.abs(rows * np.cos(angle) - columns * np.sin(angle))
    head = min(0.6 * length, 5.0 * thick)
    neck = length / 2 - head
    shaft = np.hypot(along - np.clip(along, -length / 2, neck), off) - thick
    slope = 0.62  # half the head's width over its length
    tip = np.maximum(neck - along, (off - slope * (length / 2 - along)) / np.hypot(1, slope))
    distance = np.minimum(shaft, tip)
    body, whole = np.clip(0.5 - distance, 0, 1), np.clip(0.5 - (distance - rim), 0, 1)
    seen = whole > 0
    places = np.stack([rows[seen], columns[seen]], axis=1).astype(np.int32)
    hue = angle - 2 * np.pi * turned / DIRECTIONS
    colour = 255 * (0.5 + 0.5 * np.cos(hue + np.array([0, 2, 4]) * np.pi / 3)) ** 0.8
    dark = 0.75
    keeps = 256 * (1 - np.maximum(body, dark * whole))[seen][:, None]
    inks = body[seen][:, None] * colour
    return places, keeps.astype(np.uint16), inks.astype(np.uint8)

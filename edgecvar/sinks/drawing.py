"""What an overlay draws: the motion field as arrows, a label with its probability. Pictures are changed in place."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.sinks.font import ADVANCE, ROWS, text_mask
from edgecvar.stream.types import BLOCK, StreamInfo

ARROWS_ACROSS = 40
"""Arrows in the longer direction, about."""
STILL = 0.25
"""Pixels a frame below which no arrow is drawn: one quarter-pel step is as likely noise."""
GAIN = 2.0
"""Arrow pixels for each pixel a frame."""
LEAST_CELL = 16
"""Side of an arrow's cell in pixels at least: a macroblock."""


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


def draw_field(picture: NDArray[np.uint8], field: NDArray[np.float16], info: StreamInfo) -> None:
    """Arrows of a thinned field on the displayed picture (height, width, 3); colour tells direction."""
    side = cell_blocks(info) * BLOCK
    velocity = field.astype(np.float32)
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    y, x = np.nonzero(speed > STILL)
    if not len(y):
        return
    speed, velocity = speed[y, x], velocity[y, x]  # (arrows,), (arrows, xy)
    start = np.stack([(x + 0.5) * side - info.crop_left, (y + 0.5) * side - info.crop_top], axis=1)
    length = np.minimum(speed * GAIN, 1.5 * side)
    along = velocity / speed[:, None]
    tip = start + along * length[:, None]
    angle = np.arctan2(velocity[:, 1], velocity[:, 0])
    colours = (127.5 + 127.5 * np.cos(angle[:, None] + np.array([0, 2, 4]) * np.pi / 3)).astype(np.uint8)
    head = np.minimum(0.35 * length, 0.3 * side)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    barbs = [tip - head * along + head * sign * across for sign in (-0.7, 0.7)]
    thickness = max(1, side // 16)
    for first, second in ((start, tip), (tip, barbs[0]), (tip, barbs[1])):
        _draw_lines(picture, first, second, colours, thickness)


def _draw_lines(
    picture: NDArray[np.uint8],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    colours: NDArray[np.uint8],
    thickness: int,
) -> None:
    """Lines from first to second (lines, xy), all at once, each in its colour (lines, 3)."""
    steps = int(np.ceil(np.abs(second - first).max())) + 1
    part = np.linspace(0, 1, steps)[None, :, None]
    points = np.rint(first[:, None] + (second - first)[:, None] * part).astype(np.intp)  # (lines, steps, xy)
    ink = np.broadcast_to(colours[:, None], (*points.shape[:2], 3))
    height, width = picture.shape[:2]
    for dy in range(thickness):
        for dx in range(thickness):
            x, y = points[..., 0] + dx, points[..., 1] + dy
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[inside], x[inside]] = ink[inside]


def draw_label(picture: NDArray[np.uint8], text: str, probability: float, note: str = "") -> None:
    """A dark band at the bottom: text, percent, and a bar as wide as the probability; `note` at the top."""
    height, width = picture.shape[:2]
    line = f"{text} {probability:.0%}" if probability > 0 else text
    scale = _scale(height, width, line)
    band = min(height, (ROWS + 7) * scale)
    picture[height - band :] //= 3
    draw_text(picture, line, (height - band + 2 * scale, 2 * scale), scale)
    bar = max(0, min(width, round(width * probability)))
    picture[height - 3 * scale : height - scale, :bar] = (64, 220, 90)
    if note:
        draw_text(picture, note, (2, 2), _scale(height, width, note))


def draw_text(picture: NDArray[np.uint8], text: str, corner: Tuple[int, int], scale: int) -> None:
    """White text with its top left corner at (row, column); what reaches beyond the picture is cut off."""
    top, left = corner
    mask = text_mask(text, scale)
    region = picture[max(top, 0) : top + mask.shape[0], left : left + mask.shape[1]]
    region[mask[: region.shape[0], : region.shape[1]]] = 255


def _scale(height: int, width: int, text: str) -> int:
    """Glyph pixels: by the picture's height, but so that the text fits where that is possible."""
    fitting = (width - 4) // max(1, ADVANCE * len(text))
    return max(1, min(round(height / 140), fitting))

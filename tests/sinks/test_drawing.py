"""Arrows lie along the motion, last, and are coloured as a viewer sees it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edgecvar.sinks.drawing import BLOCK, Arrows, cell_blocks, draw_field, thin_field
from edgecvar.stream.types import StreamInfo

INFO = StreamInfo("h264", 96, 64, Fraction(25), Fraction(1, 25), False, "ffmpeg", 96, 64)


def info_of(width, height, **changes):
    coded = (width + 15) // 16 * 16, (height + 15) // 16 * 16
    return replace(INFO, width=width, height=height, coded_width=coded[0], coded_height=coded[1], **changes)


def one_arrow(info, velocity):
    """Rows and columns that the arrow of the cell in the middle changes, and the picture."""
    side = cell_blocks(info) * BLOCK
    field = np.zeros((info.coded_height // side, info.coded_width // side, 2), np.float32)
    middle = field.shape[0] // 2, field.shape[1] // 2
    field[middle] = velocity
    picture = np.full((info.height, info.width, 3), 128, np.uint8)
    draw_field(picture, field, info)
    rows, columns = np.nonzero((picture != 128).any(axis=2))
    return rows - (middle[0] * side + side // 2), columns - (middle[1] * side + side // 2), picture


def hue(picture):
    """The colour of what is most saturated."""
    flat = picture.reshape(-1, 3).astype(int)
    return flat[np.argmax(flat.max(axis=1) - flat.min(axis=1))].tolist()


def test_an_arrow_lies_along_its_motion_around_the_middle_of_its_cell():
    rows, columns, picture = one_arrow(INFO, (4.0, 0.0))
    assert np.ptp(columns) > 2 * np.ptp(rows) - 2 and abs(columns.mean()) < 4 and abs(rows.mean()) < 0.5
    heights = [np.ptp(rows[columns == column]) for column in np.unique(columns)]
    assert int(np.argmax(heights)) > len(heights) // 2  # the head is on the right
    dark = picture.max(axis=2).min()
    assert dark < 60 and max(hue(picture)) > 230  # a rim around a bright body
    still = one_arrow(INFO, (0.2, 0.0))
    assert len(still[0]) == 0


@pytest.mark.parametrize("width, height", [(160, 120), (1280, 720), (480, 854), (3840, 2160)])
def test_arrows_scale_with_the_picture(width, height):
    info = info_of(width, height)
    side = cell_blocks(info) * BLOCK
    rows, columns, _ = one_arrow(info, (0.5 * side, 0.0))
    assert np.ptp(columns) == pytest.approx(1.5 * side, abs=4 + 0.2 * side)
    assert 0.2 * side < np.ptp(rows) < 0.6 * side + 4


def test_a_turned_picture_has_the_colours_that_its_viewer_sees():
    """Turned by 90 degrees counter-clockwise, what moved down moves to the right."""
    right = hue(one_arrow(INFO, (4.0, 0.0))[2])
    down = hue(one_arrow(replace(INFO, rotation=90), (0.0, 4.0))[2])
    assert right == pytest.approx(down, abs=12)
    assert right != pytest.approx(hue(one_arrow(INFO, (0.0, 4.0))[2]), abs=60)


def test_a_picture_without_vectors_keeps_the_arrows_before_it():
    arrows = Arrows(INFO)
    velocity = np.full((16, 24, 2), 3.0, np.float32)
    first, second, third = (np.full((64, 96, 3), 128, np.uint8) for _ in range(3))
    arrows.draw(first, None)
    assert (first == 128).all()
    arrows.draw(first, arrows.thin(velocity))
    arrows.draw(second, None)
    assert (second != 128).any() and (first == second).all()
    for _ in range(6):
        arrows.draw(third, arrows.thin(0 * velocity))
    third[:] = 128
    arrows.draw(third, None)
    assert (third == 128).all()  # and those of a picture that stands still fade


def test_arrows_follow_the_cropped_corner_and_may_leave_the_picture():
    velocity = np.full((16, 24, 2), -30.0, np.float32)
    picture = np.full((56, 88, 3), 128, np.uint8)
    draw_field(picture, thin_field(velocity, 4), replace(INFO, width=88, height=56, crop_left=8, crop_top=8))
    assert (picture[:3, :3] != 128).any()

"""Accumulation back to the I-picture, on motion fields made by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.types import CodedPicture, MotionField, Residual, StreamInfo

SIDE = 64
GRID = (SIDE // 4, SIDE // 4)
INFO = StreamInfo("h264", SIDE, SIDE, Fraction(30), Fraction(1, 30), True, "ffmpeg", SIDE, SIDE)
ACCUMULATE = InputSpec(height=32, width=32, accumulate=True)


class Made:
    """A picture's content, given."""

    parsed = None
    reference = True

    def __init__(self, motion=None, residual=None):
        self._motion, self._residual = motion, residual

    def motion(self):
        return self._motion

    def residual(self):
        return self._residual

    def planes(self):
        return None


def flat(value):
    half = np.full((SIDE // 2, SIDE // 2), value, np.int16)
    return Residual(np.full((SIDE, SIDE), value, np.int16), half, half)


def field(lists, intra=None):
    """lists: {list: (offset, (vx, vy) in quarter pixels)}"""
    mv = np.zeros((2, *GRID, 2), np.int16)
    offsets = np.zeros((2, *GRID), np.int16)
    intra = np.zeros(GRID, bool) if intra is None else intra
    for direction, (offset, vector) in lists.items():
        mv[direction, ~intra] = vector
        offsets[direction, ~intra] = offset
    return MotionField(mv, offsets, intra, np.zeros(GRID, bool), True)


def picture(decode, display, kind, motion=None, residual=None):
    return CodedPicture(decode, display, display / 30, kind, kind == "I", Made(motion, residual))


def inner(array):
    return array[4:-4, 4:-4]


def test_plain_tracing_gives_the_pictures_own_values():
    motion_source = MotionSource(INFO, InputSpec(height=32, width=32))
    shown = picture(1, 2, "P", field({0: (-2, (-16, 8))}), flat(7))
    motion_source.push(shown)
    np.testing.assert_array_equal(motion_source.motion(shown), np.broadcast_to(np.float32([2, -1]), (*GRID, 2)))
    assert motion_source.residual(shown).y.max() == 7


def test_what_is_intra_is_the_pictures_own_accumulated_or_not():
    for spec in (InputSpec(height=32, width=32), ACCUMULATE):
        motion_source = MotionSource(INFO, spec, residual=False)
        motion_source.push(picture(0, 0, "I"))
        for index in (1, 2, 3):
            mask = np.zeros(GRID, bool)
            mask[4 * index - 4 : 4 * index] = True
            coded = picture(index, index, "P", field({0: (-1, (-16, 0))}, mask))
            motion_source.push(coded)
            np.testing.assert_array_equal(motion_source.intra(coded), mask)


def test_an_i_picture_has_neither():
    motion_source = MotionSource(INFO, InputSpec(height=32, width=32))
    for value in (motion_source.motion, motion_source.residual, motion_source.intra):
        with pytest.raises(StreamError, match="picture 0"):
            value(picture(0, 0, "I"))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=4))
def test_displacement_composes_along_a_chain(steps):
    """P-pictures that move by whole blocks: the displacement since the I-picture is the sum of the steps."""
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    motion_source.push(picture(0, 0, "I"))
    total = np.zeros(2, np.float32)
    for index, (dx, dy) in enumerate(steps, start=1):
        last = picture(index, index, "P", field({0: (-1, (-16 * dx, -16 * dy))}))
        motion_source.push(last)
        total += (4 * dx, 4 * dy)
    np.testing.assert_allclose(motion_source.motion(last), np.broadcast_to(total, (*GRID, 2)))


def test_residuals_are_fetched_along_the_vectors_and_summed():
    motion_source = MotionSource(INFO, ACCUMULATE)
    motion_source.push(picture(0, 0, "I"))
    marked = flat(0)
    marked.y[20, 24] = 50
    motion_source.push(picture(1, 1, "P", field({0: (-1, (0, 0))}), marked))
    last = picture(2, 2, "P", field({0: (-1, (-4 * 4, 4 * 8))}), flat(1))
    motion_source.push(last)
    expected = np.ones((SIDE, SIDE), np.int16)
    expected[20 - 8, 24 + 4] = 51  # content that stood at (20, 24) is now 4 right and 8 up
    np.testing.assert_array_equal(motion_source.residual(last).y, expected)


def test_both_lists_are_averaged():
    motion_source = MotionSource(INFO, ACCUMULATE)
    motion_source.push(picture(0, 0, "I"))
    motion_source.push(picture(1, 4, "P", field({0: (-4, (-64, 0))}), flat(10)))  # 16 pixels right since the I-picture
    middle = picture(2, 2, "B", field({0: (-2, (-32, 0)), 1: (2, (16, 0))}), flat(3))
    motion_source.push(middle)
    # List 0: 8 right. List 1: 4 left of where the P-picture is, that is 16 - 4 = 12 right.
    np.testing.assert_allclose(inner(motion_source.motion(middle)), np.broadcast_to(np.float32([10, 0]), (8, 8, 2)))
    assert set(np.unique(motion_source.residual(middle).y)) == {8}  # 3 + (0 + 10) / 2


def test_intra_blocks_start_anew():
    intra = np.zeros(GRID, bool)
    intra[8] = True
    motion_source = MotionSource(INFO, ACCUMULATE)
    motion_source.push(picture(0, 0, "I"))
    motion_source.push(picture(1, 1, "P", field({0: (-1, (-16, 0))}), flat(5)))
    last = picture(2, 2, "P", field({0: (-1, (-16, 0))}, intra), flat(2))
    motion_source.push(last)
    np.testing.assert_array_equal(motion_source.motion(last)[8], 0)
    np.testing.assert_array_equal(motion_source.motion(last)[7], np.broadcast_to(np.float32([8, 0]), (GRID[1], 2)))
    assert motion_source.residual(last).y[33, 5] == 2
    assert motion_source.residual(last).y[5, 5] == 7


def test_a_list_that_leads_before_the_newest_i_picture_gives_way():
    """Open GOP: the B-picture shown before the new I-picture keeps the path to that one."""
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    motion_source.push(picture(0, 0, "I"))
    motion_source.push(picture(1, 1, "P", field({0: (-1, (-40, 0))})))
    motion_source.push(picture(2, 3, "I"))
    leading = picture(3, 2, "B", field({0: (-1, (-400, 0)), 1: (1, (16, 0))}))
    motion_source.push(leading)
    np.testing.assert_allclose(motion_source.motion(leading), np.broadcast_to(np.float32([-4, 0]), (*GRID, 2)))


def test_a_path_begins_anew_at_a_recovered_picture():
    motion_source = MotionSource(INFO, ACCUMULATE)
    motion_source.push(picture(0, 0, "I"))
    motion_source.push(picture(1, 1, "P", field({0: (-1, (-40, 0))}), flat(9)))
    recovered = replace(picture(2, 2, "P", field({0: (-1, (-40, 0))}), flat(5)), recovered=True)
    motion_source.push(recovered)
    last = picture(3, 3, "P", field({0: (-1, (-16, 0))}), flat(2))
    motion_source.push(last)
    assert not motion_source.motion(recovered).any() and not motion_source.residual(recovered).y.any()
    np.testing.assert_allclose(motion_source.motion(last), np.broadcast_to(np.float32([4, 0]), (*GRID, 2)))
    assert (motion_source.residual(last).y == 2).all()


def test_anchors_with_16_b_pictures_between_are_followed():
    """The B-pictures all use the older anchor alone; the younger one must still be there for the next anchor."""
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    motion_source.push(picture(0, 0, "I"))
    decode = 0
    for group in range(1, 4):
        decode += 1
        anchor = picture(decode, 17 * group, "P", field({0: (-17, (-16, 0))}))
        motion_source.push(anchor)
        np.testing.assert_allclose(
            motion_source.motion(anchor), np.broadcast_to(np.float32([4 * group, 0]), (*GRID, 2))
        )
        for step in range(1, 17):
            decode += 1
            motion_source.push(picture(decode, 17 * (group - 1) + step, "B", field({0: (-step, (0, 0))})))


def test_a_reference_that_is_gone_is_an_error_that_names_the_picture():
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    motion_source.push(picture(0, 0, "I"))
    motion_source.push(picture(1, 1, "P", field({0: (-1, (0, 0))})))
    for index in range(2, 36):
        motion_source.push(picture(index, index, "P", field({0: (1 - index, (0, 0))})))
    with pytest.raises(StreamError, match=r"picture 36 \(P\).*displayed as 0"):
        motion_source.push(picture(36, 36, "P", field({0: (-36, (0, 0))})))


def test_sixteen_references_are_there_however_often_older_ones_were_used():
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    motion_source.push(picture(0, 0, "I"))
    for index in range(1, 40):
        back = min(index, 16) if index % 2 else 1
        motion_source.push(picture(index, index, "P", field({0: (-back, (0, 0))})))


def test_what_refers_to_a_lost_picture_begins_there():
    motion_source = MotionSource(INFO, ACCUMULATE, residual=False)
    orphan = picture(0, 0, "P", replace(field({0: (-1, (-8, 0))}), exact=False))
    motion_source.push(orphan)
    np.testing.assert_allclose(motion_source.motion(orphan), np.broadcast_to(np.float32([2, 0]), (*GRID, 2)))

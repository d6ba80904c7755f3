"""Rectangles lose nothing of a motion field, and join what is alike."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.stream.rectangles import rectangles
from edgecvar.stream.types import BLOCK, MotionField
from tests.moving_clip import moving_clip


def rebuilt(found, rows, columns):
    """Vectors, references, weights and what nothing covers, painted block by block."""
    mv, offset = np.zeros((2, rows, columns, 2), np.int16), np.zeros((2, rows, columns), np.int16)
    weighted, times = np.zeros((rows, columns), bool), np.zeros((2, rows, columns), int)
    for place in range(len(found)):
        y, x = int(found.y[place]) // BLOCK, int(found.x[place]) // BLOCK
        height, width = int(found.height[place]) // BLOCK, int(found.width[place]) // BLOCK
        area = (int(found.list[place]), slice(y, y + height), slice(x, x + width))
        mv[area] = found.mv_x[place], found.mv_y[place]
        offset[area] = found.ref_offset[place]
        weighted[area[1:]] |= found.weighted[place]
        times[area] += 1
    return mv, offset, weighted, times


def check(motion):
    found = rectangles(motion)
    mv, offset, weighted, times = rebuilt(found, *motion.intra.shape)
    used = (motion.ref_offset != 0) & ~motion.intra
    assert (times == used).all()  # each block once, and no other
    assert (offset == np.where(used, motion.ref_offset, 0)).all()
    assert (mv == np.where(used[..., None], motion.mv_qpel, 0)).all()
    assert (weighted == (motion.weighted & used.any(axis=0))).all()
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_any_field_is_rebuilt(rows, columns, seed, values):
    rng = np.random.default_rng(seed)
    motion = MotionField(
        rng.integers(-values, values, (2, rows, columns, 2)).astype(np.int16),
        rng.integers(-1, 2, (2, rows, columns)).astype(np.int16),
        rng.random((rows, columns)) < 0.2,
        rng.random((rows, columns)) < 0.2,
        True,
    )
    check(motion)


def test_a_field_of_one_vector_is_one_rectangle():
    motion = MotionField(
        np.full((2, 6, 8, 2), 5, np.int16),
        np.stack([np.full((6, 8), -1, np.int16), np.zeros((6, 8), np.int16)]),
        np.zeros((6, 8), bool),
        np.zeros((6, 8), bool),
        True,
    )
    found = check(motion)
    assert len(found) == 1 and (found.width[0], found.height[0]) == (32, 24)


def test_real_pictures_are_rebuilt(tmp_path):
    from edgecvar import open_stream

    with open_stream(moving_clip(tmp_path / "clip.mp4", pictures=20, bf="2")) as stream:
        fields = [picture.motion for picture in stream if picture.motion is not None]
    assert len(fields) > 10
    for motion in fields:
        assert len(check(motion)) < motion.intra.size

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.train.augment.camera import course, fields, global_motion, with_camera, without_camera
from tests.train.augment.clips import clip_of

AFFINE = np.array([[[1.5, 0.02, -0.01], [-0.5, 0.01, 0.02]]])


def field_of(motion: np.ndarray, noise: float = 0.0) -> np.ndarray:
    field = fields(motion, np.zeros((1, 2, 48, 64)))
    return (field + np.random.default_rng(4).normal(0, noise, field.shape)).astype(np.float32)


def test_an_affine_motion_is_found_exactly() -> None:
    np.testing.assert_allclose(global_motion(field_of(AFFINE)[0]), AFFINE[0], atol=1e-4)


@pytest.mark.parametrize("area", [0.1, 0.25, 0.4])
def test_what_moves_by_itself_does_not_pull_it_along(area: float) -> None:
    """A block of up to two fifths of the picture, far off, beside noise as of quarter pixels."""
    field = field_of(AFFINE, 0.07)
    clean = global_motion(field[0])
    field[0, :, :, : round(64 * area)] = np.array([-4.0, 3.0])[:, None, None]
    places = fields(global_motion(field[0])[None], field) - fields(AFFINE, field)
    assert np.abs(places).max() < 0.15
    assert np.abs(clean - AFFINE[0]).max() < 0.02


def test_a_still_picture_has_no_global_motion_whatever_moves_in_it() -> None:
    field = np.zeros((2, 48, 64), np.float32)
    field[:, 10:40, 10:40] = 5.0
    assert np.array_equal(global_motion(field), np.zeros((2, 3)))


def test_what_was_added_is_removed_and_intra_blocks_stay_still() -> None:
    own = np.zeros((3, 2, 48, 64))
    own[:, :, 10:30, 20:40] = 1.0
    clip = clip_of(own, flow=True)
    motion = np.repeat(AFFINE, 3, axis=0) * np.array([1.0, 0.5, -1.0])[:, None, None]
    moved = with_camera(clip, motion)
    assert np.abs(moved.motion - clip.motion).max() > 1
    back = without_camera(moved)
    np.testing.assert_allclose(back.motion, clip.motion, atol=1e-3)
    np.testing.assert_allclose(back.flow, clip.flow, atol=1e-3)
    moved.motion[:, :, :5, :5] = 0.0
    assert not without_camera(moved).motion[:, :, :5, :5].any()


def test_a_course_is_smooth_within_its_bounds_and_in_one_direction() -> None:
    for seed in range(50):
        motion = course(9, 2.0, 0.05, 0.5, np.random.default_rng(seed))
        shift = motion[:, :, 0]
        assert np.hypot(*shift.T).max() <= 2.0
        assert abs(shift[0, 0] * shift[-1, 1] - shift[0, 1] * shift[-1, 0]) < 1e-9
        assert np.array_equal(motion[:, 0, 1], motion[:, 1, 2]) and not motion[:, 0, 2].any()
        assert np.abs(motion[:, 0, 1]).max() <= 0.05 / 0.5
        steps = np.linalg.norm(np.diff(shift, axis=0), axis=1)
        assert steps.max() <= 2.0 * 2 * np.pi / 8
    assert course(1, 2.0, 0.0, 1.0, np.random.default_rng(0)).shape == (1, 2, 3)

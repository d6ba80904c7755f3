from __future__ import annotations

import numpy as np
import pytest

from edgecvar.train.augment.turning import rotated, turning
from tests.train.augment.clips import clip_of


def test_a_quarter_turn_moves_every_value_and_turns_every_vector() -> None:
    clip = clip_of(np.random.default_rng(1).normal(size=(2, 2, 9, 9)), flow=True, frame=True)
    turned = rotated(clip, 90)
    for name in ("image", "adjacent", "residual", "intra", "frame"):
        expected = np.rot90(getattr(clip, name), -1, axes=(2, 3))
        np.testing.assert_allclose(getattr(turned, name), expected, atol=1e-5)
    x, y = np.rot90(clip.motion, -1, axes=(2, 3)).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(turned.motion, np.stack([-y, x], axis=1), atol=1e-5)
    assert np.array_equal(turned.flow, turned.motion)


def test_corners_stand_still_and_images_go_on_to_them() -> None:
    clip = clip_of(np.ones((1, 2, 32, 32)))
    turned = rotated(clip, 30)
    assert np.abs(turned.motion[0, :, 0, 0]).max() == 0 == np.abs(turned.residual[0, :, 0, 0]).max()
    assert turned.intra[0, 0, 0, 0] == 0
    assert np.abs(turned.image[0, :, 0, 0]).min() > 0


@pytest.mark.parametrize("aspect", [1.0, 0.6])
def test_turns_add_up_in_the_pictures_own_pixels(aspect: float) -> None:
    np.testing.assert_allclose(turning(20, aspect) @ turning(-35, aspect), turning(-15, aspect), atol=1e-12)
    stretch = np.diag([aspect, 1.0])  # from the picture's pixels to the input's
    np.testing.assert_allclose(turning(20, aspect) @ stretch, stretch @ turning(20), atol=1e-12)


def test_turned_vectors_stay_in_the_range_of_prepared_ones() -> None:
    clip = clip_of(np.full((1, 2, 16, 16), 8.0))
    assert rotated(clip, 45).motion.max() == 8.0

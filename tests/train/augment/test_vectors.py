from __future__ import annotations

import numpy as np
import pytest

from edgecvar.train.augment.vectors import faster, noisy, without_blocks
from tests.train.augment.clips import clip_of


def test_faster_scales_vectors_and_flow_alone_and_keeps_their_range() -> None:
    clip = clip_of(np.full((2, 2, 16, 16), 3.0), flow=True)
    twice = faster(clip, 2.0)
    assert (twice.motion == 6.0).all() and (twice.flow == 6.0).all()
    assert (faster(clip, 4.0).motion == 8.0).all()
    for name in ("image", "residual", "intra"):
        assert np.array_equal(getattr(twice, name), getattr(clip, name))


@pytest.mark.parametrize("size", [(64, 64), (40, 100), (8, 8)])
def test_a_share_of_whole_blocks_stands_still(size: tuple) -> None:
    clip = clip_of(np.ones((40, 2, *size)), flow=True)
    left = without_blocks(clip, 0.3, np.random.default_rng(2))
    side = max(1, size[0] // 16)
    blocks = left.motion[:, :, ::side, ::side]
    assert set(np.unique(left.motion)) == {0.0, 1.0}
    whole = blocks.repeat(side, axis=2)[:, :, : size[0]].repeat(side, axis=3)[..., : size[1]]
    assert np.array_equal(left.motion, whole)
    assert np.array_equal(left.motion[:, 0], left.motion[:, 1])
    assert 1 - blocks.mean() == pytest.approx(0.3, abs=0.03)
    assert (left.flow == 1).all() and np.array_equal(left.intra, clip.intra)


def test_noise_has_its_deviation_and_is_one_vector_a_block() -> None:
    clip = clip_of(np.zeros((40, 2, 64, 64)), flow=True)
    off = noisy(clip, 0.5, np.random.default_rng(3))
    blocks = off.motion[:, :, ::4, ::4]
    assert np.array_equal(off.motion, blocks.repeat(4, axis=2).repeat(4, axis=3))
    assert blocks.std() == pytest.approx(0.5, abs=0.02) and abs(blocks.mean()) < 0.02
    assert abs(np.corrcoef(blocks[:, 0].ravel(), blocks[:, 1].ravel())[0, 1]) < 0.05
    assert off.motion.dtype == np.float32 and not off.flow.any()

"""What a causal layer sees of the pictures before, of a clip and of a stream."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.nets.modules.stream_buffer import Clip, Kept  # noqa: E402


def test_a_cumulative_average_is_the_mean_and_then_fades() -> None:
    values = torch.randn(1 * 9, 2, 1, 1)
    got = Clip(9, 4).averaged(values)[:, :, 0, 0]
    for at in range(4):
        assert torch.allclose(got[at], values[: at + 1].mean((0, 2, 3)), atol=1e-6)
    for at in range(4, 9):
        assert torch.allclose(got[at], 0.75 * got[at - 1] + 0.25 * values[at, :, 0, 0], atol=1e-6)


def test_a_clip_begins_with_zeros_and_a_stream_with_what_it_kept() -> None:
    maps = torch.arange(2 * 3 * 2 * 2 * 2, dtype=torch.float32).reshape(6, 2, 2, 2)  # two clips of three pictures
    clip = Clip(3, 9)
    rows = clip.buffered(maps, 2)
    assert rows.shape == (2, 2, 2 + 3, 4) and not rows[:, :, :2].any()
    assert torch.equal(rows[1, :, 3], maps[4].flatten(1))
    assert torch.equal(clip.pictured(rows[:, :, 2:], (2, 2)), maps)
    stream = Kept([torch.zeros(2, 1, 1, 1), rows[:, :, 1:3]], 9)
    assert torch.equal(stream.buffered(maps[1::3], 2), rows[:, :, 1:4])
    assert torch.equal(stream.newest[1], rows[:, :, 2:4]) and stream.newest[0].unique().tolist() == [1]
    assert torch.equal(stream.pictured(rows[:, :, 3:4], (2, 2)), maps[1::3])

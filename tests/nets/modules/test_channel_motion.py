"""MEM and PEM against their equations written out slowly, beside what each module sees of a clip."""

from __future__ import annotations

from typing import Any, List

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.nets.modules.channel_motion import (  # noqa: E402
    CHANNEL_MODULES,
    MotionEnhanced,
    ProgressiveEnhancement,
)

pytestmark = pytest.mark.train

Array = NDArray[np.float64]
SEGMENTS, CHANNELS = 4, 8


def sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def clips(seed: int = 0) -> Any:
    """Maps of two clips, each channel of each sample with a mean of its own."""
    random = torch.Generator().manual_seed(seed)
    means = 3 * torch.randn(2 * SEGMENTS, CHANNELS, 1, 1, generator=random)
    return (means + torch.randn(2 * SEGMENTS, CHANNELS, 3, 2, generator=random)).double()


def weights(module: Any) -> List[Array]:
    return [part.weight.detach().numpy() for part in (module.w1, module.w2, module.w3)]


def means_of(clip: Array) -> List[Array]:
    return [np.array([channel.sum() / channel.size for channel in sample]) for sample in clip]


def enhanced_slowly(clip: Array, module: Any) -> Array:
    """MEM for one clip (T, C, h, w)."""
    (w1, w2, w3), x, out = weights(module), means_of(clip), clip.copy()
    for t in range(SEGMENTS - 1):
        difference = w1 @ x[t] - w2 @ x[t + 1]
        out[t] *= sigmoid(w3 @ difference)[:, None, None]
    return out


def progressive_slowly(clip: Array, module: Any) -> Array:
    """PEM for one clip (T, C, h, w), its memory a weighted sum of z_1 to z_t."""
    (w1, w2, w3), x, out = weights(module), means_of(clip), clip.copy()
    shares, z = np.zeros(SEGMENTS), np.array([w1 @ each for each in x])
    for t in range(SEGMENTS):
        share = 1.0 if t == 0 else float(sigmoid(w2 @ (z[t] - shares @ z))[0])
        shares *= 1 - share
        shares[t] = share
        assert shares.sum() == pytest.approx(1)
        out[t] *= sigmoid(w3 @ (shares @ z))[:, None, None]
    return out


@pytest.mark.parametrize(("kind", "slowly"), [("mem", enhanced_slowly), ("pem", progressive_slowly)])
def test_the_modules_equations(kind: str, slowly: Any) -> None:
    torch.manual_seed(2)
    module = CHANNEL_MODULES[kind](CHANNELS, SEGMENTS, 2, 1).double()
    given = clips()
    expected = [slowly(clip, module) for clip in given.numpy().reshape(2, SEGMENTS, CHANNELS, 3, 2)]
    got = module(given).detach().numpy().reshape(2, SEGMENTS, CHANNELS, 3, 2)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert not np.allclose(got, given.numpy().reshape(got.shape))


SEEN = {
    "none": np.eye(SEGMENTS),
    "mem": np.eye(SEGMENTS) + np.eye(SEGMENTS, k=1),
    "pem": np.tri(SEGMENTS),
    "cme": np.ones((SEGMENTS, SEGMENTS)),
}
"""By module, which samples (columns) each sample's output (rows) is made of."""


@pytest.mark.parametrize("kind", SEEN)
def test_what_each_sees(kind: str) -> None:
    torch.manual_seed(2)
    module, given = CHANNEL_MODULES[kind](CHANNELS, SEGMENTS, 2, 2).double(), clips()
    before, seen = module(given).unflatten(0, (2, SEGMENTS)), np.zeros((SEGMENTS, SEGMENTS))
    for t in range(SEGMENTS):
        changed = given.clone()
        changed[t] += 1  # of the first clip
        after = module(changed).unflatten(0, (2, SEGMENTS))
        seen[:, t] = [not torch.equal(one, other) for one, other in zip(before[0], after[0])]
        assert torch.equal(before[1], after[1])
    np.testing.assert_array_equal(seen, SEEN[kind] > 0)


def test_a_still_clip_moves_no_memory_and_mem_leaves_the_last_sample() -> None:
    torch.manual_seed(2)
    still = clips()[:1].repeat(SEGMENTS, 1, 1, 1)
    gated = ProgressiveEnhancement(CHANNELS, SEGMENTS, 2).double()(still)
    torch.testing.assert_close(gated, gated[:1].expand_as(gated))
    given = clips()
    out = MotionEnhanced(CHANNELS, SEGMENTS, 2).double()(given)
    assert torch.equal(out[SEGMENTS - 1 :: SEGMENTS], given[SEGMENTS - 1 :: SEGMENTS])


def test_their_reductions_and_gradients() -> None:
    for kind, second in (("cme", (2, CHANNELS)), ("mem", (4, CHANNELS)), ("pem", (1, 4))):
        module: Any = CHANNEL_MODULES[kind](CHANNELS, SEGMENTS, 2, 4).double()
        assert (module.w1.weight.shape, module.w3.weight.shape) == ((4, CHANNELS), (CHANNELS, 4))
        assert module.w2.weight.shape == second
        assert torch.autograd.gradcheck(module, (clips()[:SEGMENTS].requires_grad_(),), fast_mode=True)

"""Motion alone: pictures one by one give what the whole gives, and nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.motion import Motion, MotionOptions

pytestmark = pytest.mark.train

SPEC = InputSpec(height=48, width=64, crop=1.0, squash=True)
PICTURES = 40
"""More than the convolutions look back: the states have gone round."""


def network(**options: Any) -> Motion:
    """In eval mode, its norms with the statistics of a batch, so that features are neither tiny nor all alike."""
    torch.manual_seed(0)
    net = Motion(MotionOptions(**options), SPEC, 5)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
            torch.nn.init.uniform_(part.bias, -0.5, 0.5)  # what is nothing and what is zero then differ
    with torch.no_grad():
        net(batch(seed=9))
    return net.eval()


def batch(seed: int = 1, clips: int = 2, pictures: int = PICTURES) -> ClipBatch:
    torch.manual_seed(seed)
    motion, residual = torch.randn(clips, pictures, 2, 48, 64), torch.randn(clips, pictures, 3, 48, 64)
    image = torch.zeros(clips, pictures, 3, 48, 64)
    intra = torch.rand(clips, pictures, 1, 48, 64)
    return ClipBatch(image, image, motion, residual, torch.zeros(clips, dtype=torch.int64), intra=intra)


def zeros(net: Motion, clips: int) -> List[torch.Tensor]:
    return [torch.zeros(clips, *shape) for shape in net.motion.past.state_shapes.values()]


def one_by_one(net: Motion, inputs: ClipBatch) -> torch.Tensor:
    """The scores of the stage at each picture, handed its states (N, T, classes)."""
    states, scores = zeros(net, len(inputs.motion)), []
    for at in range(inputs.motion.shape[1]):
        prepared = (getattr(inputs, source)[:, at] for source in net.options.sources)
        score, *states = net.stage("motion")(*prepared, *states)
        scores.append(score)
    return torch.stack(scores, 1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"residual": False},
        {"intra": True},
        {"residual": False, "intra": True},
        {"anywhere": True},
        {"anywhere": True, "compress": True, "intra": True},
        {"kernel": 5, "dilations": (1, 3)},
        {"decay": 0.0},
        {"decay": 0.9},
    ],
)
def test_pictures_one_by_one_give_what_the_whole_gives(options: Any) -> None:
    net, inputs = network(**options), batch()
    with torch.no_grad():
        steps, whole = one_by_one(net, inputs), net.each_picture(inputs)
        assert whole.shape == (2, PICTURES, 5)
        assert torch.allclose(steps, whole, atol=1e-5)
        assert torch.allclose(net(inputs), steps.mean(1), atol=1e-5)
    assert whole.std(1).min() > 1e-3 and (whole[0] - whole[1]).abs().max() > 1e-3


def test_states_keep_their_size_and_names() -> None:
    net, inputs = network(), batch(clips=1)
    shapes = net.motion.past.state_shapes
    assert list(shapes) == ["past0", "past1", "past2", "past3", "recent_mean", "recent_peak"]
    assert [shape[1] for shape in shapes.values()] == [2, 4, 8, 16, 1, 1]
    with torch.no_grad():
        _, *states = net.stage("motion")(inputs.motion[:, 0], inputs.residual[:, 0], *zeros(net, 1))
    assert [list(state.shape[1:]) for state in states] == list(shapes.values())


def test_nothing_looks_ahead() -> None:
    net, inputs = network(), batch()
    motion, residual = inputs.motion.clone(), inputs.residual.clone()
    motion[:, 20:], residual[:, 20:] = 3.0, 3.0
    changed = ClipBatch(inputs.image, inputs.image, motion, residual, inputs.labels)
    with torch.no_grad():
        before, after = net.each_picture(inputs), net.each_picture(changed)
    assert torch.allclose(before[:, :20], after[:, :20], atol=1e-5)
    assert (before[:, 20] - after[:, 20]).abs().max() > 1e-3


def test_order_in_time_tells() -> None:
    net, inputs = network(), batch()
    backwards = ClipBatch(inputs.image, inputs.image, inputs.motion.flip(1), inputs.residual.flip(1), inputs.labels)
    with torch.no_grad():
        assert (net(inputs) - net(backwards)).abs().max() > 1e-3


def test_the_past_fades_as_its_decay_says() -> None:
    pool = network(decay=0.9).motion.past.pool
    x = torch.zeros(1, 64, 6, 1)
    x[:, :, 1], x[:, :, 4] = 2.0, 1.0
    mean, peak = pool(x, *(torch.zeros(1, 64, 1, 1) for _ in range(2)))
    assert peak[0, 0, :, 0].tolist() == pytest.approx([0, 2, 1.8, 1.62, 1.458, 1.3122])
    assert mean[0, 0, :, 0].tolist() == pytest.approx([0, 0.8, 0.72, 0.648, 0.9832, 0.88488])


@pytest.mark.parametrize("source", ["residual", "intra"])
def test_more_than_vectors_is_asked_for_only_where_it_is_looked_at(source: str) -> None:
    with_it, without = network(**{"residual": False, source: True}), network(residual=False)
    assert [[tensor.source for tensor in net.stages()[0].inputs] for net in (with_it, without)] == [
        ["motion", source],
        ["motion"],
    ]
    inputs = batch()
    changed = replace(inputs, **{source: getattr(inputs, source) * 2})
    with torch.no_grad():
        assert torch.equal(without(inputs), without(changed))
        assert (with_it(inputs) - with_it(changed)).abs().max() > 1e-3


@pytest.mark.parametrize("anywhere", [True, False])
def test_what_happens_elsewhere_is_the_same_only_where_that_is_asked_for(anywhere: bool) -> None:
    net, still = network(anywhere=anywhere, residual=False), batch()
    here, there = torch.zeros_like(still.motion), torch.zeros_like(still.motion)
    here[..., 16:32, 16:32] = 2.0
    there[..., 16:32, 32:48] = 2.0  # as far from the sides
    with torch.no_grad():
        one, other = net(replace(still, motion=here)), net(replace(still, motion=there))
    assert torch.allclose(one, other, atol=1e-5) == anywhere


def test_shares_of_another_shape_are_refused() -> None:
    inputs = batch()
    with pytest.raises(ValueError, match=r"ClipBatch\.intra: got shape .*, 3, 48, 64\), expected .*, 1, 48, 64\)"):
        replace(inputs, intra=inputs.residual)


def test_it_is_small() -> None:
    assert sum(weight.numel() for weight in network().parameters()) < 100_000


def test_inputs_that_do_not_divide_are_one_error() -> None:
    with pytest.raises(ConfigError, match=r"60 x 48.*multiples of 8"):
        Motion(MotionOptions(), InputSpec(height=48, width=60), 5)

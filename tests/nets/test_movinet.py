"""MoViNet-A0-Stream: a stream is its clip, nothing looks ahead, and nothing grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from torch import nn  # noqa: E402

from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.nets.backbones.movinet import Bottleneck  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.movinet import Movinet, StreamOptions  # noqa: E402

SPEC = InputSpec(height=48, width=64)
PICTURES = 14
MEMORY = 5
"""Less than the pictures: averages have begun to fade."""
SMALL = {"width": 0.25, "appearance": 0.25, "memory": MEMORY}


def network(**options: Any) -> Movinet:
    """In eval mode, its norms with the statistics of a batch and its layers weighing something."""
    torch.manual_seed(0)
    net = Movinet(StreamOptions(**{**SMALL, **options}), SPEC, 5)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
            nn.init.uniform_(part.bias, -0.5, 0.5)  # what is nothing and what is zero then differ
        elif isinstance(part, Bottleneck):
            nn.init.constant_(part.scale, 0.7)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight)  # scores of some size, so that differences show
    with torch.no_grad():
        net(batch(seed=9))
    return net.eval()


def batch(seed: int = 1, clips: int = 2, pictures: int = PICTURES) -> ClipBatch:
    """An I-picture every five pictures."""
    torch.manual_seed(seed)
    motion, residual, frame = (torch.randn(clips, pictures, channels, 48, 64) for channels in (2, 3, 3))
    image = torch.randn(clips, 1 + pictures // 5, 3, 48, 64).repeat_interleave(5, 1)[:, :pictures]
    return ClipBatch(image, image, motion, residual, torch.zeros(clips, dtype=torch.int64), frame=frame)


def one_by_one(net: Movinet, inputs: ClipBatch) -> torch.Tensor:
    """The scores of the stages at each picture, handed their states (N, T, classes)."""
    states: List[torch.Tensor] = [torch.zeros(len(inputs.motion), *each.shape) for each in net.stages()[-1].state]
    scores = []
    for at in range(inputs.motion.shape[1]):
        tensors = [getattr(inputs, source)[:, at] for source in net.options.sources]
        if net.appearance is not None:
            tensors.append(net.stage("appearance")(inputs.image[:, at]))
        score, *states = net.stage("stream")(*tensors, *states)
        scores.append(score)
    assert [list(state.shape[1:]) for state in states] == [each.shape for each in net.stages()[-1].state]
    return torch.stack(scores, 1)


@pytest.mark.parametrize("options", [{}, {"inputs": "frames"}, {"appearance": 0}, {"depth": 0.3, "memory": 50}])
def test_a_stream_is_its_clip(options: Any) -> None:
    net, inputs = network(**options), batch()
    with torch.no_grad():
        steps, whole = one_by_one(net, inputs), net.each_picture(inputs)
        assert torch.allclose(steps, whole, atol=1e-4)
        assert torch.allclose(net(inputs), steps.mean(1), atol=1e-4)
    assert whole.std(1).min() > 0.1 and (whole[0] - whole[1]).abs().max() > 1


@pytest.mark.parametrize("source", ["motion", "residual", "image"])
def test_nothing_looks_ahead(source: str) -> None:
    net, inputs = network(), batch()
    changed = getattr(inputs, source).clone()
    changed[:, 10:] = 3.0
    with torch.no_grad():
        before, after = net.each_picture(inputs), net.each_picture(replace(inputs, **{source: changed}))
    assert torch.allclose(before[:, :10], after[:, :10], atol=1e-4)
    assert (before[:, 10] - after[:, 10]).abs().max() > 0.1


def test_the_order_in_time_tells_within_the_reach_of_the_buffers() -> None:
    net, inputs = network(memory=50), batch()
    swapped = inputs.motion.clone()
    swapped[:, [5, 7]] = swapped[:, [7, 5]]
    with torch.no_grad():
        scores, others = net.each_picture(inputs), net.each_picture(replace(inputs, motion=swapped))
    assert (scores[:, -1] - others[:, -1]).abs().max() > 1e-3


def test_months_of_a_stream_grow_nothing() -> None:
    net, inputs = network(appearance=0), batch(pictures=1)
    states = [torch.full((2, *each.shape), 3.0) for each in net.stages()[-1].state]
    states[0] = torch.full((2, 1, 1, 1), float(MEMORY))  # as after the first pictures, and ever after
    with torch.no_grad():
        for _ in range(60):
            _, *states = net.stage("stream")(inputs.motion[:, 0], inputs.residual[:, 0], *states)
            assert states[0].unique().tolist() == [MEMORY]
        still, *_ = net.stage("stream")(inputs.motion[:, 0], inputs.residual[:, 0], *states)
        again, *_ = net.stage("stream")(inputs.motion[:, 0], inputs.residual[:, 0], *states)
    assert max(float(state.abs().max()) for state in states[1:]) < 100
    assert torch.equal(still, again)


def test_an_i_picture_is_computed_once_a_window_in_training_too() -> None:
    net, seen = network(), []
    assert net.appearance is not None
    net.appearance.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    with torch.no_grad():
        net(batch())
    assert seen == [2 * 3]


def test_states_are_those_of_the_table() -> None:
    with torch.device("meta"):
        states = Movinet(StreamOptions(inputs="frames"), InputSpec(height=172, width=172), 5).stages()[0].state
    shapes = {each.name: each.shape for each in states}
    assert [name for name in shapes if name.endswith("past")] == [
        *(f"b1_l{place}_past" for place in range(3)),
        *(f"b2_l{place}_past" for place in range(3)),
        *(f"b3_l{place}_past" for place in range(4)),
        "b4_l0_past",
    ]
    assert shapes["b1_l0_past"] == [80, 2, 22 * 22] and shapes["b2_l0_past"] == [184, 4, 11 * 11]
    assert shapes["b4_l0_past"] == [384, 4, 6 * 6] and shapes["last_average"] == [480, 1, 1]


def test_a_clip_loses_its_i_features_at_random_in_training_alone() -> None:
    net, inputs = network(appearance_dropout=0.9), batch(clips=8, pictures=2)
    with torch.no_grad():
        kept = net._still(inputs.image)
        dropped = net.train()._still(inputs.image)
    assert kept.abs().amax((1, 2)).min() > 0
    assert 0 in dropped.abs().amax((1, 2)) and set(net.options.sources) == {"motion", "residual"}


def test_frames_that_are_not_there_are_one_error() -> None:
    net = Movinet(StreamOptions(**SMALL, inputs="frames"), SPEC, 5)
    with pytest.raises(ValueError, match=r"ClipBatch\.frame: got none, which inputs: frames looks at"):
        net(replace(batch(), frame=None))

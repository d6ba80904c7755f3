"""CoViAR: fusion by its weights, streams that share nothing and learn apart, and stages that are the whole."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.coviar import Coviar
from edgecvar.nets.features import Features
from edgecvar.train.losses import ForwardPass, streams

pytestmark = pytest.mark.train

TINY = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
SMALL = {"appearance": TINY, "motion": TINY, "residual": TINY}
SPEC = InputSpec(height=32, width=48, accumulate=True)


def network(**options: Any) -> Coviar:
    torch.manual_seed(0)
    built = build_network("coviar", {**SMALL, **options}, SPEC, 4)
    assert isinstance(built, Coviar)
    return built


def batch(clips: int = 2, segments: int = 3) -> ClipBatch:
    generator = torch.Generator().manual_seed(1)

    def made(channels: int) -> Tensor:
        return torch.randn(clips, segments, channels, 32, 48, generator=generator)

    return ClipBatch(made(3), made(3), made(2), made(3), torch.arange(clips))


def test_scores_are_the_weighted_mean_of_the_streams() -> None:
    net, inputs = network().eval(), batch()
    with torch.no_grad():
        expected = torch.zeros(2, 4)
        for clip in range(2):
            for segment in range(3):
                expected[clip] += (
                    2 * net.appearance.backbone(inputs.image[clip, segment][None])[0]
                    + net.motion(inputs.motion[clip, segment][None])[0]
                    + net.residual(inputs.residual[clip, segment][None])[0]
                ) / (4 * 3)
        assert torch.allclose(net(inputs), expected, atol=1e-6)


def test_motion_and_residual_are_normalised_and_images_are_not() -> None:
    net = network().train()
    own = torch.randn(8, 2, 32, 48) * 7 + 5
    normed = net.motion.data_bn(own)
    assert torch.allclose(normed.mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(normed.std((0, 2, 3)), torch.ones(2), atol=1e-3)
    assert net.appearance.data_bn is None
    # The first convolution sees a scale-free input: 10 x the vectors give the same scores in training.
    assert torch.allclose(net.motion(own), net.motion(10 * own), atol=1e-4)
    assert network(data_norm=False).motion.data_bn is None


@pytest.mark.parametrize("left_out", ["appearance", "motion", "residual"])
def test_a_stream_of_weight_0_is_not_there(left_out: str) -> None:
    net = network(weights={left_out: 0}).eval()
    assert not hasattr(net, left_out)
    names = [spec.name for spec in net.stages()]
    assert left_out not in names and len(names) == 3
    others = [name for name in ("appearance", "motion", "residual") if name != left_out]
    weights = {"appearance": 2.0, "motion": 1.0, "residual": 1.0}
    shares = [weights[name] / sum(weights[each] for each in others) for name in others]
    assert net.fuse.shares == pytest.approx(shares)


def test_one_stream_alone_gives_its_own_scores() -> None:
    net, inputs = network(weights={"appearance": 0, "residual": 0}).eval(), batch(1, 1)
    with torch.no_grad():
        assert torch.equal(net(inputs), net.motion(inputs.motion[0]))


def test_under_the_streams_loss_each_stream_learns_as_if_alone() -> None:
    """One step of Adam on all three moves each stream as a step on it alone does."""
    inputs = batch()
    together = network().train()
    optimizer = torch.optim.Adam(together.parameters(), lr=0.01)
    streams(ForwardPass(inputs, together.features(inputs), {}, 0.1)).value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    sources = {"appearance": inputs.image, "motion": inputs.motion, "residual": inputs.residual}
    for name, prepared in sources.items():
        alone = network().train().get_submodule(name)
        before = {key: value.clone() for key, value in alone.state_dict().items()}
        own = torch.optim.Adam(alone.parameters(), lr=0.01)
        scores = alone(prepared.flatten(0, 1)).unflatten(0, (2, 3)).mean(1)
        functional.cross_entropy(scores, inputs.labels, label_smoothing=0.1).backward()
        own.step()
        moved: Dict[str, Tensor] = together.get_submodule(name).state_dict()
        for key, value in alone.state_dict().items():
            assert torch.allclose(moved[key].float(), value.float(), atol=1e-6), (name, key)
        assert not torch.equal(moved["backbone.conv1.weight"], before["backbone.conv1.weight"])


def test_the_streams_loss_needs_streams() -> None:
    with pytest.raises(ConfigError, match="the network has none"):
        streams(ForwardPass(batch(), Features(torch.zeros(2, 4)), {}, 0.0))


def test_stages_are_the_whole() -> None:
    net, inputs = network().eval(), batch(1, 1)
    tensors = {"image": inputs.image[0], "motion": inputs.motion[0], "residual": inputs.residual[0]}
    with torch.no_grad():
        for spec in net.stages():
            out = net.stage(spec.name)(*(tensors[tensor.source] for tensor in spec.inputs))
            assert list(out.shape[1:]) == spec.output_shape
            tensors[spec.name] = out
        assert torch.allclose(tensors["fuse"], net(inputs), atol=1e-6)
    assert [spec.cadence for spec in net.stages()] == ["gop", "picture", "picture", "picture"]


def test_nothing_left_and_unknown_names_are_errors() -> None:
    with pytest.raises(ConfigError, match="every stream is left out"):
        network(weights={"appearance": 0, "motion": 0, "residual": 0})
    with pytest.raises(ConfigError, match="resnet152"):
        network(appearance="resnet15")
    with pytest.raises(ConfigError, match="motion"):
        network().stage("motions")

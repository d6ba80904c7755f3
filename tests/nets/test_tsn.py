"""TSN: the mean of single pictures' scores, of I-pictures alone."""

from __future__ import annotations

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import NETWORKS, build_network
from edgecvar.nets.network import Network

pytestmark = pytest.mark.train

SPEC = InputSpec(height=32, width=48)
BACKBONE = {"block": "bottleneck", "repeats": [1, 1, 1, 1], "width": 0.125}


def network() -> Network:
    torch.manual_seed(0)
    return build_network("tsn", {"backbone": BACKBONE}, SPEC, 4)


def batch() -> ClipBatch:
    torch.manual_seed(1)
    image, motion = torch.randn(2, 3, 3, 32, 48), torch.randn(2, 3, 2, 32, 48)
    return ClipBatch(image, torch.randn_like(image), motion, torch.randn_like(image), torch.arange(2))


def test_scores_are_the_mean_over_segments() -> None:
    net, inputs = network().eval(), batch()
    (spec,) = net.stages()
    assert (spec.cadence, spec.inputs[0].source, spec.output_shape) == ("gop", "image", [4])
    with torch.no_grad():
        single = [[net.stage("appearance")(picture[None])[0] for picture in clip] for clip in inputs.image]
        expected = torch.stack([torch.stack(scores).mean(0) for scores in single])
        assert torch.allclose(net(inputs), expected, atol=1e-6)
        assert (expected[0] - expected[1]).abs().max() > 1e-3


def test_only_the_classifier_drops() -> None:
    net, inputs = network().eval(), batch()
    with torch.no_grad():
        before = net(inputs)
        net.get_submodule("appearance.dropout").train()
        assert not torch.equal(net(inputs), before)
        net.get_submodule("appearance.dropout").eval()
        assert torch.equal(net(inputs), before)


def test_by_default_it_is_a_resnet50() -> None:
    with torch.device("meta"):
        net = NETWORKS["tsn"].build(NETWORKS["tsn"].options(), SPEC, 1000)
    assert sum(weight.numel() for weight in net.parameters()) == 25_557_032


def test_it_has_one_stage() -> None:
    with pytest.raises(ConfigError, match="appearance"):
        network().stage("motion")

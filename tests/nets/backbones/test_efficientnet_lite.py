"""EfficientNet-Lite by what is published of it: its size, what it leaves out, and where its zeros are."""

from __future__ import annotations

from typing import Any, List, Mapping

import pytest
import torch
from torch import nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.efficientnet import (
    BACKBONES,
    BackboneOptions,
    EfficientNet,
    InvertedResidual,
    SqueezeExcitation,
    map_side,
)
from edgecvar.nets.backbones.efficientnet_lite import SameConv2d
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.cost.complexity import describe_network
from edgecvar.nets.network import Network
from edgecvar.nets.stages import opening

TINY = BackboneOptions(width=0.1, depth=0.1, lite=True)


class Classifying(Network):
    """A backbone with its classifier, as it was published."""

    classes = 1000

    def __init__(self, name: str, side: int) -> None:
        super().__init__()
        self.spec = InputSpec(height=side, width=side)
        self.backbone = EfficientNet(BACKBONES[name], classes=self.classes)

    def stages(self) -> List[StageSpec]:
        return [opening("only", "image", self.spec, [self.classes])]

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {"only": self.backbone}

    def forward(self, batch: ClipBatch) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "side", "parameters", "multiply_adds"),
    [("lite0", 224, 4.7e6, 407e6), ("lite1", 240, 5.4e6, 631e6), ("lite2", 260, 6.1e6, 899e6)],
)
def test_it_costs_what_is_published(name: str, side: int, parameters: float, multiply_adds: float) -> None:
    """Printed is what comes to three operations more an element that a batch norm gives, which we do not count."""
    with torch.device("meta"):
        network = Classifying(name, side).eval()
        elements: List[int] = []
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.register_forward_hook(lambda module, inputs, output: elements.append(output.numel()))
        network.backbone(torch.empty(1, 3, side, side))
    beside = 3 * sum(elements)
    cost = describe_network(network, 12)
    assert cost.parameters == pytest.approx(parameters, abs=0.05e6)
    assert cost.multiply_adds + beside == pytest.approx(multiply_adds, rel=0.005)


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_no_gates_and_every_activation_ends_at_six(name: str) -> None:
    with torch.device("meta"):
        backbone = EfficientNet(BACKBONES[name])
    kinds = {type(module) for module in backbone.modules()}
    assert SqueezeExcitation not in kinds and nn.SiLU not in kinds and nn.ReLU6 in kinds
    assert backbone.channels == 1280 and backbone.features[0][0].out_channels == 32
    rows = [len(row) for row in list(backbone.features)[1:-1]]
    assert (rows[0], rows[-1]) == (1, 1)  # B1 and B2 have two
    assert sum(rows) == sum(isinstance(module, InvertedResidual) for module in backbone.modules())


@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_zeros_are_where_tensorflow_has_them(side: int, kernel: int, stride: int) -> None:
    """By TensorFlow's definition, sample by sample: what is missing lies half in front, the odd one behind."""
    torch.manual_seed(side)
    conv = SameConv2d(1, 1, kernel, stride, 1)
    image = torch.randn(1, 1, side, side)
    count = -(-side // stride)
    missing = max(0, (count - 1) * stride + kernel - side)
    before = missing // 2
    expected = torch.zeros(count, count)
    for row in range(count):
        for column in range(count):
            for y in range(kernel):
                for x in range(kernel):
                    at = (row * stride - before + y, column * stride - before + x)
                    if min(at) >= 0 and max(at) < side:
                        expected[row, column] += conv.weight[0, 0, y, x].detach() * image[0, 0][at]
    torch.testing.assert_close(conv(image)[0, 0].detach(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", [32, 33, 64, 95, 96, 97, 240])
def test_map_side_is_what_the_network_gives(side: int) -> None:
    network = EfficientNet(TINY, in_channels=2).eval()
    assert network(torch.zeros(1, 2, side, 64)).shape == (1, 1280, map_side(side), 2)

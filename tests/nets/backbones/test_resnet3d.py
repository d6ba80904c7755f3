"""I3D-ResNet: inflation keeps the 2D network on static clips; the block against a plain restatement."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.resnet import ResNet
from edgecvar.nets.backbones.resnet3d import Bottleneck3d, ResNet3d, ResNet3dOptions, inflate, resnet3d_options

pytestmark = pytest.mark.train

SMALL = ResNet3dOptions(repeats=(1, 2, 1, 2), width=0.125)
REACH = 2 + 1 + 1 + 1 + 1
"""How far the kernels of SMALL see to either side in time."""


def inflated() -> Tuple[ResNet, ResNet3d]:
    torch.manual_seed(0)
    flat = ResNet(SMALL.flat, classes=5).eval()
    for norm in flat.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            nn.init.uniform_(norm.bias, -0.5, 0.5)
    network = ResNet3d(SMALL, classes=5).eval()
    network.load_state_dict(inflate(flat.state_dict(), network))
    flat.fc = network.fc = None
    return flat, network


def test_a_static_clip_gives_the_maps_of_the_2d_network() -> None:
    flat, network = inflated()
    picture = torch.randn(1, 3, 48, 40)
    clip = picture[:, :, None].repeat(1, 1, 2 * REACH + 1, 1, 1)
    with torch.no_grad():
        expected, got = flat(picture), network(clip)
    assert got.shape == (1, network.channels, 2 * REACH + 1, 2, 2)
    torch.testing.assert_close(got[:, :, REACH], expected, rtol=1e-4, atol=1e-5)
    # At the ends the kernels see padding: that the middle is right is not because time is ignored.
    assert not torch.allclose(got[:, :, 0], expected, rtol=1e-2)


def test_inflation_repeats_and_divides() -> None:
    flat, network = inflated()
    state = network.state_dict()
    kernel = flat.state_dict()["conv1.weight"]
    assert state["conv1.weight"].shape == (*kernel.shape[:2], 5, *kernel.shape[2:])
    for tap in range(5):
        assert torch.equal(state["conv1.weight"][:, :, tap], kernel / 5)
    assert [state[f"layer2.{place}.conv1.weight"].shape[2] for place in (0, 1)] == [3, 1]
    assert [state[f"layer4.{place}.conv1.weight"].shape[2] for place in (0, 1)] == [1, 3]
    assert torch.equal(state["layer1.0.conv2.weight"][:, :, 0], flat.state_dict()["layer1.0.conv2.weight"])


def test_it_has_the_parameters_that_the_paper_prints() -> None:
    with torch.device("meta"):
        network = ResNet3d("i3d_resnet50", in_channels=5, classes=101)
        published = ResNet3d("i3d_resnet50", in_channels=3, classes=400)
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(27.5e6, rel=0.002)
    assert sum(weight.numel() for weight in published.parameters()) == pytest.approx(28.04e6, rel=0.0005)


@pytest.mark.parametrize("kernel", [1, 3])
def test_block_is_figure_3_a(kernel: int) -> None:
    torch.manual_seed(0)
    block = Bottleneck3d(8, 4, 2, kernel).double().eval()
    maps = torch.randn(1, 8, 4, 5, 6, dtype=torch.float64)
    weights = {name: tensor.numpy() for name, tensor in block.state_dict().items()}
    unit = 1 / np.sqrt(1 + 1e-5)  # a new batch norm
    padded = np.pad(maps[0].numpy(), ((0, 0), (kernel // 2,) * 2, (0, 0), (0, 0)))
    first = sum(
        np.einsum("oc,cthw->othw", weights["conv1.weight"][:, :, tap, 0, 0], padded[:, tap : tap + 4])
        for tap in range(kernel)
    )
    first = np.pad(np.maximum(first * unit, 0), ((0, 0), (0, 0), (1, 1), (1, 1)))
    second = np.zeros((4, 4, 3, 3))
    for y in range(3):
        for x in range(3):
            seen = first[:, :, y : y + 6 : 2, x : x + 6 : 2]
            second += np.einsum("oc,cthw->othw", weights["conv2.weight"][:, :, 0, y, x], seen)
    third = np.einsum("oc,cthw->othw", weights["conv3.weight"][:, :, 0, 0, 0], np.maximum(second * unit, 0)) * unit
    short = np.einsum("oc,cthw->othw", weights["downsample.0.weight"][:, :, 0, 0, 0], maps[0].numpy()[:, :, ::2, ::2])
    expected = np.maximum(third + short * unit, 0)
    np.testing.assert_allclose(block(maps)[0].detach().numpy(), expected, atol=1e-9)


def test_block_gradients() -> None:
    torch.manual_seed(0)
    block = Bottleneck3d(4, 2, 1, 3).double().eval()
    maps = torch.randn(1, 4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (maps,))


def test_time_is_kept_or_halved_once() -> None:
    clips = torch.zeros(1, 5, 8, 32, 32)
    kept, halved = ResNet3d(SMALL, 5), ResNet3d(SMALL.model_copy(update={"pool": 2}), 5)
    assert list(kept.state_dict()) == list(halved.state_dict())
    assert kept.eval()(clips).shape == (1, kept.channels, 8, 1, 1)
    assert halved.eval()(clips).shape == (1, kept.channels, 4, 1, 1)
    assert ResNet3d(SMALL, 5, classes=7).eval()(clips).shape == (1, 7)


def test_blocks_may_be_others() -> None:
    seen = []

    def make(inputs: int, channels: int, stride: int, kernel: int) -> nn.Module:
        seen.append((inputs, channels, stride, kernel))
        return Bottleneck3d(inputs, channels, stride, kernel)

    ResNet3d(SMALL, make_block=make)
    assert seen == [(8, 8, 1, 3), (32, 16, 2, 3), (64, 16, 1, 1), (64, 32, 2, 3), (128, 64, 2, 1), (256, 64, 1, 3)]


def test_unknown_i3d_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="i3d_resnet50"):
        resnet3d_options("i3d_resnet5")


def test_inflation_hands_on_what_it_does_not_know() -> None:
    state = {"other.weight": torch.ones(1, 1, 1, 1)}
    got: Tensor = inflate(state, ResNet3d(SMALL))["other.weight"]
    assert got is state["other.weight"]

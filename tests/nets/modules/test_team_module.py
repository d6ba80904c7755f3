"""The TEAM module against the paper's equations written out slowly."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.nets.modules.team_module import ARRANGEMENTS, ChannelFusion, SpatialFusion, TeamModule  # noqa: E402

pytestmark = pytest.mark.train

Array = NDArray[np.float64]
CHANNELS = (5, 3, 4)


def sigmoid(value: float) -> float:
    return 1 / (1 + float(np.exp(-value)))


def channels_slowly(maps: List[Array], module: Any) -> List[Array]:
    """Eq. 1 to 4 for one sample, one weight at a time: maps (C_i, H, W)."""
    w_c, w_ci = (part.weight.detach().numpy().T for part in (module.squeeze, module.expand))
    z_c = [sum(row.flat) / row.size for each in maps for row in each]
    z_l = [max(0.0, sum(z * w_c[i, j] for i, z in enumerate(z_c))) for j in range(w_c.shape[1])]
    fused, column = [], 0
    for each in maps:
        out = np.zeros_like(each)
        for channel in range(len(each)):
            out[channel] = each[channel] * sigmoid(sum(z * w_ci[i, column] for i, z in enumerate(z_l)))
            column += 1
        fused.append(out)
    return fused


def spatial_slowly(maps: List[Array], module: Any) -> List[Array]:
    """Eq. 5 to 7 for one sample, one product at a time, zeros outside the maps."""
    kernels = module.conv.weight.detach().numpy()
    height, width = maps[0].shape[1:]
    z_s = np.zeros((len(maps), height + 2, width + 2))
    for i, each in enumerate(maps):
        for channel in each:
            z_s[i, 1:-1, 1:-1] += channel / len(each)
    fused = []
    for i, each in enumerate(maps):
        out = np.zeros_like(each)
        for m in range(height):
            for n in range(width):
                taps = [(j, k, r) for j in range(len(maps)) for k in range(3) for r in range(3)]
                out[:, m, n] = each[:, m, n] * sigmoid(
                    sum(kernels[i, j, k, r] * z_s[j, m + k, n + r] for j, k, r in taps)
                )
        fused.append(out)
    return fused


def fused_slowly(maps: List[Array], module: Any) -> List[Array]:
    """Table 3's arrangements."""
    steps = {"c": channels_slowly, "s": spatial_slowly}
    parts = {"c": getattr(module, "channel", None), "s": getattr(module, "spatial", None)}
    if module.arrangement == "c+s":
        return [c + s for c, s in zip(channels_slowly(maps, parts["c"]), spatial_slowly(maps, parts["s"]))]
    for step in module.arrangement.split("->"):
        maps = steps[step](maps, parts[step])
    return maps


def draw(channels: Tuple[int, ...], height: int, width: int, samples: int = 2) -> List[Any]:
    return [torch.randn(samples, each, height, width, dtype=torch.double) for each in channels]


def fusion(kind: str) -> Any:
    torch.manual_seed(2)
    module = {"channel": lambda: ChannelFusion(CHANNELS, 3), "spatial": lambda: SpatialFusion(3)}.get(
        kind, lambda: TeamModule(CHANNELS, kind, 3)
    )()
    module.double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_()  # gates far from 0.5
    return module


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_the_module_is_the_papers_equations(arrangement: str) -> None:
    module, maps = fusion(arrangement), draw(CHANNELS, 4, 6)
    with torch.no_grad():
        got = module(maps)
    for sample in range(2):
        expected = fused_slowly([each[sample].numpy() for each in maps], module)
        for own, slow in zip(got, expected):
            assert np.abs(own[sample].numpy() - slow).max() < 1e-5
    assert max((own - each).abs().max() for own, each in zip(got, maps)) > 0.1


@pytest.mark.parametrize("kind", ["channel", "spatial", *ARRANGEMENTS])
def test_slopes_are_right(kind: str) -> None:
    module = fusion(kind)
    maps = [each.requires_grad_() for each in draw(CHANNELS, 3, 2, samples=1)]
    assert torch.autograd.gradcheck(lambda *inputs: tuple(module(list(inputs))), maps)


def test_the_squeeze_has_the_reduced_joint_channels() -> None:
    module = ChannelFusion((1024, 256, 256), 4)
    assert module.squeeze.weight.shape == (384, 1536)
    assert module.expand.weight.shape == (1536, 384)
    assert all(part.bias is None for part in (module.squeeze, module.expand, SpatialFusion(3).conv))
    assert ChannelFusion((1, 1, 1), 16).squeeze.out_features == 1

"""MoViNet-A0's layers: paddings and means as in TensorFlow, and as many weights as are counted elsewhere."""

from __future__ import annotations

from typing import Any, List

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from torch import nn  # noqa: E402

from edgecvar.nets.backbones.movinet import MovinetBackbone, MovinetOptions, Shortcut, hard_swish, same_padding  # noqa: E402


@pytest.mark.parametrize(("side", "expected"), [(172, [0, 1]), (43, [1, 1]), (22, [0, 1]), (11, [1, 1])])
def test_padding_is_as_in_tensorflow(side: int, expected: List[int]) -> None:
    assert same_padding((side, side), 3, 2) == [*expected, *expected]
    assert same_padding((side, side), 5, 1) == [2, 2, 2, 2]


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_a_shortcut_is_of_means_over_what_is_there(size: Any) -> None:
    torch.manual_seed(0)
    shortcut = Shortcut(2, 3, size, 2).eval()
    maps, (above, left) = torch.randn(1, 2, *size), (size[0] % 2, size[1] % 2)
    means = torch.stack(
        [
            torch.stack(
                [
                    maps[0, :, max(0, y - above) : y - above + 3, max(0, x - left) : x - left + 3].mean((1, 2))
                    for x in range(0, size[1], 2)
                ],
                1,
            )
            for y in range(0, size[0], 2)
        ],
        1,
    )
    with torch.no_grad():
        assert torch.allclose(shortcut(maps), shortcut.project(means[None]), atol=1e-6)


def test_hard_swish_is_that_of_the_library() -> None:
    x = torch.linspace(-5, 5, 101)
    assert torch.allclose(hard_swish(x), nn.functional.hardswish(x), atol=1e-6)


def test_a0_has_the_weights_of_the_released_streams() -> None:
    """3.75 M with a head of 2048 and 600 classes (those of the port to LiteRT); 3.1 M in the paper, by other gates."""
    with torch.device("meta"):
        backbone = MovinetBackbone(MovinetOptions(), 3, (172, 172), stream=True)
    weights = sum(each.numel() for each in backbone.parameters()) + 480 * 2048 + 2048 + 2048 * 600 + 600
    gates = [block.gate for block in backbone.blocks.values()]
    own = sum(gate.fc2.out_channels**2 for gate in gates)  # of what the picture's own means add, C (2 C / 2 + C / 4)
    assert weights == pytest.approx(3.75e6, rel=0.002)
    assert weights - own == pytest.approx(3.1e6, rel=0.01)


def test_a_width_and_a_depth_make_it_small() -> None:
    with torch.device("meta"):
        small = MovinetBackbone(MovinetOptions(width=0.5, depth=0.5), 5, (48, 64), stream=True)
    assert list(small.blocks) == ["b0_l0", *(f"b{row}_l{place}" for row in (1, 2, 3, 4) for place in (0, 1))]
    assert small.channels == 240 and small.states()["b1_l0_past"] == [40, 2, 8 * 6]

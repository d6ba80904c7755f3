"""The paper's figures, counted on the network; and small counts done by hand."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

import pytest
import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.cost.complexity import NetworkCost, describe_network
from edgecvar.nets.network import Network

PAPER_PARAMETERS, PAPER_MULTIPLY_ADDS = 23.4e6, 3.0e9  # Huo et al. 2020, table 2


@pytest.fixture(scope="module")
def cost() -> NetworkCost:
    with torch.device("meta"):
        network = build_network("attp", {}, InputSpec.model_validate({}), 51)
    return describe_network(network, 12)


def test_the_papers_figures(cost: NetworkCost) -> None:
    assert cost.parameters == pytest.approx(PAPER_PARAMETERS, rel=0.01)
    assert cost.multiply_adds == pytest.approx(PAPER_MULTIPLY_ADDS, rel=0.03)


def test_what_each_part_costs(cost: NetworkCost) -> None:
    stages = {stage.name: stage for stage in cost.stages}
    assert list(stages) == ["appearance", "motion", "residual", "fuse"]
    assert [stage.runs for stage in cost.stages] == [2, 1, 1, 1]
    for name in ("appearance", "motion", "residual"):
        parts = {part.name: part for part in stages[name].parts}
        assert parts["projection"].parameters == 1280 * 1000
        assert parts["projection"].multiply_adds == 1280 * 1000 * 8 * 8
        # EfficientNet-B1 is published with 7.79 M parameters, 1280 x 1000 + 1000 of them the classifier.
        assert parts["backbone"].parameters == pytest.approx(7_794_184 - 1_281_000, abs=288)
    assert stages["fuse"].parameters == 1000 * 51 + 51
    assert stages["fuse"].multiply_adds == 1000 * 51


def test_kept_features_cost_less(cost: NetworkCost) -> None:
    stages = {stage.name: stage.multiply_adds for stage in cost.stages}
    picture = stages["motion"] + stages["residual"] + stages["fuse"]
    assert cost.window_multiply_adds(1) == stages["appearance"] + picture
    assert cost.window_multiply_adds(11) == stages["appearance"] + 11 * picture
    assert cost.sampled_multiply_adds(11) == pytest.approx(stages["appearance"] / 11 + picture)
    assert cost.stream_multiply_adds(1) == pytest.approx(cost.window_multiply_adds(1) / 12)


def test_counts_agree_with_the_network(build: Callable[..., Any]) -> None:
    for fusion in ("mv", "late", "bp", "ttp"):
        network = build(fusion=fusion)
        counted = describe_network(network, 12).parameters
        assert counted == sum(weight.numel() for weight in network.parameters())
        assert not next(network.parameters()).is_meta


class Stages(Network):
    """Nothing but stages."""

    def __init__(self, modules: Dict[str, nn.Module], specs: List[StageSpec]) -> None:
        super().__init__()
        self.modules_by_name = nn.ModuleDict(modules)
        self.specs = specs

    def stages(self) -> List[StageSpec]:
        return self.specs

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return dict(self.modules_by_name.items())

    def forward(self, batch: ClipBatch) -> Tensor:
        raise NotImplementedError


def picture(name: str, output: List[int], *inputs: StageInput) -> StageSpec:
    return StageSpec(name=name, cadence="picture", inputs=list(inputs), output_shape=output)


def one(module: nn.Module, shape: List[int]) -> Any:
    """The cost of a network of one stage that takes motion of that shape."""
    spec = picture("only", [1], StageInput(name="x", source="motion", shape=shape))
    return describe_network(Stages({"only": module}, [spec]), 12).stages[0]


@pytest.mark.parametrize(
    "layer, shape, parameters, multiply_adds",
    [
        (nn.Conv1d(4, 6, 3, padding=1, groups=2), [4, 10], 6 * 2 * 3 + 6, 6 * 10 * 2 * 3),
        (nn.Conv2d(2, 6, 3, stride=2, padding=1), [2, 8, 8], 6 * 2 * 9 + 6, 6 * 4 * 4 * 2 * 9),
        (nn.Conv3d(2, 5, (3, 1, 1), padding=(1, 0, 0)), [2, 4, 6, 6], 5 * 2 * 3 + 5, 5 * 4 * 36 * 2 * 3),
        (nn.Conv3d(2, 4, 3, stride=(1, 2, 2), padding=1, bias=False), [2, 4, 6, 6], 4 * 2 * 27, 4 * 4 * 9 * 2 * 27),
        (nn.ConvTranspose2d(4, 6, 2, stride=2, bias=False), [4, 5, 5], 4 * 6 * 4, 4 * 25 * 6 * 4),
        (nn.ConvTranspose3d(4, 6, (1, 2, 2), groups=2, bias=False), [4, 3, 5, 5], 4 * 3 * 4, 4 * 75 * 3 * 4),
        (nn.Linear(7, 3), [5, 7], 7 * 3 + 3, 5 * 3 * 7),
    ],
)
def test_layers_by_hand(layer: nn.Module, shape: List[int], parameters: int, multiply_adds: int) -> None:
    alone = one(layer, shape)
    assert (alone.parameters, alone.multiply_adds) == (parameters, multiply_adds)
    inside = one(nn.Sequential(nn.ReLU(), layer), shape)
    (part,) = inside.parts
    assert (part.name, part.parameters, part.multiply_adds) == ("1", parameters, multiply_adds)


class Attention(nn.Module):
    """Softmax over positions, and a scale that is a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 6, bias=False)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:  # (B, positions, 6)
        weights = (self.query(x) @ x.transpose(1, 2) * self.scale).softmax(2)
        return weights @ x

    def activation_products(self, x: Tensor) -> int:
        batch, positions, channels = x.shape
        return 2 * batch * positions * positions * channels


def test_products_of_activations_count_where_the_module_states_them() -> None:
    alone = one(Attention(), [4, 6])
    assert {part.name: (part.parameters, part.multiply_adds) for part in alone.parts} == {
        "only": (1, 2 * 4 * 4 * 6),
        "query": (36, 4 * 36),
    }
    (inside,) = one(nn.Sequential(Attention()), [4, 6]).parts
    assert (inside.parameters, inside.multiply_adds) == (37, 2 * 4 * 4 * 6 + 4 * 36)


class FramesFirst(nn.Module):
    """A 2D layer on all pictures of a clip, as a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)

    def forward(self, clip: Tensor) -> Tensor:
        return self.conv(clip.flatten(0, 1)).mean((0, 2, 3))[None]


def test_a_stage_with_segments_costs_all_of_them() -> None:
    clip = picture("clip", [4], StageInput(name="x", source="image", segments=8, shape=[8, 3, 16, 16]))
    cost = describe_network(Stages({"clip": FramesFirst()}, [clip]), 12)
    assert cost.multiply_adds == cost.stages[0].multiply_adds == 8 * 4 * 3 * 9 * 256
    assert cost.window_multiply_adds(3) == 3 * cost.multiply_adds  # nothing of a clip network of one stage is kept


def test_a_stage_that_others_take_clips_of_runs_for_each_picture_once() -> None:
    look = StageSpec(
        name="look",
        cadence="gop",
        inputs=[StageInput(name="x", source="image", shape=[3, 4, 4])],
        output_shape=[2, 4, 4],
    )
    move = picture("move", [2, 4, 4], StageInput(name="field", source="motion", shape=[2, 4, 4]))
    both = picture(
        "both",
        [2, 4, 4],
        StageInput(name="here", source="look", shape=[2, 4, 4]),
        StageInput(name="there", source="look", gop="adjacent", shape=[2, 4, 4]),
        StageInput(name="moves", source="move", shape=[2, 4, 4]),
    )
    clip = picture(
        "clip",
        [3],
        StageInput(name="joined", source="both", segments=4, shape=[4, 2, 4, 4]),
        StageInput(name="again", source="move", segments=6, shape=[6, 2, 4, 4]),
    )

    class Sum(nn.Module):
        def forward(self, *inputs: Tensor) -> Tensor:
            return torch.stack(inputs).sum(0)

    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Linear(2, 3)

        def forward(self, joined: Tensor, again: Tensor) -> Tensor:
            return self.classify(joined.mean((1, 3, 4)) + again.mean((1, 3, 4)))

    modules = {"look": nn.Conv2d(3, 2, 1), "move": nn.Conv2d(2, 2, 1), "both": Sum(), "clip": Judge()}
    cost = describe_network(Stages(modules, [look, move, both, clip]), 12)
    assert {stage.name: stage.runs for stage in cost.stages} == {"look": 8, "move": 6, "both": 4, "clip": 1}
    assert cost.multiply_adds == 8 * 2 * 3 * 16 + 6 * 2 * 2 * 16 + 2 * 3
    assert cost.window_multiply_adds(5) == 2 * 3 * 16 + 5 * (2 * 2 * 16 + 2 * 3)

"""The paper's figures, counted on the network; and small counts done by hand."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.nets.catalog import build_network
from edgecvar.nets.complexity import NetworkCost, describe_network

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
    for fusion in ("mv", "late", "ttp"):
        network = build(fusion=fusion)
        counted = describe_network(network, 12).parameters
        assert counted == sum(weight.numel() for weight in network.parameters())
        assert not next(network.parameters()).is_meta

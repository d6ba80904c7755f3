"""Averaged weights: by their formula, and as what validates, is saved and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

import pytest
import torch
from torch import Tensor

from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import load_checkpoint
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.start.checks import resolve
from edgecvar.train.weights.average import WeightAverage
from tests.train.compared_runs import assert_same_runs, differing

pytestmark = pytest.mark.train


def test_it_is_the_running_mean_of_weights_and_statistics(small: Callable[..., Recipe]) -> None:
    """A tenth of the first steps and `decay` of the later ones are kept; counts are those of the last step."""
    design = resolve(small()).network
    network = build_network(design.model, design.options, design.input, classes=3)
    average = WeightAverage(network, 0.25)
    expected: Dict[str, Tensor] = {name: value.double() for name, value in network.state_dict().items()}
    for step in range(1, 5):
        with torch.no_grad():
            for value in network.state_dict().values():
                value.copy_(torch.randn(value.shape) if value.is_floating_point() else value + 1)
        average.update(network)
        keep = min(0.25, step / (step + 9))
        for name, value in network.state_dict().items():
            mixed = keep * expected[name] + (1 - keep) * value.double()
            expected[name] = mixed if value.is_floating_point() else value.double()
    assert min(0.25, 4 / 13) == 0.25 > 1 / 10
    got = average.network.state_dict()
    assert any("running_var" in name for name in got)
    for name, value in got.items():
        assert torch.allclose(value.double(), expected[name], atol=1e-5), name
    assert not average.network.training and not any(each.requires_grad for each in average.network.parameters())


def test_it_is_what_validates_and_is_saved(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start_run(small("average=0.9", "epochs=2"), tmp_path, Listener())
    judged, validated = training._objective.judged, []
    monkeypatch.setattr(judged, "forward", lambda batch: validated.append(1) or type(judged).forward(judged, batch))
    training.fit()
    assert len(validated) == 2  # a batch in each epoch
    raw = {name: value.clone() for name, value in training.network.state_dict().items()}
    last, best = (load_checkpoint(training.folder / name) for name in ("last.pt", "best.pt"))
    assert differing(last.state, dict(judged.state_dict())) == []
    assert len(differing(last.state, raw)) > 50
    assert training.best is not None
    assert (differing(best.state, last.state) == []) == (training.best.epoch == 2)


def test_a_run_with_an_average_is_resumed_bit_for_bit(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Across a phase that begins anew, and the average with it."""
    recipe = small("average=0.9", "phases=[{epochs: 2}, {restart: true}]", "epochs=3")
    straight = start_run(recipe, tmp_path / "straight", Listener())
    straight.fit()
    halted = start_run(recipe, tmp_path / "halted", Listener())
    for until in (1, 2, 3):
        halted.fit(until)
        torch.manual_seed(999)
        halted = resume_run(halted.folder, [], Listener())
    assert_same_runs(straight.folder, halted.folder)
    steps, _ = torch.load(halted.folder / "last.pt", weights_only=True)["training"]["averaged"]
    assert steps == 3  # those of the last phase's epoch

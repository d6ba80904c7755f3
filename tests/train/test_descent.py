"""Optimisers against their papers, which parameters decay or move faster, and rates that fall with the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

import pytest
import torch
from torch import nn

from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import build_network
from edgecvar.train.descent import Plateau, learning_rate, make_optimizer
from edgecvar.train.history import read_records
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start.checks import resolve
from tests.train.compared_runs import assert_resumed_run_is_the_same

pytestmark = pytest.mark.train


def stated(optimizer: str, *more: str) -> Recipe:
    return parse_recipe(f"{{model: attp, data: x, lr: 0.1, weight_decay: 0.3, optimizer: {optimizer}}}", more)


def stepped(recipe: Recipe, name: str, value: float, shape: int = 2) -> float:
    """Where a parameter of one number is after three gradients."""
    parameter = nn.Parameter(torch.full((1,) * shape, value, dtype=torch.float64))
    optimizer, _ = make_optimizer(recipe.descent, {name: parameter})
    for gradient in (0.5, -0.2, 0.1):
        parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    return parameter.item()


def by_hand(value: float, decay: float, eps: float, in_gradient: bool) -> float:
    """Kingma and Ba 2015, algorithm 1; the decay in the gradient, or beside it (Loshchilov and Hutter 2019)."""
    mean = square = 0.0
    for step, gradient in enumerate((0.5, -0.2, 0.1), start=1):
        slope = gradient + decay * value if in_gradient else gradient
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        value -= 0.0 if in_gradient else 0.1 * decay * value
        value -= 0.1 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)) ** 0.5 + eps)
    return value


@pytest.mark.parametrize("eps", [1e-8, 0.1])
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_has_the_decay_in_its_gradient_and_adamw_beside_it(name: str, eps: float) -> None:
    recipe = stated(f"{{name: {name}, eps: {eps}}}")
    assert stepped(recipe, "w", 1.0) == pytest.approx(by_hand(1.0, 0.3, eps, name == "adam"), rel=1e-9)
    assert by_hand(1.0, 0.3, eps, True) != pytest.approx(by_hand(1.0, 0.3, eps, False), rel=1e-3)


def test_by_default_it_is_adamw_as_it_was() -> None:
    recipe = stated("{name: adamw}")
    assert recipe.document()["optimizer"]["eps"] == 1e-8
    assert (
        stepped(recipe, "w", 1.0)
        == stepped(stated("adamw"), "w", 1.0)
        == pytest.approx(by_hand(1.0, 0.3, 1e-8, False), rel=1e-9)
    )


def decaying(recipe: Recipe, network: nn.Module) -> Dict[str, bool]:
    optimizer, _ = make_optimizer(recipe.descent, dict(network.named_parameters()))
    decays = {id(each): group["weight_decay"] > 0 for group in optimizer.param_groups for each in group["params"]}
    return {name: decays[id(each)] for name, each in network.named_parameters()}


def test_scales_decay_where_the_recipe_says_so_and_biases_never() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    assert decaying(stated("adam"), network) == {
        "0.weight": True,
        "0.bias": False,
        "1.weight": False,
        "1.bias": False,
    }
    assert decaying(stated("{name: adam, decay_scales: true}"), network) == {
        "0.weight": True,
        "0.bias": False,
        "1.weight": True,
        "1.bias": False,
    }


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        ("{name: sgd, eps: 0.001}", "sgd has no eps; leave it out"),
        ("{name: adam, nesterov: true}", "adam has no nesterov; leave it out"),
        ("{name: adamw, momentum: 0.8}", "adamw has no momentum; leave it out"),
        ("{name: adm}", "'adam'"),
    ],
)
def test_what_an_optimiser_has_not_is_an_error(optimizer: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        stated(optimizer)
    assert stated("{name: sgd, momentum: 0.8, nesterov: true}").descent.optimizer.nesterov


def test_a_resolved_recipe_can_be_read_again() -> None:
    """It states what each optimiser has, whichever is taken."""
    for name in ("adamw", "adam", "sgd"):
        recipe = stated(name)
        assert parse_recipe(recipe.to_yaml()) == recipe


def test_a_classifiers_weight_and_bias_have_rates_of_their_own() -> None:
    """As TEAM-Net's released code has them: five and ten times the rate, by the parameters' names."""
    small = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
    recipe = resolve(
        parse_recipe(
            "{model: team-r50, data: x, rates: {heads: 5, heads.motion.1.bias: 10}, optimizer: sgd}",
            [f"network.{part}={small}" for part in ("appearance", "motion", "residual")],
        )
    )
    network = build_network("team-r50", recipe.network.options, recipe.network.input, 3)
    optimizer, rates = make_optimizer(recipe.descent, dict(network.named_parameters()))
    of = {id(each): rate for group, rate in zip(optimizer.param_groups, rates) for each in group["params"]}
    found = {name: of[id(each)] for name, each in network.named_parameters()}
    assert {name: rate for name, rate in found.items() if name.startswith("heads.motion")} == {
        "heads.motion.1.weight": 5,
        "heads.motion.1.bias": 10,
    }
    assert {rate for name, rate in found.items() if not name.startswith("heads")} == {1}


def test_the_rate_falls_when_the_training_loss_stands_still() -> None:
    """By hand with a patience of 2: the third and fourth are no lower than the second, the fifth and sixth neither."""
    recipe = stated("sgd", "epochs=9", "warmup_epochs=0", "schedule={name: plateau, patience: 2, gamma: 0.1}")
    plateau, rates = Plateau(), []
    for epoch, loss in enumerate((5.0, 3.0, 3.5, 3.0, 2.99999, 3.0, 1.0, 1.5, 0.5)):
        rates.append(learning_rate(recipe.descent, recipe.course, 10 * epoch, 10, plateau.falls))
        plateau.see(loss, recipe.descent.schedule.patience)
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001])
    assert plateau == Plateau(falls=2, lowest=0.5, waited=0)


def test_a_run_whose_loss_stands_still_is_resumed_bit_for_bit(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """What it has seen of the losses is in its checkpoint; the rates are those of its own history."""
    schedule = "schedule={name: plateau, patience: 1, gamma: 0.5}"
    recipe = small(schedule, "warmup_epochs=0", "lr=1e-12", "epochs=4", "batch=16", "segments=1")
    records = read_records(assert_resumed_run_is_the_same(recipe, tmp_path))
    falls, lowest, expected = 0, float("inf"), []
    for record in records:
        expected.append(1e-12 * 0.5**falls)
        falls += not record.train_loss < lowest
        lowest = min(lowest, record.train_loss)
    assert [record.lr for record in records] == pytest.approx(expected, rel=1e-9) and falls > 0


def test_another_sum_of_losses_is_not_compared_with_the_one_before(
    small: Callable[..., Recipe], tmp_path: Path
) -> None:
    """A phase of other losses has a lowest of its own; one that restarts has the whole rate again."""
    schedule = "schedule={name: plateau, patience: 1, gamma: 0.5}"
    phases = "phases=[{epochs: 1, losses: {cross_entropy: 0.001}}, {epochs: 1}, {epochs: 1}, {restart: true}]"
    run = start_run(small(schedule, "warmup_epochs=0", "lr=1e-12", "epochs=4", phases), tmp_path, Listener())
    for epoch in (1, 2):
        run.fit(until=epoch)
        assert run._passes.plateau.falls == 0 and run._passes.plateau.waited == 0
    run._passes.plateau.falls = 3
    run.fit(until=3)
    assert run._passes.plateau.falls >= 3
    run.fit()
    assert run._passes.plateau == Plateau(lowest=read_records(run.folder)[3].train_loss)

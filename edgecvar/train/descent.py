"""How a run descends: its optimiser, and the rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Tuple

import torch
from torch import nn

from edgecvar.train.parts import Course, Descent

KINDS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


def make_optimizer(
    descent: Descent, parameters: Mapping[str, nn.Parameter]
) -> Tuple[torch.optim.Optimizer, List[float]]:
    """The recipe's optimiser, and a factor on the rate for each of its groups.

    Weights decay; biases do not, nor do the scales of normalisation unless the recipe says so.
    """
    settings = descent.optimizer
    groups: List[Dict[str, Any]] = []
    rates: List[float] = []
    factors = {name: _factor(descent.rates, name) for name in parameters}
    for factor in sorted(set(factors.values()), reverse=True):
        named = {name: parameter for name, parameter in parameters.items() if factors[name] == factor}
        decaying = {name for name in named if _decays(name, named[name], settings.decay_scales)}
        groups.append({"params": [named[name] for name in named if name in decaying]})
        groups.append({"params": [named[name] for name in named if name not in decaying], "weight_decay": 0.0})
        rates += [factor, factor]
    if settings.name == "sgd":
        options: Dict[str, Any] = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    else:
        options = {"eps": settings.eps}
    return KINDS[settings.name](groups, lr=descent.lr, weight_decay=descent.weight_decay, **options), rates


def _decays(name: str, parameter: nn.Parameter, scales: bool) -> bool:
    """Whether a parameter is a weight, or the scale of a normalisation where those decay too."""
    return parameter.ndim > 1 or (scales and not name.endswith("bias"))


def _factor(rates: Mapping[str, float], name: str) -> float:
    fitting = [part for part in rates if name.startswith(part)]
    return rates[max(fitting, key=len)] if fitting else 1.0


LOWER = 1e-4
"""By what part of it a training loss must be below the lowest before, to have fallen."""


@dataclass
class Plateau:
    """How often the total training loss stood still, its `lowest`, and for how many epochs it has not fallen."""

    falls: int = 0
    lowest: float = math.inf
    waited: int = 0

    def see(self, loss: float, patience: int) -> None:
        """Take in an epoch's loss; after `patience` epochs in a row that were no lower the rate falls."""
        if loss < self.lowest - LOWER * abs(loss):
            self.lowest, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited == patience:
            self.falls, self.waited = self.falls + 1, 0


def learning_rate(descent: Descent, course: Course, step: int, steps_per_epoch: int, falls: int = 0) -> float:
    """The rate of a step counted from 0: linear up to `lr`, then as the schedule says.

    Half a cosine ends at 0 after the last step; a phase that restarts begins such a course of its own. `falls`: how
    often the training loss stood still since.
    """
    before, epochs = course.stretch(step // steps_per_epoch + 1)
    step -= before * steps_per_epoch
    total, warm = epochs * steps_per_epoch, descent.warmup_epochs * steps_per_epoch
    if step < warm:
        return descent.lr * (step + 1) / (warm + 1)
    if descent.schedule.name == "plateau":
        return descent.lr * descent.schedule.gamma**falls
    if descent.schedule.name == "steps":
        passed = sum(1 for milestone in descent.schedule.milestones if step >= milestone * steps_per_epoch)
        return descent.lr * descent.schedule.gamma**passed
    return descent.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))

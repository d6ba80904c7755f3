"""The optimiser that a recipe asks for."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

import torch
from torch import nn

from edgecvar.train.recipe import Recipe


def make_optimizer(recipe: Recipe, parameters: Mapping[str, nn.Parameter]) -> Tuple[torch.optim.Optimizer, List[float]]:
    """The recipe's optimiser, and a factor on the rate for each of its groups.

    Weights decay; biases and the scales of normalisation do not.
    """
    groups: List[Dict[str, Any]] = []
    rates: List[float] = []
    factors = {name: _factor(recipe.rates, name) for name in parameters}
    for factor in sorted(set(factors.values()), reverse=True):
        named = [parameter for name, parameter in parameters.items() if factors[name] == factor]
        groups.append({"params": [each for each in named if each.ndim > 1], "weight_decay": recipe.weight_decay})
        groups.append({"params": [each for each in named if each.ndim <= 1], "weight_decay": 0.0})
        rates += [factor, factor]
    settings = recipe.optimizer
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr), rates
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=settings.momentum, nesterov=settings.nesterov), rates


def _factor(rates: Mapping[str, float], name: str) -> float:
    fitting = [part for part in rates if name.startswith(part)]
    return rates[max(fitting, key=len)] if fitting else 1.0

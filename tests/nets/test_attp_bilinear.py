"""Compact bilinear pooling (table 3's BP) against its definition, and against the pooling that it estimates."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgecvar.clips.spec import InputSpec
from edgecvar.nets.catalog import build_network
from edgecvar.nets.cost.complexity import describe_network
from edgecvar.nets.modules.pooling import RandomSigns, bilinear_pool

Array = NDArray[np.float64]
Make = Callable[..., Any]
DIM = 6


def sketched_slowly(x: Array, y: Array, signs_x: Array, signs_y: Array) -> Array:
    """(D,): (W_x x_i) (W_y y_i) / sqrt(D), one output and position at a time; x, y (c, K), signs (D, c)."""
    total = np.zeros(len(signs_x))
    for d in range(len(signs_x)):
        for position in range(x.shape[1]):
            total[d] += (signs_x[d] @ x[:, position]) * (signs_y[d] @ y[:, position]) / np.sqrt(len(signs_x))
    return total


def scores_slowly(network: Any, batch: Any) -> Array:
    """(N * T, classes): each pair sketched, rooted, normalised and classified, the three scores summed."""
    inputs = {"appearance": batch.image, "motion": batch.motion, "residual": batch.residual}
    maps, signs = {}, {}
    for name, tensor in inputs.items():
        branch = network.stage(name)
        maps[name] = branch.backbone(tensor.flatten(0, 1)).flatten(2).detach().numpy()
        signs[name] = np.sign(branch.projection.weight[:, :, 0, 0].numpy())
    rows = []
    for sample in range(len(maps["motion"])):
        scores = 0.0
        pairs = (("appearance", "motion"), ("appearance", "residual"), ("motion", "residual"))
        for (one, other), classifier in zip(pairs, network.fuse.classifiers):
            f = sketched_slowly(maps[one][sample], maps[other][sample], signs[one], signs[other])
            f = np.sign(f) * np.sqrt(np.abs(f))
            f = f / np.sqrt((f * f).sum())
            p = classifier.weight.detach().numpy() * np.sqrt(network.options.dim)
            scores = scores + p @ f + classifier.bias.detach().numpy()
        rows.append(scores)
    return np.array(rows)


def test_scores_are_those_of_three_sketched_pairs(build: Make, batch: Make, settle: Make) -> None:
    network, clips = build(fusion="bp"), batch(segments=2)
    settle(network, clips)
    network.double()
    values = {f.name: getattr(clips, f.name) for f in fields(clips)}
    exact = replace(clips, **{name: value.double() for name, value in values.items() if value is not None})
    expected = scores_slowly(network, exact).reshape(2, 2, -1).mean(1)
    with torch.no_grad():
        assert np.abs(network(exact).numpy() - expected).max() < 1e-5
    assert np.ptp(expected) > 0.1


def test_inner_products_are_those_of_bilinear_pooling_in_expectation() -> None:
    """<phi(x, y), phi(x', y')>, over many draws of W, is the inner product of the two sums of x_i y_i^T."""
    random = np.random.default_rng(0)
    x, y, other_x, other_y = (random.standard_normal((4, 5, 2)) + 0.5 for _ in range(4))  # (c, h, w)
    torch.manual_seed(0)
    draws = 300
    estimates = np.zeros(draws)
    for draw in range(draws):
        signs_x, signs_y = RandomSigns(4, 64).double(), RandomSigns(4, 64).double()
        one, other = (
            bilinear_pool(signs_x(torch.from_numpy(a)[None]), signs_y(torch.from_numpy(b)[None]))[0].numpy()
            for a, b in ((x, y), (other_x, other_y))
        )
        estimates[draw] = one @ other
    exact = float((np.einsum("ahw,bhw->ab", x, y) * np.einsum("ahw,bhw->ab", other_x, other_y)).sum())
    error = estimates.std() / np.sqrt(draws)
    assert abs(estimates.mean() - exact) < 4 * error
    assert error < 0.05 * abs(exact)  # so that a wrong factor would show


def test_signs_are_drawn_once_saved_and_never_learnt(build: Make) -> None:
    network, twin = build(fusion="bp"), build(fusion="bp")
    names = [f"{branch}.projection.weight" for branch in ("appearance", "motion", "residual")]
    state = network.state_dict()
    assert set(names) <= set(state)
    assert not set(names) & {name for name, _ in network.named_parameters()}
    for name in names:
        assert state[name].unique().tolist() == pytest.approx([-(DIM**-0.25), DIM**-0.25])
        assert torch.equal(state[name], twin.state_dict()[name])  # the same seed
    assert not torch.equal(state[names[0]], state[names[1]])


def test_pooling_has_the_slope_that_differences_give() -> None:
    random = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 3, 2, 2, generator=random, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    signs = RandomSigns(3, 5).double()
    assert torch.autograd.gradcheck(lambda x, y: bilinear_pool(signs(x), signs(y)), maps)


def test_it_costs_three_classifiers_and_no_learnt_projection() -> None:
    with torch.device("meta"):
        network = build_network("attp", {"fusion": "bp"}, InputSpec.model_validate({}), 51)
    stages = {stage.name: stage for stage in describe_network(network, 12).stages}
    assert stages["fuse"].parameters == 3 * (1000 * 51 + 51)
    parts = {part.name: part for part in stages["motion"].parts}
    assert (parts["projection"].parameters, parts["projection"].multiply_adds) == (0, 1280 * 1000 * 8 * 8)

"""ATTP against the paper's equations written out slowly, its stages against the whole, its ablations."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgecvar.errors import ConfigError
from edgecvar.nets.modules.pooling import signed_root, unit_length

FUSIONS = ("i", "mv", "r", "late", "bp", "tp", "ttp")
Array = NDArray[np.float64]
Make = Callable[..., Any]


def pooled_slowly(x: Array, y: Array, z: Array, weights: List[Array], factor: int) -> Array:
    """Eq. 4 to 6, one position, output and factor at a time: x, y, z (c, K); weights (D * d, c) each."""
    outputs = len(weights[0]) // factor
    total = np.zeros(outputs)
    for position in range(x.shape[1]):
        for j in range(outputs):
            for k in range(factor):
                row = j * factor + k
                u, v, w = (matrix[row] for matrix in weights)
                total[j] += (u @ x[:, position]) * (v @ y[:, position]) * (w @ z[:, position])
    return total


def scores_slowly(network: Any, batch: Any) -> Array:
    """(N * T, classes) by eq. 4 to 7, signed square root, l2, P^T f."""
    branches = {"appearance": batch.image, "motion": batch.motion, "residual": batch.residual}
    with torch.no_grad():
        maps = {
            name: network.stage(name).backbone(value.flatten(0, 1)).flatten(2).numpy()
            for name, value in branches.items()
        }
        adjacent = network.stage("appearance").backbone(batch.adjacent_image.flatten(0, 1)).flatten(2).numpy()
    weights = [network.stage(name).projection.weight.detach()[:, :, 0, 0].numpy() for name in branches]
    factor, classifier = network.options.factor, network.fuse.classifier
    scores = []
    for sample in range(len(adjacent)):
        y, z = maps["motion"][sample], maps["residual"][sample]
        f = pooled_slowly(maps["appearance"][sample], y, z, weights, factor)
        if network.options.fusion == "ttp":
            f = f + pooled_slowly(adjacent[sample], y, z, weights, factor)
        f = np.array([np.sign(each) * abs(each) ** 0.5 for each in f])
        f = f / np.sqrt(sum(each * each for each in f))
        p = classifier.weight.detach().numpy() * np.sqrt(network.options.dim)  # (classes, D)
        scores.append(p @ f + classifier.bias.detach().numpy())
    return np.array(scores)


def staged_scores(network: Any, batch: Any, sample: int) -> Any:
    """Scores of one (clip, segment) as the stages give them, the way a recognizer walks them."""
    prepared = {"image": batch.image, "motion": batch.motion, "residual": batch.residual}
    own = {name: value.flatten(0, 1)[sample : sample + 1] for name, value in prepared.items()}
    next_door = {**own, "image": batch.adjacent_image.flatten(0, 1)[sample : sample + 1]}
    outputs: Dict[str, Dict[str, Any]] = {"current": {}, "adjacent": {}}
    for spec in network.stages():
        for gop, inputs in (("current", own), ("adjacent", next_door)):
            if gop == "adjacent" and spec.cadence != "gop":
                continue
            taken = []
            for tensor in spec.inputs:
                where = outputs["adjacent" if tensor.gop == "adjacent" else gop]
                taken.append(where[tensor.source] if tensor.source in where else inputs[tensor.source])
                assert list(taken[-1].shape) == [1, *tensor.shape]
            outputs[gop][spec.name] = network.stage(spec.name)(*taken)
            assert list(outputs[gop][spec.name].shape) == [1, *spec.output_shape]
    return outputs["current"][network.stages()[-1].name]


@pytest.mark.parametrize(("fusion", "factor"), [("tp", 1), ("tp", 3), ("ttp", 1), ("ttp", 2)])
def test_scores_are_the_papers_equations(build: Make, batch: Make, settle: Make, fusion: str, factor: int) -> None:
    network, clips = build(fusion=fusion, factor=factor), batch(segments=2)
    settle(network, clips)
    network.double()
    values = {f.name: getattr(clips, f.name) for f in fields(clips)}
    exact = replace(clips, **{name: value.double() for name, value in values.items() if value is not None})
    expected = scores_slowly(network, exact).reshape(2, 2, -1).mean(1)
    with torch.no_grad():
        assert np.abs(network(exact).numpy() - expected).max() < 1e-5
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("fusion", FUSIONS)
def test_stages_compose_to_the_whole_network(build: Make, batch: Make, settle: Make, fusion: str) -> None:
    network, clips = build(fusion=fusion, factor=2), batch(clips=2, segments=2)
    settle(network, clips)
    with torch.no_grad():
        staged = torch.cat([staged_scores(network, clips, sample) for sample in range(4)])
        whole = network(clips)
    assert (staged.unflatten(0, (2, 2)).mean(1) - whole).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("fusion", "stages", "unneeded"),
    [
        ("i", ["appearance", "fuse"], ["adjacent_image", "motion", "residual"]),
        ("mv", ["motion", "fuse"], ["image", "adjacent_image", "residual"]),
        ("r", ["residual", "fuse"], ["image", "adjacent_image", "motion"]),
        ("late", ["appearance", "motion", "residual", "fuse"], ["adjacent_image"]),
        ("bp", ["appearance", "motion", "residual", "fuse"], ["adjacent_image"]),
        ("tp", ["appearance", "motion", "residual", "fuse"], ["adjacent_image"]),
        ("ttp", ["appearance", "motion", "residual", "fuse"], []),
    ],
)
def test_a_fusion_has_and_reads_only_what_it_needs(
    build: Make, batch: Make, settle: Make, fusion: str, stages: List[str], unneeded: List[str]
) -> None:
    network, clips = build(fusion=fusion), batch()
    settle(network, clips)
    assert [spec.name for spec in network.stages()] == stages
    assert {name for name, _ in network.named_children()} == set(stages)
    spoilt = {name: torch.full_like(getattr(clips, name), torch.nan) for name in unneeded}
    needed = {"image", "adjacent_image", "motion", "residual"} - set(unneeded)
    with torch.no_grad():
        assert torch.equal(network(clips), network(replace(clips, **spoilt)))
        for name in needed:
            other = replace(clips, **{name: getattr(clips, name) + torch.randn(1, 1, 1, 64, 96)})
            assert not torch.equal(network(clips), network(other)), f"{fusion} ignores {name}"


def test_appearance_runs_once_a_window_and_looks_both_ways(build: Make) -> None:
    stages = {spec.name: spec for spec in build(fusion="ttp").stages()}
    assert {name: spec.cadence for name, spec in stages.items()} == {
        "appearance": "gop",
        "motion": "picture",
        "residual": "picture",
        "fuse": "picture",
    }
    taken = [(tensor.source, tensor.gop) for tensor in stages["fuse"].inputs]
    assert taken == [
        ("appearance", "current"),
        ("appearance", "adjacent"),
        ("motion", "current"),
        ("residual", "current"),
    ]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_no_tensor_of_a_stage_has_its_outputs_name(build: Make, fusion: str) -> None:
    for spec in build(fusion=fusion).stages():
        names = [spec.name, *(tensor.name for tensor in spec.inputs)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_scores_are_the_mean_over_segments(build: Make, batch: Make, settle: Make, fusion: str) -> None:
    network, clips = build(fusion=fusion), batch(segments=3)
    settle(network, clips)
    names = ("image", "adjacent_image", "motion", "residual", "frame")
    with torch.no_grad():
        each = [
            network(replace(clips, **{name: getattr(clips, name)[:, t : t + 1] for name in names})) for t in range(3)
        ]
        assert (network(clips) - torch.stack(each).mean(0)).abs().max() < 1e-5


def test_late_fusion_adds_the_three_scores(build: Make, batch: Make, settle: Make) -> None:
    network, clips = build(fusion="late"), batch(segments=1)
    settle(network, clips)
    with torch.no_grad():
        alone = [
            head(network.stage(name)(getattr(clips, source)[:, 0]))
            for (name, head), source in zip(network.fuse.heads.items(), ("image", "motion", "residual"))
        ]
        assert (network(clips) - sum(alone)).abs().max() < 1e-5


def test_signed_root_and_its_slope() -> None:
    values = torch.tensor([-4.0, -1e-2, 0.0, 1e-2, 9.0], requires_grad=True)
    rooted = signed_root(values)
    assert rooted.tolist() == pytest.approx([-2.0, -0.1, 0.0, 0.1, 3.0])
    rooted.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == pytest.approx([0.25, 5.0, 1000.0, 5.0, 1 / 6], rel=1e-4)


def test_a_silent_clip_has_a_finite_slope() -> None:
    pooled = torch.zeros(2, 5, requires_grad=True)
    unit_length(signed_root(pooled)).sum().backward()
    assert pooled.grad is not None
    assert torch.isfinite(pooled.grad).all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_few_samples_are_learnt_by_heart(build: Make, batch: Make, fusion: str) -> None:
    network, clips = build(fusion=fusion, dim=32), batch(clips=6, segments=1)
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        scores = network(clips)
        loss = torch.nn.functional.cross_entropy(scores, clips.labels)
        loss.backward()
        optimiser.step()
    assert torch.equal(scores.argmax(1), clips.labels)
    assert loss < 0.3


def test_projected_maps_start_around_one(build: Make, batch: Make) -> None:
    network, clips = build(dim=256).train(), batch(clips=8, segments=1)
    with torch.no_grad():
        for name, source in (("appearance", "image"), ("motion", "motion"), ("residual", "residual")):
            maps = network.stage(name)(getattr(clips, source)[:, 0])
            assert 0.7 < maps.mean() < 1.3, name
            assert 0.3 < maps.std() < 0.8, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fuson": "tp"}, "fusion"),
        ({"fusion": "tpp"}, "'t+p'"),
        ({"backbone": "efficientnet_b2"}, "efficientnet_b[01]"),
        ({"backbone": {"widht": 0.5}}, "'widht' in 'backbone': did you mean 'width'"),
        ({"dim": 0}, "dim"),
        ({"dim": "many"}, "got 'many'"),
    ],
)
def test_a_wrong_option_is_named(build: Make, options: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**options)


def test_unknown_model_and_stage_are_named(build: Make) -> None:
    from edgecvar.clips.spec import InputSpec
    from edgecvar.nets.catalog import build_network

    with pytest.raises(ConfigError, match="'attp'"):
        build_network("atp", {}, InputSpec(), 3)
    with pytest.raises(ConfigError, match="motion"):
        build(fusion="mv").stage("moton")


@pytest.mark.parametrize("fusion", FUSIONS)
def test_features_show_the_motion_branch_and_the_scores_of_forward(build: Make, batch: Make, fusion: str) -> None:
    """Eq. 8's f^(3d), and f^(fc) where the motion branch has a last layer; a branch that is not there shows none."""
    network, clips = build(fusion=fusion), batch(clips=2, segments=3)
    with torch.no_grad():
        shown = network.features(clips)
        assert torch.equal(shown.scores, network(clips))
        if "motion" not in network.used:
            assert shown.motion is None
            return
        maps = network.stage("motion").backbone(clips.motion.flatten(0, 1))
        assert torch.equal(shown.motion.before, maps)
        if network.options.projected:
            assert shown.motion.after is None
            assert network.companion("student")(maps).shape == (6, 3)
        else:
            head = network.stage("fuse").heads["motion"]
            assert torch.equal(shown.motion.after, head(maps.mean((2, 3))))
        taught = network.companion("teacher").eval()(clips.motion.flatten(0, 1))
        assert torch.equal(taught.before, maps)  # it starts from its pupil's weights
        assert taught.after.shape == (6, 3)

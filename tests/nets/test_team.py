"""TEAM-Net's places and sizes, its stages against the whole, its shift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Tuple

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.bundle.manifest import Manifest, Provenance  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.backbones.resnet import ResNet  # noqa: E402
from edgecvar.nets.catalog import build_network  # noqa: E402
from edgecvar.nets.cost.complexity import describe_network  # noqa: E402
from edgecvar.nets.modules.team_module import ARRANGEMENTS  # noqa: E402
from edgecvar.nets.modules.temporal_shift import ShiftedConv, temporal_shift  # noqa: E402

pytestmark = pytest.mark.train

PLACES = [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5)]
"""The columns of Table 4."""

THIN = {"width": 0.1, "depth": 0.1, "stochastic_depth": 0.0}
THIN_50 = {"block": "bottleneck", "repeats": [1, 2, 1, 1], "width": 0.13}
THIN_18 = {"block": "basic", "repeats": [1, 1, 1, 2], "width": 0.13}
BACKBONES = {"team": (THIN, THIN, THIN), "team-r50": (THIN_50, THIN_18, THIN_18)}
MODALITIES = ("appearance", "motion", "residual")


def build(model: str = "team", classes: int = 3, **options: Any) -> Any:
    """A thin network for inputs of 64 x 96, in eval mode, seeded."""
    torch.manual_seed(1)
    settings = {**dict(zip(MODALITIES, BACKBONES[model])), "dropout": 0.0, **options}
    return build_network(model, settings, InputSpec(height=64, width=96), classes).eval()


SIZES = {
    "team-r50": (
        [(64, 56), (256, 56), (512, 28), (1024, 14), (2048, 7)],
        [(64, 56), (64, 56), (128, 28), (256, 14), (512, 7)],
    ),
    "team": (
        [(32, 112), (24, 56), (40, 28), (112, 14), (320, 7), (1280, 7)],
        [(32, 112), (24, 56), (40, 28), (112, 14), (320, 7), (1280, 7)],
    ),
}
"""I, then MV and R, after each part at 224 x 224; for team-r50 Table 2 of appendix A, its misprints put right."""


@pytest.mark.parametrize("model", SIZES)
def test_maps_have_the_papers_sizes(model: str) -> None:
    with torch.device("meta"):
        network = build_network(model, {}, InputSpec(height=224, width=224), 400).eval()
        opening, fuse = network.stage("appearance"), network.stage("fuse")
        paths = [[*opening.backbone, *fuse.appearance], list(fuse.motion), list(fuse.residual)]
        shapes: Dict[Any, Any] = {}
        for module in [*(part for path in paths for part in path), *network.team.values()]:
            module.register_forward_hook(lambda part, _, out: shapes.update({part: shaped(out)}))
        with torch.no_grad():
            fuse(opening(torch.empty(1, 3, 224, 224)), torch.empty(1, 2, 224, 224), torch.empty(1, 3, 224, 224))
    images, others = ([(channels, side, side) for channels, side in sizes] for sizes in SIZES[model])
    assert [[shapes[part] for part in path] for path in paths] == [images, others, others]
    teams = [shapes[network.team[str(place)]] for place in range(1, 5)]
    assert teams == [list(sizes) for sizes in zip(images, others, others)][:4]
    assert network.stages()[0].output_shape == list(images[0])


def shaped(out: Any) -> Any:
    return [tuple(each.shape[1:]) for each in out] if isinstance(out, list) else tuple(out.shape[1:])


@pytest.mark.parametrize("model", BACKBONES)
@pytest.mark.parametrize("places", PLACES)
def test_every_place_is_fused(model: str, places: Tuple[int, ...], batch: Any, settle: Any) -> None:
    network, clips = build(model, places=list(places)), batch(clips=2, segments=1)
    settle(network, clips)
    assert list(network.team) == [str(place) for place in places]
    with torch.no_grad():
        before = network(clips)
        for place in places:
            kept = {name: tensor.clone() for name, tensor in network.team[str(place)].state_dict().items()}
            for weight in network.team[str(place)].parameters():
                weight.zero_()  # every gate 1 / 2
            assert not torch.equal(network(clips), before), f"TEAM after stage {place} changes nothing"
            network.team[str(place)].load_state_dict(kept)
        assert torch.equal(network(clips), before)


@pytest.mark.parametrize("model", BACKBONES)
@pytest.mark.parametrize(
    ("arrangement", "places"),
    [*((each, PLACES[3]) for each in ARRANGEMENTS), *(("c->s", places) for places in PLACES)],
)
def test_a_step_of_training_in_every_column(model: str, arrangement: str, places: Tuple[int, ...], batch: Any) -> None:
    """Of Tables 3 and 4: every weight is reached, and the modules have what the column says."""
    network, clips = build(model, arrangement=arrangement, places=list(places)).train(), batch(clips=2, segments=1)
    torch.nn.functional.cross_entropy(network(clips), clips.labels).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    fusions = {"channel": "c" in arrangement, "spatial": "s" in arrangement}
    for module in network.team.values():
        assert {name for name, _ in module.named_children()} == {name for name, is_in in fusions.items() if is_in}


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_what_one_modality_shows_changes_the_others_maps(arrangement: str, batch: Any, settle: Any) -> None:
    network, clips = build(arrangement=arrangement, places=[2]), batch(clips=2, segments=1)
    settle(network, clips)
    seen: List[Any] = []
    network.team["2"].register_forward_hook(lambda _, __, out: seen.append(out))
    changes = ({}, *({name: getattr(clips, name).flip(0)} for name in ("image", "motion", "residual")))
    with torch.no_grad():
        for change in changes:
            network(replace(clips, **change))
    for changed in seen[1:]:
        assert all((one - other).abs().max() > 1e-6 for one, other in zip(seen[0], changed))


def test_without_places_three_networks_share_only_the_sum(batch: Any, settle: Any) -> None:
    network, clips = build("team-r50", places=[]), batch(clips=2, segments=2)
    settle(network, clips)
    with torch.no_grad():
        alone = [
            network.heads[name](getattr(network, name)(getattr(clips, source).flatten(0, 1)).mean((2, 3)))
            for name, source in zip(MODALITIES, ("image", "motion", "residual"))
        ]
        expected = sum(alone).unflatten(0, (2, 2)).mean(1)  # type: ignore[attr-defined]
        assert (network(clips) - expected).abs().max() < 1e-5


def walked(network: Any, clips: Any) -> Any:
    """Scores of every sample as the stages give them; with `segments`, of the last of the clip's samples."""
    length = network.segments
    outputs = []
    for clip in range(len(clips.motion)):
        history: Dict[str, List[Any]] = {}
        for sample in range(clips.motion.shape[1]):
            values = {name: getattr(clips, name)[clip, sample][None] for name in ("image", "motion", "residual")}
            for spec in network.stages():
                taken = []
                for tensor in spec.inputs:
                    past = history.setdefault(f"{spec.name} {tensor.name}", [])
                    past.append(values[tensor.source])
                    newest = past[-(length or 1) :]
                    newest = [newest[0]] * ((length or 1) - len(newest)) + newest
                    taken.append(past[-1] if tensor.segments is None else torch.stack(newest, 1))
                    assert list(taken[-1].shape) == [1, *tensor.shape]
                values[spec.name] = network.stage(spec.name)(*taken)
                assert list(values[spec.name].shape) == [1, *spec.output_shape]
            outputs.append(values["fuse"])
    scores = torch.cat(outputs).unflatten(0, clips.motion.shape[:2])
    return scores.mean(1) if length is None else scores[:, -1]


WHOLE = [
    ("team", {}),
    ("team", {"places": [3, 5], "arrangement": "c+s"}),
    ("team", {"places": []}),
    ("team-r50", {}),
    ("team-r50", {"temporal": "tsm", "segments": 3}),
    ("team-r50", {"temporal": "tsm", "segments": 3, "places": [4]}),
]


@pytest.mark.parametrize(("model", "options"), WHOLE)
def test_stages_compose_to_the_whole_network(model: str, options: Dict[str, Any], batch: Any, settle: Any) -> None:
    network, clips = build(model, **options), batch(clips=2, segments=3)
    settle(network, clips)
    stages = network.stages()
    assert [(spec.name, spec.cadence) for spec in stages] == [("appearance", "gop"), ("fuse", "picture")]
    Manifest(labels=list("abc"), input=network.spec, stages=stages, files=[], provenance=Provenance(model=model))
    with torch.no_grad():
        whole = network(clips)
        assert (walked(network, clips) - whole).abs().max() < 1e-5
        blind = replace(clips, adjacent_image=torch.full_like(clips.adjacent_image, torch.nan))
        assert torch.equal(network(blind), whole)
    assert (whole[0] - whole[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "opened"), [({}, 1), ({"places": [3, 5]}, 3), ({"places": []}, 6), ({"places": [2]}, 2)]
)
def test_the_image_goes_as_far_as_the_first_place_once_a_window(options: Dict[str, Any], opened: int) -> None:
    network = build(**options)
    assert len(network.stage("appearance").backbone) == opened
    cost = describe_network(network, gop_length=12)
    assert cost.parameters == sum(weight.numel() for weight in network.parameters())


def test_tsm_opens_with_the_stem_alone() -> None:
    network = build("team-r50", temporal="tsm", places=[4])
    assert len(network.stage("appearance").backbone) == 1  # the blocks after it look at other samples
    assert network.segments == 8


def test_costs_at_the_papers_size() -> None:
    """The paper prints none; ResNet-50 and twice ResNet-18 as published are 4.1 and 1.8 G, 23.5 M and 11.2 M."""
    with torch.device("meta"):
        network = build_network("team-r50", {}, InputSpec(height=224, width=224), 400)
        cost = describe_network(network, gop_length=12)
    parts = {f"{stage.name}.{part.name}": part for stage in cost.stages for part in stage.parts}
    assert parts["appearance.backbone"].parameters + parts["fuse.appearance"].parameters == 23_508_032
    assert parts["fuse.residual"].parameters == 11_176_512
    assert parts["fuse.motion"].parameters == 11_176_512 - 64 * 7 * 7
    joint = [64 + 64 + 64, 256 + 64 + 64, 512 + 128 + 128, 1024 + 256 + 256]
    assert parts["fuse.team"].parameters == sum(2 * each * (each // 4) + 3 * 3 * 3 * 3 for each in joint)
    assert parts["fuse.heads"].parameters == (2048 + 512 + 512 + 3) * 400
    assert cost.multiply_adds == pytest.approx(7.68e9, rel=0.01)


def test_the_shift_by_hand() -> None:
    maps = torch.arange(1.0, 2 * 3 * 16 + 1).reshape(6, 16, 1, 1)  # two clips of three samples
    shifted = temporal_shift(maps, segments=3).reshape(2, 3, 16)
    plain = maps.reshape(2, 3, 16)
    for clip in range(2):
        for sample in range(3):
            for channel in range(16):
                source = sample + 1 if channel < 2 else sample - 1 if channel < 4 else sample
                expected = plain[clip, source, channel].item() if 0 <= source < 3 else 0.0
                assert shifted[clip, sample, channel] == expected


def test_tsm_shifts_the_branch_of_every_block_and_not_its_shortcut(batch: Any, settle: Any) -> None:
    network, clips = build("team-r50", temporal="tsm", segments=3), batch(clips=1, segments=3)
    settle(network, clips)
    for name, blocks in zip(MODALITIES, (5, 5, 5)):
        backbone = getattr(network, name)
        assert sum(isinstance(part, ShiftedConv) for part in backbone.modules()) == blocks
    block = network.motion.layer4[1]
    maps = torch.rand(3, block.conv1.in_channels, 2, 3)
    with torch.no_grad():
        branch = block.bn2(
            block.conv2(torch.relu(block.bn1(torch.nn.Conv2d.forward(block.conv1, temporal_shift(maps, 3)))))
        )
        assert (block(maps.clone()) - torch.relu(branch + maps)).abs().max() < 1e-6


def test_only_tsm_sees_the_order_of_the_samples(batch: Any, settle: Any) -> None:
    clips = batch(clips=2, segments=3)
    names = ("image", "adjacent_image", "motion", "residual")
    backwards = replace(clips, **{name: getattr(clips, name).flip(1) for name in names})
    for options, sees in (({}, False), ({"temporal": "tsm", "segments": 3}, True)):
        network = build("team-r50", **options)
        settle(network, clips)
        with torch.no_grad():
            assert ((network(clips) - network(backwards)).abs().max() > 1e-4) == sees


@pytest.mark.parametrize("options", [{}, {"temporal": "tsm"}])
def test_backbones_keep_the_published_names(options: Dict[str, Any]) -> None:
    network = build("team-r50", **options)
    plain = ResNet(network.options.motion, in_channels=2)
    network.motion.load_state_dict(plain.state_dict())
    assert torch.equal(network.stage("fuse").motion[1][0].conv1.weight, plain.layer1[0].conv1.weight)
    assert not [name for name in network.state_dict() if name.startswith(("_stages", "fuse"))]


@pytest.mark.parametrize("model", BACKBONES)
def test_a_few_samples_are_learnt_by_heart(model: str, batch: Any) -> None:
    network, clips = build(model).train(), batch(clips=6, segments=1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        scores = network(clips)
        loss = torch.nn.functional.cross_entropy(scores, clips.labels)
        loss.backward()
        optimiser.step()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []
    assert torch.equal(scores.argmax(1), clips.labels)
    assert loss < 0.3


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("team", {"arrangement": "c>s"}, "arrangement 'c>s': did you mean"),
        ("team", {"places": [1, 6]}, "places"),
        ("team", {"places": [2, 1]}, "in order"),
        ("team", {"motion": "efficientnet_b2"}, "efficientnet_b[01]"),
        ("team", {"temporal": "tsm"}, "temporal"),
        ("team-r50", {"appearance": "resnet51"}, "resnet50"),
        ("team-r50", {"segments": 8}, "segments are what temporal: tsm"),
        ("team-r50", {"temporal": "tms"}, "temporal"),
    ],
)
def test_a_wrong_option_is_named(model: str, options: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(model, **options)


def test_clips_of_another_length_are_refused(batch: Any) -> None:
    with pytest.raises(ValueError, match="clips of 2 segments, expected 3"):
        build("team-r50", temporal="tsm", segments=3)(batch(segments=2))
    with pytest.raises(ConfigError, match="fuse"):
        build().stage("fues")

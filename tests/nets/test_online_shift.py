"""Blocks shifted online: a stream is its clip, the first picture sees zeros, the backbones are the published ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.bundle.plan import plan_stages  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.backbones.efficientnet import BackboneOptions, EfficientNet, InvertedResidual  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.catalog import build_network  # noqa: E402
from edgecvar.nets.modules.temporal_shift import is_shifted, shifted, within_clips  # noqa: E402

SPEC = InputSpec(height=72, width=104)
"""Sides that are rounded up on their way down."""
SMALL = {"width": 0.1, "depth": 0.5, "dropout": 0.0, "stochastic_depth": 0.0}
LITE = {**SMALL, "lite": True}
TEAM = {"appearance": SMALL, "motion": SMALL, "residual": SMALL, "dropout": 0.0}
MOBILE = {"kind": "mobilenet_v2", "width": 0.25}
RESNET = {"block": "bottleneck", "repeats": [1, 2, 1, 1], "width": 0.125}
NETWORKS: Dict[str, Any] = {
    "mv": ("attp", {"backbone": SMALL, "fusion": "mv", "dropout": 0.0}),
    "r-lite": ("attp", {"backbone": LITE, "fusion": "r", "dropout": 0.0}),
    "late": ("attp", {"backbone": SMALL, "fusion": "late", "dropout": 0.0}),
    "bp": ("attp", {"backbone": SMALL, "fusion": "bp", "dim": 16, "dropout": 0.0}),
    "tp": ("attp", {"backbone": SMALL, "fusion": "tp", "dim": 8, "dropout": 0.0}),
    "ttp": ("attp", {"backbone": SMALL, "fusion": "ttp", "dim": 8, "factor": 2, "dropout": 0.0}),
    "team": ("team", TEAM),
    "team-late": ("team", {**TEAM, "places": [3]}),
    "team-apart": ("team", {**TEAM, "places": []}),
    "tsn-mobile": ("tsn", {"backbone": MOBILE, "frames": "all", "dropout": 0.0}),
    "tsn-resnet": ("tsn", {"backbone": RESNET, "frames": "all", "dropout": 0.0}),
}


def clips(pictures: int = 5) -> ClipBatch:
    image, adjacent, motion, residual, frame = (
        torch.randn(2, pictures, channels, SPEC.height, SPEC.width) for channels in (3, 3, 2, 3, 3)
    )
    return ClipBatch(image, adjacent, motion, residual, torch.zeros(2, dtype=torch.int64), frame=frame)


def build(name: str, temporal: str = "online_shift") -> Any:
    model, options = NETWORKS[name]
    torch.manual_seed(0)
    return build_network(model, {**options, "temporal": temporal}, SPEC, 4)


@pytest.fixture(params=NETWORKS)
def network(request: Any, settle: Any) -> Any:
    made = build(request.param)
    settle(made, clips())
    return made


def streamed(network: Any, batch: ClipBatch) -> Any:
    """(N, T, classes): the stages walked picture by picture, N streams side by side."""
    prepared = {name: getattr(batch, name) for name in ("image", "motion", "residual", "frame")}
    specs = network.stages()
    states = {spec.name: [torch.zeros(2, *each.shape) for each in spec.state] for spec in specs}
    scores = []
    for place in range(batch.motion.shape[1]):
        values = {name: each[:, place] for name, each in prepared.items()}
        for spec in specs:
            taken = [values[each.source] for each in spec.inputs if each.gop == "current"]
            if len(taken) < len(spec.inputs):
                taken.insert(1, network.stage("appearance")(batch.adjacent_image[:, place]))
            given = network.stage(spec.name)(*taken, *states[spec.name])
            values[spec.name], *states[spec.name] = given if spec.state else [given]
            shapes = [list(each.shape[1:]) for each in (values[spec.name], *states[spec.name])]
            assert shapes == list(spec.gives.values())
        scores.append(values[specs[-1].name])
    return torch.stack(scores, 1)


def test_picture_by_picture_is_the_clip(network: Any) -> None:
    batch = clips()
    with torch.no_grad():
        whole = network.each_picture(batch)
        assert torch.allclose(streamed(network, batch), whole, atol=1e-4)
        assert torch.allclose(network(batch), whole.mean(1), atol=1e-5)
    assert (whole[:, 1:] - whole[:, :1]).abs().max() > 0.1


def test_nothing_looks_ahead_or_into_another_clip_and_the_past_is_seen(network: Any) -> None:
    batch = clips()
    moving = {name: getattr(batch, name).clone() for name in ("motion", "residual", "frame")}
    for tensor in moving.values():
        tensor[0, 2] = torch.randn_like(tensor[0, 2])
    changed = replace(batch, **moving)
    with torch.no_grad():
        apart = (network.each_picture(batch) - network.each_picture(changed)).abs().amax(2)
    assert apart[0, :2].max() < 1e-5 and apart[1].max() < 1e-5
    assert apart[0, 2:4].min() > 1e-4


def test_only_stages_of_sampled_pictures_keep_what_they_saw(network: Any) -> None:
    for planned in plan_stages(network.stages()).stages:
        assert planned.in_order == (planned.spec.cadence == "picture")


def test_a_state_is_an_eighth_of_what_enters_each_block_with_a_shortcut() -> None:
    motion, fuse = build("mv").stages()
    assert [each.shape for each in motion.state] == [[1, 36, 52], [1, 5, 7], [2, 5, 7], [3, 3, 4]]
    assert not fuse.state and build("mv", "average").stages()[0].state == []
    published, _ = build_network("attp", {"fusion": "mv", "temporal": "online_shift"}, InputSpec(), 2).stages()
    assert published.state[0].shape == [2, 120, 120] and len(published.state) == 16  # of B1's 23 blocks


def test_a_block_reads_zeros_first_and_then_the_picture_before() -> None:
    backbone = EfficientNet(BackboneOptions(**SMALL), in_channels=2).eval()
    (block, *_) = [each for each in backbone.features[4] if isinstance(each, InvertedResidual) and each.identity]
    maps = torch.randn(3, 8, 5, 6)
    expected: List[Any] = []
    for place, own in enumerate(maps):
        before = maps[place - 1] if place else torch.zeros_like(own)
        expected.append(own + block.block(torch.cat([before[:1], own[1:]])[None])[0])
    assert torch.allclose(shifted(block, maps, within_clips(3)), torch.stack(expected), atol=1e-6)
    assert torch.equal(shifted(backbone.features[5][0], maps, within_clips(3)), backbone.features[5][0](maps))


def test_a_tsn_keeps_what_the_online_networks_of_tsms_authors_keep() -> None:
    """The ten buffers of their MobileNetV2, and an eighth of what enters each of ResNet-50's sixteen blocks."""
    spec = InputSpec(height=224, width=224)
    options = {"temporal": "online_shift", "frames": "all"}
    with torch.device("meta"):
        mobile, resnet = (
            build_network("tsn", {**options, "backbone": name}, spec, 27) for name in ("mobilenet_v2", "resnet50")
        )
    buffers = [[3, 56, 56], *[[4, 28, 28]] * 2, *[[8, 14, 14]] * 3, *[[12, 14, 14]] * 2, *[[20, 7, 7]] * 2]
    assert [each.shape for each in mobile.stages()[0].state] == buffers
    entering = [(64, 56), *[(256, 56)] * 3, *[(512, 28)] * 4, *[(1024, 14)] * 6, *[(2048, 7)] * 2]
    assert [each.shape for each in resnet.stages()[0].state] == [[c // 8, side, side] for c, side in entering]


@pytest.mark.parametrize("name", ["tsn-mobile", "tsn-resnet"])
def test_a_tsns_block_reads_the_picture_before_in_its_branch_alone(name: str) -> None:
    backbone = build(name).appearance.backbone
    blocks = [each for each in backbone.modules() if is_shifted(each)]
    block = blocks[-1].eval()
    channels = next(each.in_channels for each in block.modules() if isinstance(each, torch.nn.Conv2d))
    maps = torch.randn(3, channels, 5, 6)
    before = torch.cat([torch.zeros_like(maps[:1]), maps[:-1]])
    entering = torch.cat([before[:, : channels // 8], maps[:, channels // 8 :]], 1)
    if name == "tsn-mobile":
        expected, count = maps + block.conv(entering), 10
    else:
        expected, count = torch.relu(block.branch(entering) + block.shortcut(maps)), 5
    assert len(blocks) == count
    assert torch.allclose(shifted(block, maps, within_clips(3)), expected, atol=1e-6)


def test_weights_are_those_of_the_plain_network(network: Any, request: Any) -> None:
    plain = build(request.node.callspec.params["network"], "average")
    assert {name: each.shape for name, each in network.state_dict().items()} == {
        name: each.shape for name, each in plain.state_dict().items()
    }


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("attp", {"fusion": "i", "backbone": SMALL}),
        ("tsn", {"backbone": {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}}),
        ("attp", {"fusion": "mv", "backbone": {"width": 0.1, "depth": 0.1, "lite": True}}),
    ],
)
def test_what_has_nothing_to_shift_says_so(model: str, options: Dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"nothing to shift.* temporal: conv"):
        build_network(model, {**options, "temporal": "online_shift"}, SPEC, 2)

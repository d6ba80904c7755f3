"""TSN: the mean of single pictures' scores; TSM: its blocks read a clip shifted both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.choice import picture_backbone
from edgecvar.nets.backbones.mobilenet import LinearBottleneck
from edgecvar.nets.backbones.resnet import ResidualBlock
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import NETWORKS, build_network, network_options
from edgecvar.nets.network import Network

pytestmark = pytest.mark.train

SPEC = InputSpec(height=32, width=48)
BACKBONE = {"block": "bottleneck", "repeats": [1, 1, 1, 1], "width": 0.125}


def network() -> Network:
    torch.manual_seed(0)
    return build_network("tsn", {"backbone": BACKBONE}, SPEC, 4)


def batch() -> ClipBatch:
    torch.manual_seed(1)
    image, motion = torch.randn(2, 3, 3, 32, 48), torch.randn(2, 3, 2, 32, 48)
    return ClipBatch(image, torch.randn_like(image), motion, torch.randn_like(image), torch.arange(2))


def test_scores_are_the_mean_over_segments() -> None:
    net, inputs = network().eval(), batch()
    (spec,) = net.stages()
    assert (spec.cadence, spec.inputs[0].source, spec.output_shape) == ("gop", "image", [4])
    with torch.no_grad():
        single = [[net.stage("appearance")(picture[None])[0] for picture in clip] for clip in inputs.image]
        expected = torch.stack([torch.stack(scores).mean(0) for scores in single])
        assert torch.allclose(net(inputs), expected, atol=1e-6)
        assert (expected[0] - expected[1]).abs().max() > 1e-3


def test_only_the_classifier_drops() -> None:
    net, inputs = network().eval(), batch()
    with torch.no_grad():
        before = net(inputs)
        net.get_submodule("appearance.dropout").train()
        assert not torch.equal(net(inputs), before)
        net.get_submodule("appearance.dropout").eval()
        assert torch.equal(net(inputs), before)


def test_by_default_it_is_a_resnet50() -> None:
    with torch.device("meta"):
        net = NETWORKS["tsn"].build(NETWORKS["tsn"].options(), SPEC, 1000)
    assert sum(weight.numel() for weight in net.parameters()) == 25_557_032


def shifting(**options: Any) -> Network:
    """Of three samples, shifted both ways."""
    torch.manual_seed(2)
    return build_network("tsn", {"backbone": BACKBONE, "temporal": "tsm", "segments": 3, **options}, SPEC, 4).eval()


def both_ways(maps: torch.Tensor) -> torch.Tensor:
    """One clip (T, C, h, w): an eighth of the channels of the next sample, an eighth of the one before."""
    part, out = maps.shape[1] // 8, maps.clone()
    out[:, : 2 * part] = 0
    for time in range(len(maps)):
        if time + 1 < len(maps):
            out[time, :part] = maps[time + 1, :part]
        if time:
            out[time, part : 2 * part] = maps[time - 1, part : 2 * part]
    return out


def tsm(net: Network, clip: torch.Tensor) -> torch.Tensor:
    """Scores of one clip (T, 3, h, w), with plain backbones of the same weights whose branches read shifted maps."""
    ours = net.get_submodule("appearance.backbone")
    options: Any = net.options  # type: ignore[has-type]
    plain = picture_backbone(options.backbone).eval()
    plain.load_state_dict(ours.state_dict())
    for part in plain.parts():
        for layer in part if isinstance(part, torch.nn.Sequential) else [part]:
            if isinstance(layer, ResidualBlock):
                clip = torch.relu(layer.branch(both_ways(clip)) + layer.shortcut(clip))
            elif isinstance(layer, LinearBottleneck) and layer.identity and layer.expands:
                clip = clip + layer.conv(both_ways(clip))
            else:
                clip = layer(clip)
    scores: torch.Tensor = net.get_submodule("appearance.classifier")(clip.mean((2, 3))).mean(0)
    return scores


MOBILE = {"kind": "mobilenet_v2", "width": 0.25}


@pytest.mark.parametrize("frames", ["i", "all"])
@pytest.mark.parametrize("backbone", [BACKBONE, MOBILE], ids=["resnet", "mobilenet"])
def test_tsm_is_the_published_network_with_its_branches_shifted_both_ways(
    settle: Any, backbone: Any, frames: str
) -> None:
    net, inputs = shifting(backbone=backbone, frames=frames, dropout=0.0), batch()
    clips = inputs.image
    if frames == "all":
        clips = torch.randn_like(inputs.image)
        inputs = replace(inputs, frame=clips)
    settle(net, inputs)
    first, last = net.stages()
    source = ("picture", "frame") if frames == "all" else ("gop", "image")
    assert (first.cadence, first.inputs[0].source) == source
    assert last.inputs[0].shape == [3, *first.output_shape] and last.output_shape == [4]
    with torch.no_grad():
        expected = torch.stack([tsm(net, clip) for clip in clips])
        assert torch.allclose(net(inputs), expected, atol=1e-5)
        backwards = torch.stack([tsm(net, clip.flip(0)) for clip in clips])
        assert (expected - backwards).abs().max() > 1e-3
        opened = torch.stack([net.stage("appearance")(clip) for clip in clips])
        assert list(opened.shape[2:]) == first.output_shape
        assert torch.allclose(net.stage("clip")(opened), expected, atol=1e-5)


def test_weights_of_tsm_are_those_of_the_plain_network() -> None:
    assert {name: each.shape for name, each in shifting().state_dict().items()} == {
        name: each.shape for name, each in network().state_dict().items()
    }


def test_tsm_is_of_eight_samples_unless_a_recipe_says_otherwise() -> None:
    def resolved(**options: Any) -> Any:
        return network_options("tsn", options)

    assert (resolved(temporal="tsm").segments, resolved().segments) == (8, None)
    assert resolved(temporal="tsm", segments=16).segments == 16
    with pytest.raises(ConfigError, match="segments are what temporal: tsm looks at together"):
        resolved(segments=8)
    with pytest.raises(ConfigError, match="did you mean 'tsm'"):
        resolved(temporal="tsn")
    with pytest.raises(ValueError, match="3 segments, expected 2"):
        shifting(segments=2)(batch())


def test_it_reads_the_frames_that_it_is_told_to() -> None:
    torch.manual_seed(0)
    net, inputs = build_network("tsn", {"backbone": BACKBONE, "frames": "all"}, SPEC, 4).eval(), batch()
    (spec,) = net.stages()
    assert (spec.cadence, spec.inputs[0].source) == ("picture", "frame")
    with pytest.raises(ValueError, match="without decoded frames"):
        net(inputs)
    with torch.no_grad():
        assert torch.equal(net(replace(inputs, frame=inputs.image)), network().eval()(inputs))


def test_options_of_before_are_what_they_were() -> None:
    """A checkpoint of before has the backbone, the dropout and temporal alone."""
    options = network_options("tsn", {"backbone": {"block": "basic", "repeats": [2, 2, 2, 2], "width": 1.0}})
    assert options == network_options("tsn", {"backbone": "resnet18", "frames": "i", "segments": None})
    again = network_options("tsn", network_options("tsn", {"backbone": "mobilenet_v2"}).model_dump(mode="json"))
    assert again == network_options("tsn", {"backbone": {**MOBILE, "width": 1.0}})


def test_it_has_one_stage() -> None:
    with pytest.raises(ConfigError, match="appearance"):
        network().stage("motion")

"""MEACI-Net's streams alone, and what its units are compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from torch import nn  # noqa: E402

from edgecvar.bundle.stages import prepared_sources  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.catalog import build_network, network_options  # noqa: E402
from edgecvar.nets.cost.complexity import describe_network  # noqa: E402
from edgecvar.nets.meaci import LateralConnection  # noqa: E402

pytestmark = pytest.mark.train

THIN = {"repeats": [1, 2, 1, 1], "width": 0.125}
B2 = {"smc": False, "cma": False}
ALONE = {"rgb": ("image",), "mvr": ("motion", "residual")}
INPUTS = ("image", "adjacent_image", "motion", "residual", "frame")


def build(**options: Any) -> Any:
    """A thin network for 3 samples of 64 x 96, in double precision and eval mode, its batch norms at work."""
    torch.manual_seed(1)
    settings = {"backbone": THIN, "segments": 3, "dropout": 0.0, **options}
    network = build_network("meaci", settings, InputSpec(height=64, width=96), 3)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm3d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.3, 0.3)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return network.double().eval()


@pytest.fixture
def clips(batch: Any) -> Any:
    drawn = batch(clips=2, segments=3)
    return replace(drawn, **{name: getattr(drawn, name).double() for name in INPUTS})


def test_a_lateral_connection() -> None:
    torch.manual_seed(2)
    unit = LateralConnection(3).double().eval()
    nn.init.uniform_(unit.bn.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
    nn.init.uniform_(unit.bn.bias, -0.3, 0.3)
    seen, moved = torch.rand(2, 3, 6, 2, 2).double(), torch.rand(2, 3, 6, 2, 2).double()
    weight = unit.conv.weight.detach().numpy()
    assert weight.shape == (3, 3, 5, 1, 1)
    expected = seen.numpy().copy()
    for clip, out, t, y, x in np.ndindex(2, 3, 6, 2, 2):
        near = [(tap, t + tap - 2) for tap in range(5) if 0 <= t + tap - 2 < 6]
        total = sum(weight[out, c, tap, 0, 0] * moved[clip, c, at, y, x].item() for c in range(3) for tap, at in near)
        spread = np.sqrt(unit.bn.running_var[out].item() + unit.bn.eps)
        value = (total - unit.bn.running_mean[out].item()) / spread + unit.bn.bias[out].item()
        expected[clip, out, t, y, x] += max(0.0, value)
    np.testing.assert_allclose(unit(seen, moved).detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("lateral", ["none", "add", "la"])
def test_what_joins_the_streams_enters_the_next_layer(lateral: str, clips: Any) -> None:
    """And without CMA the scores are the mean of two."""
    network = build(**B2, lateral=lateral)
    look, move, la = network.clip.appearance, network.clip.motion, network.clip.la
    with torch.no_grad():
        seen = look.stem(clips.image.transpose(1, 2))
        moved = move.stem(torch.cat([clips.motion, clips.residual], 2).transpose(1, 2))
        for place in range(4):
            seen, moved = look.layers()[place](seen), move.layers()[place](moved)
            if lateral == "add":
                seen = seen + moved
            if lateral == "la":
                seen = seen + torch.relu(la[place].bn(la[place].conv(moved)))
        expected = (look.fc(seen.mean((2, 3, 4))) + move.fc(moved.mean((2, 3, 4)))) / 2
        got = network(clips)
    torch.testing.assert_close(got, expected)
    assert len(la) == (4 if lateral == "la" else 0)


def test_add_and_la_are_not_b2_and_take_motion_into_rgb(clips: Any) -> None:
    scores: Dict[str, Any] = {}
    for lateral in ("none", "add", "la"):
        network = build(**B2, lateral=lateral)
        heard: List[Any] = []
        network.clip.appearance.layer4.register_forward_hook(lambda _, __, out, heard=heard: heard.append(out))
        with torch.no_grad():
            scores[lateral] = network(clips)
            network(replace(clips, motion=clips.motion.flip(0)))
        assert torch.equal(heard[0], heard[1]) == (lateral == "none")
    assert not torch.allclose(scores["none"], scores["add"])
    assert not torch.allclose(scores["none"], scores["la"])


@pytest.mark.parametrize("streams", ALONE)
def test_one_stream_alone(streams: str, clips: Any) -> None:
    network = build(streams=streams)
    (spec,) = network.stages()
    assert tuple(each.source for each in spec.inputs) == ALONE[streams]
    assert prepared_sources([spec]) == set(ALONE[streams])
    others = {name: torch.full_like(getattr(clips, name), torch.nan) for name in INPUTS if name not in ALONE[streams]}
    backwards = {name: getattr(clips, name).flip(1) for name in ALONE[streams]}
    with torch.no_grad():
        whole = network(replace(clips, **others))
        staged = network.stage("clip")(*(getattr(clips, name) for name in ALONE[streams]))
        stream = network.clip.appearance if streams == "rgb" else network.clip.motion
        given = torch.cat([getattr(clips, name) for name in ALONE[streams]], 2)
        torch.testing.assert_close(whole, stream(given.transpose(1, 2)))  # its own CLS of the mean over T, h and w
        assert not torch.allclose(network(replace(clips, **backwards)), whole)
    assert torch.equal(staged, whole)
    assert list(staged.shape) == [2, *spec.output_shape]
    assert {name.split(".")[1] for name in network.state_dict()} == {"appearance" if streams == "rgb" else "motion"}


def test_one_stream_has_the_weights_of_that_stream_beside_the_other() -> None:
    both, alone = build().state_dict(), {name: build(streams=name).state_dict() for name in ALONE}
    shapes = {name: value.shape for name, value in both.items()}
    for states in alone.values():
        assert {name: value.shape for name, value in states.items()}.items() <= shapes.items()


@pytest.mark.parametrize("options", [{"streams": "rgb"}, {"streams": "mvr"}, {**B2, "lateral": "la"}])
def test_a_step_of_training_reaches_every_weight(options: Dict[str, Any], clips: Any) -> None:
    network = build(**options).train()
    torch.nn.functional.cross_entropy(network(clips), clips.labels).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_costs_at_the_papers_size() -> None:
    """Table 2's RGB is an I3D-ResNet-50, its MVR the CME network of table 3, and B2 both."""

    def counted(**options: Any) -> Any:
        with torch.device("meta"):
            return describe_network(build_network("meaci", options, InputSpec(height=224, width=224), 101), 12)

    rgb, mvr, joined = counted(streams="rgb"), counted(streams="mvr"), counted(**B2, lateral="la")
    assert rgb.parameters == pytest.approx(27.43e6, abs=5e3)
    assert mvr.parameters == pytest.approx(21.10e6, abs=5e3)
    channels, places = (256, 512, 1024, 2048), [8 * side * side for side in (56, 28, 14, 7)]
    connected = sum(5 * each**2 + 2 * each for each in channels)
    assert joined.parameters == rgb.parameters + mvr.parameters + connected
    connecting = sum(5 * each**2 * at for each, at in zip(channels, places))
    assert joined.multiply_adds == rgb.multiply_adds + mvr.multiply_adds + connecting


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lateral": "add"}, "lateral: add stands where SMC does; set smc: false"),
        ({"lateral": "la", "streams": "mvr", "smc": False}, "lateral: la joins two streams, and streams: mvr is one"),
        ({"streams": "mv"}, "streams: Input should be 'both', 'rgb' or 'mvr', got 'mv'"),
        ({"lateral": "concat"}, "lateral: Input should be 'none', 'add' or 'la', got 'concat'"),
    ],
)
def test_what_it_cannot_be_is_said(options: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        network_options("meaci", options)


def test_options_of_before_mean_what_they_meant() -> None:
    options = network_options("meaci", {"smc": True, "cma": False}).model_dump()
    assert (options["streams"], options["lateral"], options["smc"], options["cma"]) == ("both", "none", True, False)

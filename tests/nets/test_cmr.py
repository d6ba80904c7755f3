"""CMR against the paper's equations written out slowly, its count, its stages against the whole, its start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the train extra")

from torch import nn  # noqa: E402

from edgecvar.bundle.stages import prepared_sources  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.backbones.resnet import Bottleneck, ResNet  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.catalog import build_network, network_options  # noqa: E402
from edgecvar.nets.cmr import CmrBlock, SpatialMotion, TemporalInteraction  # noqa: E402
from edgecvar.nets.cost.complexity import describe_network  # noqa: E402
from edgecvar.nets.modules.channel_motion import (  # noqa: E402
    ChannelMotion,
    MotionEnhanced,
    ProgressiveEnhancement,
)

pytestmark = pytest.mark.train

Array = NDArray[np.float64]
THIN = {"block": "bottleneck", "repeats": [1, 2, 1, 1], "width": 0.125}
SEGMENTS = 3


def build(classes: int = 3, **options: Any) -> Any:
    """A thin network for inputs of 64 x 96, in eval mode, seeded."""
    torch.manual_seed(1)
    settings = {"backbone": THIN, "segments": SEGMENTS, "dropout": 0.0, **options}
    return build_network("cmr", settings, InputSpec(height=64, width=96), classes).eval()


def stir(module: nn.Module) -> Any:
    """Double precision, and norms and temporal weights as after some training, so that leaving one out shows."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.3, 0.3)
            nn.init.uniform_(norm.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
        elif isinstance(norm, TemporalInteraction):
            nn.init.normal_(norm.weight)
    return module.double().eval()


def maps(*shape: int, seed: int = 0) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def array(tensor: Any) -> Array:
    values: Array = tensor.detach().numpy()
    return values


def clips_of(value: Array) -> Array:
    return value.reshape(-1, SEGMENTS, *value.shape[1:])


def channel_motion(clip: Array, unit: Any) -> Array:
    """Eq. 1 to 6 of one clip (T, C, h, w), frame by frame."""
    w1, w2, w3 = (array(each.weight) for each in (unit.w1, unit.w2, unit.w3))
    means = [np.array([channel.sum() / channel.size for channel in frame]) for frame in clip]
    z, k = [w1 @ mean for mean in means], [w2 @ mean for mean in means]  # eq. 2, 3
    out = np.zeros_like(clip)
    for t in range(len(clip)):
        d = np.array([-sum(a * b for a, b in zip(k[t], k[j])) for j in range(len(clip))])  # eq. 4
        fractions = np.exp(d) / np.exp(d).sum()
        fused = z[t] + sum(fractions[j] * z[j] for j in range(len(clip)))  # eq. 5
        gate = 1 / (1 + np.exp(-(w3 @ fused)))  # eq. 6
        for c in range(len(gate)):
            out[t, c] = clip[t, c] * gate[c]  # eq. 1
    return out


def interaction(clip: Array, unit: Any) -> Array:
    """Each channel of (T, C, h, w) with its three weights; nothing is outside the clip."""
    weight = array(unit.weight)[:, :, 0, 0]
    out = np.zeros_like(clip)
    for t in range(len(clip)):
        for tap in range(3):
            if 0 <= t + tap - 1 < len(clip):
                for c in range(clip.shape[1]):
                    out[t, c] += weight[tap, c] * clip[t + tap - 1, c]
    return out


def normalised(frame: Array, norm: Any) -> Array:
    mean, var, weight, bias = (array(each) for each in (norm.running_mean, norm.running_var, norm.weight, norm.bias))
    scaled = [(channel - mean[c]) / np.sqrt(var[c] + norm.eps) * weight[c] + bias[c] for c, channel in enumerate(frame)]
    return np.array(scaled)


def spatial_motion(clip: Array, unit: Any) -> Array:
    """Eq. 7 and 8 of one clip (T, C, h, w), position by position."""
    length, _, height, width = clip.shape
    s = np.zeros((length, height, width))
    for t in range(length - 1):
        for i, j in np.ndindex(height, width):
            a, b = clip[t, :, i, j], clip[t + 1, :, i, j]
            size = np.linalg.norm(a) * np.linalg.norm(b)
            s[t, i, j] = a @ b / size if size else 0.0  # eq. 7
    s[-1] = s[-2]
    scale = array(unit.conv.weight)[:, 0, 0, 0]
    out = np.zeros_like(clip)
    for t in range(length):
        scaled = np.array([scale[c] * channel * (1 - s[t]) for c, channel in enumerate(clip[t])])
        out[t] = normalised(scaled, unit.norm) + clip[t]  # eq. 8
    return out


def test_channel_wise_motion_enhancement() -> None:
    torch.manual_seed(2)
    unit = ChannelMotion(16, SEGMENTS, 8, 4).double()
    given = 3 * maps(2 * SEGMENTS, 16, 4, 5) + maps(2 * SEGMENTS, 16, 1, 1, seed=1)
    expected = [channel_motion(clip, unit) for clip in clips_of(array(given))]
    np.testing.assert_allclose(clips_of(array(unit(given))), expected, atol=1e-5)
    assert (unit.w1.out_features, unit.w2.out_features) == (2, 4)
    assert unit.activation_products(given) == 2 * SEGMENTS * SEGMENTS * (2 + 4)


def test_temporal_interaction() -> None:
    unit = stir(TemporalInteraction(8, SEGMENTS))
    given = maps(2 * SEGMENTS, 8, 3, 2)
    expected = [interaction(clip, unit) for clip in clips_of(array(given))]
    np.testing.assert_allclose(clips_of(array(unit(given))), expected, atol=1e-12)


def test_it_starts_as_a_shift() -> None:
    given = maps(SEGMENTS, 16, 1, 1).float()
    got = TemporalInteraction(16, SEGMENTS)(given)
    assert torch.equal(got[:-1, :2], given[1:, :2]) and not got[-1, :2].any()
    assert torch.equal(got[1:, 2:4], given[:-1, 2:4]) and not got[0, 2:4].any()
    assert torch.equal(got[:, 4:], given[:, 4:])


def test_a_start_from_nothing_sees_each_feature_at_three_times_and_what_moves() -> None:
    network = build(start="random")
    tims = [part for part in network.modules() if isinstance(part, TemporalInteraction)]
    smes = [part for part in network.modules() if isinstance(part, SpatialMotion)]
    assert tims and all((part.weight != 0).all() for part in tims)
    assert smes and all((part.norm.weight == 1).all() for part in smes)
    published = build()
    assert all((part.norm.weight == 0).all() for part in published.modules() if isinstance(part, SpatialMotion))


def test_spatial_wise_motion_enhancement() -> None:
    unit = stir(SpatialMotion(6, SEGMENTS))
    given = maps(2 * SEGMENTS, 6, 4, 5).clamp_min(0)
    given[1, :, 2, 3] = 0  # no direction at all
    expected = [spatial_motion(clip, unit) for clip in clips_of(array(given))]
    np.testing.assert_allclose(clips_of(array(unit(given))), expected, atol=1e-5)
    still = given[:1].repeat(SEGMENTS, 1, 1, 1) + 1
    unit.norm.running_mean.zero_(), unit.norm.bias.data.zero_()
    np.testing.assert_allclose(array(unit(still)), array(still), atol=1e-9)  # what stands still adds nothing


def test_a_block_is_its_parts_in_the_papers_order() -> None:
    network = stir(build())
    block = network.backbone.layer2[0]
    given = maps(SEGMENTS, network.backbone.layer_channels[1], 6, 8).clamp_min(0)
    taken = torch.from_numpy(interaction(channel_motion(array(given), block.cme), block.tim))
    inner = torch.relu(block.bn1(block.conv1(taken)))
    inner = torch.relu(block.bn2(block.conv2(inner)))
    joined = torch.relu(block.bn3(block.conv3(inner)) + block.downsample(given))
    np.testing.assert_allclose(array(block(given)), spatial_motion(array(joined), block.sme), atol=1e-5)


def test_every_block_has_cme_and_the_first_of_each_layer_sme() -> None:
    layers = [list(layer.children()) for layer in build().backbone.layers()]
    assert all(isinstance(block, CmrBlock) for blocks in layers for block in blocks)
    assert all(isinstance(block.cme, ChannelMotion) for blocks in layers for block in blocks)
    assert [[isinstance(block.sme, SpatialMotion) for block in blocks] for blocks in layers] == [
        [True],
        [True, False],
        [True],
        [True],
    ]
    bare = build(cme=False, tim=False, sme=False)
    assert not [
        part for part in bare.modules() if isinstance(part, (ChannelMotion, SpatialMotion, TemporalInteraction))
    ]


@pytest.mark.parametrize("sme_at", ["all", "part"])
@pytest.mark.parametrize("cme_at", ["all", "part"])
@pytest.mark.parametrize(("name", "module"), [("cme", ChannelMotion), ("mem", MotionEnhanced)])
def test_table_5s_placements(cme_at: str, sme_at: str, name: str, module: Any, batch: Any) -> None:
    network = build(cme=name, cme_at=cme_at, sme_at=sme_at)
    second = network.backbone.layer2[1]
    assert all(isinstance(layer[0].cme, module) for layer in network.backbone.layers())
    assert all(isinstance(layer[0].sme, SpatialMotion) for layer in network.backbone.layers())
    assert (isinstance(second.cme, module), isinstance(second.sme, SpatialMotion)) == (cme_at == "all", sme_at == "all")
    assert isinstance(second.tim, TemporalInteraction)
    with torch.no_grad():
        assert torch.isfinite(network(batch(clips=1, segments=SEGMENTS))).all()


@pytest.mark.parametrize("module", [MotionEnhanced, ProgressiveEnhancement])
def test_table_6s_modules_stand_where_cme_does(module: Any, batch: Any) -> None:
    name = {MotionEnhanced: "mem", ProgressiveEnhancement: "pem"}[module]
    network, clips = build(cme=name).train(), batch(clips=2, segments=SEGMENTS)
    assert all(isinstance(block.cme, module) for layer in network.backbone.layers() for block in layer)
    block, given = network.backbone.layer2[0].eval(), maps(SEGMENTS, network.backbone.layer_channels[1], 6, 8).float()
    with torch.no_grad():
        torch.testing.assert_close(block.branch(given), Bottleneck.branch(block, block.tim(block.cme(given))))
        assert not torch.equal(block.cme(given), given)
    torch.nn.functional.cross_entropy(network.train()(clips), clips.labels).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []
    network.eval()
    with torch.no_grad():
        opened = network.stage("stem")(clips.frame.flatten(0, 1)).unflatten(0, (2, SEGMENTS))
        assert torch.equal(network.stage("clip")(opened), network(clips))


def test_a_bool_means_what_it_meant() -> None:
    options = [network_options("cmr", {"cme": value}).model_dump() for value in (True, False)]
    assert [each["cme"] for each in options] == ["cme", "none"]
    assert network_options("cmr", {}).model_dump() == options[0]
    assert (options[0]["cme_at"], options[0]["sme_at"]) == ("all", "part")
    assert list(build(cme=True).state_dict()) == list(build().state_dict())


def test_gradients_are_those_of_the_functions() -> None:
    given = maps(2 * SEGMENTS, 8, 2, 2).clamp_min(-0.5).requires_grad_()
    torch.manual_seed(3)
    units: List[Any] = [ChannelMotion(8, SEGMENTS, 2, 2).double(), stir(TemporalInteraction(8, SEGMENTS))]
    for unit in [*units, stir(SpatialMotion(8, SEGMENTS))]:
        assert torch.autograd.gradcheck(unit, (given,), fast_mode=True)


@pytest.mark.parametrize(("frames", "source", "cadence"), [("all", "frame", "picture"), ("i", "image", "gop")])
def test_stages_compose_to_the_whole_network(batch: Any, frames: str, source: str, cadence: str) -> None:
    network, clips = stir(build(frames=frames)), batch(clips=2, segments=SEGMENTS)
    names = ("image", "adjacent_image", "motion", "residual", "frame")
    tensors = {name: getattr(clips, name).double() for name in names}
    stem, clip = network.stages()
    assert prepared_sources([stem, clip]) == {source}
    assert (stem.cadence, clip.cadence, clip.inputs[0].segments) == (cadence, "picture", SEGMENTS)
    with torch.no_grad():
        whole = network(ClipBatch(**tensors, labels=clips.labels))
        kept = [network.stage("stem")(tensors[source][:, place]) for place in range(SEGMENTS)]
        assert list(kept[0].shape) == [2, *stem.output_shape]
        stacked = torch.stack(kept, 1)
        assert list(stacked.shape) == [2, *clip.inputs[0].shape]
        staged = network.stage("clip")(stacked)
        shuffled = network.stage("clip")(stacked.flip(1))
    assert list(staged.shape) == [2, *clip.output_shape]
    np.testing.assert_allclose(array(staged), array(whole), atol=1e-10)
    assert not torch.allclose(whole, shuffled, atol=1e-6)  # it sees the order of samples


def test_clips_of_another_length_are_refused(batch: Any) -> None:
    with pytest.raises(ValueError, match="got clips of 2 segments, expected 3"):
        build()(batch(segments=2))


def test_the_paper_reads_decoded_frames_and_a_batch_without_them_is_refused(batch: Any) -> None:
    assert network_options("cmr", {}).model_dump()["frames"] == "all"
    with pytest.raises(ValueError, match="without decoded frames"):
        build()(replace(batch(segments=SEGMENTS), frame=None))


def test_what_it_cannot_be_is_said() -> None:
    with pytest.raises(ConfigError, match="frames"):
        network_options("cmr", {"frames": "p"})
    with pytest.raises(ConfigError, match="cme 'pme': did you mean"):
        network_options("cmr", {"cme": "pme"})
    with pytest.raises(ConfigError, match="sme_at: Input should be 'all' or 'part'"):
        network_options("cmr", {"sme_at": "first"})
    with pytest.raises(ConfigError, match="bottlenecks"):
        network_options("cmr", {"backbone": "resnet18"})


def test_2d_weights_load_and_begin_as_they_are() -> None:
    """Names are torchvision's, and but for CME and TIM the new network gives what the published one gives."""
    network = build(cme=False, tim=False)
    published = ResNet(network.options.backbone)
    missing, unexpected = network.backbone.load_state_dict(published.state_dict(), strict=False)
    assert unexpected == []
    assert missing and all(".sme." in name for name in missing)
    picture = maps(SEGMENTS, 3, 64, 96).float()
    with torch.no_grad():
        torch.testing.assert_close(network.backbone(picture), published.eval()(picture))
    missing, _ = build().backbone.load_state_dict(published.state_dict(), strict=False)
    assert all({"cme", "tim", "sme"} & set(name.split(".")) for name in missing)


@pytest.mark.parametrize(("segments", "printed"), [(8, 33e9), (16, 66e9)])
def test_the_papers_multiply_adds(segments: int, printed: float) -> None:
    with torch.device("meta"):
        network = build_network("cmr", {"segments": segments}, InputSpec(height=224, width=224), 174)
    cost = describe_network(network, 12)
    assert cost.multiply_adds == pytest.approx(printed, rel=0.05)
    assert [stage.runs for stage in cost.stages] == [segments, 1]

"""MEACI-Net against the paper's equations written out slowly, its counts, its stage against the whole."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the train extra")

from torch import nn  # noqa: E402

from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from edgecvar.nets.backbones.resnet import RESNETS, ResNet  # noqa: E402
from edgecvar.nets.backbones.resnet3d import ResNet3d, inflate  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.catalog import build_network  # noqa: E402
from edgecvar.nets.cost.complexity import describe_network  # noqa: E402
from edgecvar.nets.meaci import CrossModalityAugment, SelectiveMotionComplement  # noqa: E402
from edgecvar.nets.modules.motion_enhancement import (  # noqa: E402
    MOTION_BLOCKS,
    DenoisedBottleneck,
    DenoisingModule,
    MultiScaleBlock,
)

pytestmark = pytest.mark.train

Array = NDArray[np.float64]
THIN = {"repeats": [1, 2, 1, 1], "width": 0.125}
TABLE_A = [(256, 16), (512, 32), (1024, 64), (2048, 128)]


def build(classes: int = 3, segments: int = 3, **options: Any) -> Any:
    """A thin network for inputs of 64 x 96, in eval mode, seeded, its batch norms at work."""
    torch.manual_seed(1)
    settings = {"backbone": THIN, "segments": segments, "dropout": 0.0, **options}
    network = build_network("meaci", settings, InputSpec(height=64, width=96), classes).eval()
    stir(network)
    return network


def stir(module: nn.Module) -> None:
    """Statistics and weights of batch norm as after some training, so that leaving one out shows."""
    for norm in module.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.3, 0.3)
            nn.init.uniform_(norm.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]


def random_double(*shape: int, seed: int = 0) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def array(weight: Any) -> Array:
    values: Array = weight.detach().numpy()
    return values


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def convolved(clip: Array, conv: Any, stride: int = 1) -> Array:
    """(C, T, h, w) by a convolution of odd kernels and zeros outside, one output position at a time."""
    weight = array(conv.weight)
    weight = weight if weight.ndim == 5 else weight[:, :, None]  # 2D kernels see one sample
    reach = [size // 2 for size in weight.shape[2:]]
    padded = np.pad(clip, [(0, 0), *((each, each) for each in reach)])
    sides = [clip.shape[1], *(-(-side // stride) for side in clip.shape[2:])]
    out = np.zeros((len(weight), *sides))
    for t, y, x in np.ndindex(*sides):
        y0, x0 = y * stride, x * stride
        seen = padded[:, t : t + weight.shape[2], y0 : y0 + weight.shape[3], x0 : x0 + weight.shape[4]]
        for o, kernel in enumerate(weight):
            out[o, t, y, x] = (kernel * seen).sum() + (0 if conv.bias is None else array(conv.bias)[o])
    return out


def normalised(clip: Array, norm: Any) -> Array:
    out = np.zeros_like(clip)
    for c in range(len(clip)):
        spread = np.sqrt(array(norm.running_var)[c] + norm.eps)
        out[c] = (clip[c] - array(norm.running_mean)[c]) / spread * array(norm.weight)[c] + array(norm.bias)[c]
    return out


def bilinear(maps: Array, height: int, width: int) -> Array:
    """(C, h, w) to (C, height, width): pixels are squares, centres are asked for, borders go on."""

    def taps(place: int, size: int, source: int) -> List[Tuple[int, float]]:
        at = max(0.0, (place + 0.5) * source / size - 0.5)
        low = min(int(at), source - 1)
        return [(low, 1 - (at - low)), (min(low + 1, source - 1), at - low)]

    out = np.zeros((len(maps), height, width))
    for y, x in np.ndindex(height, width):
        for row, part in taps(y, height, maps.shape[1]):
            for column, share in taps(x, width, maps.shape[2]):
                out[:, y, x] += part * share * maps[:, row, column]
    return out


def denoised(clip: Array, module: Any) -> Array:
    """Eq. 1 to 3 for one clip (C, T, h, w), sample by sample."""
    channels, length, height, width = clip.shape
    r_h, r_w = min(module.reduction, height), min(module.reduction, width)
    out = np.zeros_like(clip)
    for t in range(length):
        still = sum(clip[:, each] for each in range(length)) / length  # eq. 1
        pooled = np.zeros((channels, height // r_h, width // r_w))
        for y, x in np.ndindex(*pooled.shape[1:]):
            pooled[:, y, x] = still[:, y * r_h : (y + 1) * r_h, x * r_w : (x + 1) * r_w].mean((1, 2))
        spread = bilinear(convolved(pooled[:, None], module.conv)[:, 0], height, width)  # eq. 2
        out[:, t] = sigmoid(still + spread) * clip[:, t]  # eq. 3
    return out


def multi_scale(clip: Array, block: Any, stride: int) -> Array:
    """Section 3.2 and fig. 3 (b), for one clip, before the shortcut."""
    inner = np.maximum(normalised(convolved(clip, block.conv1), block.bn1), 0)
    part = len(inner) // 4
    scales = [inner[:part]]
    for i in (2, 3, 4):
        taken = inner[(i - 1) * part : i * part] + (scales[-1] if i > 2 else 0)
        denoise, st = block.dm[i - 2], block.st[i - 2]
        taken = denoised(taken, denoise) if isinstance(denoise, DenoisingModule) else taken
        for conv, norm in ((st[0], st[1]), (st[3], st[4])):
            taken = np.maximum(normalised(convolved(taken, conv), norm), 0)
        scales.append(taken)
    return normalised(convolved(np.concatenate(scales), block.conv3, stride), block.bn3)


def complemented(seen: Array, moved: Array, unit: Any) -> Array:
    """Eq. 4 and 5 for one clip."""
    padded = np.pad(moved, [(0, 0), (1, 1), (1, 1), (1, 1)], constant_values=-np.inf)
    pooled = np.zeros_like(moved)
    for t, y, x in np.ndindex(*moved.shape[1:]):
        pooled[:, t, y, x] = padded[:, t : t + 3, y : y + 3, x : x + 3].max((1, 2, 3))
    attended = moved * sigmoid(convolved(np.maximum(convolved(pooled, unit.conv0), 0), unit.conv1))  # eq. 4
    strongest = attended.max(0)[None]
    return seen + attended * sigmoid(convolved(strongest, unit.conv2))  # eq. 5


def augmented(seen: Array, moved: Array, unit: Any) -> Array:
    """F_fused of one clip, query by query, as section A of the supplement prints it."""
    maps = {"i": seen, "p": moved}
    taken = {name: convolved(maps[name[-1]], conv).reshape(unit.width, -1).T for name, conv in unit.maps.items()}
    fused = np.zeros_like(taken["value_i"])
    for own, other in (("i", "p"), ("p", "i")):
        for place, query in enumerate(taken[f"query_{other}"]):
            alike = np.array([query @ key for key in taken[f"key_{own}"]]) / np.sqrt(unit.width)
            weights = np.exp(alike) / np.exp(alike).sum()
            fused[place] += sum(weight * value for weight, value in zip(weights, taken[f"value_{own}"]))
    return fused


@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (3, 8)])
@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_the_denoising_module(reduction: int, sides: Tuple[int, int]) -> None:
    module = DenoisingModule(3, reduction).double()
    clips = random_double(2, 3, 4, *sides)
    expected = [denoised(array(clip), module) for clip in clips]
    np.testing.assert_allclose(array(module(clips)), expected, atol=1e-5)


@pytest.mark.parametrize("row", ["b1+msb*", "b1+msb", "cme"])
@pytest.mark.parametrize(("inputs", "stride", "kernel"), [(8, 1, 3), (32, 1, 1), (8, 2, 3)])
def test_the_multi_scale_block(row: str, inputs: int, stride: int, kernel: int) -> None:
    torch.manual_seed(2)
    block: Any = MOTION_BLOCKS[row](inputs, 8, stride, kernel).double().eval()
    stir(block)
    clip = random_double(1, inputs, 3, 5, 6)
    assert isinstance(block, MultiScaleBlock)
    np.testing.assert_allclose(array(block.branch(clip))[0], multi_scale(array(clip)[0], block, stride), atol=1e-5)
    assert [st[3].weight.shape[2] for st in block.st] == ([3, 3, 3] if row == "b1+msb*" else [1, 3, 5])
    assert [getattr(part, "reduction", None) for part in block.dm] == ([2, 4, 8] if row == "cme" else [None] * 3)


def test_the_block_of_b1_and_dm() -> None:
    block = DenoisedBottleneck(8, 8, 2, 3).double().eval()
    stir(block)
    clip = random_double(1, 8, 3, 6, 8)
    inner = np.maximum(normalised(convolved(array(clip)[0], block.conv1), block.bn1), 0)
    inner = np.maximum(normalised(convolved(inner, block.conv2, 2), block.bn2), 0)
    expected = normalised(convolved(denoised(inner, block.dm), block.conv3), block.bn3)
    np.testing.assert_allclose(array(block.branch(clip))[0], expected, atol=1e-5)


def test_selective_motion_complement() -> None:
    unit = SelectiveMotionComplement(32).double()
    seen, moved = random_double(2, 32, 3, 4, 5), random_double(2, 32, 3, 4, 5, seed=1)
    expected = [complemented(array(one), array(two), unit) for one, two in zip(seen, moved)]
    np.testing.assert_allclose(array(unit(seen, moved)), expected, atol=1e-5)


def test_cross_modality_augment() -> None:
    unit = CrossModalityAugment(64).double()
    seen, moved = random_double(2, 64, 2, 2, 3), 3 * random_double(2, 64, 2, 2, 3, seed=1)
    expected = [augmented(array(one), array(two), unit) for one, two in zip(seen, moved)]
    np.testing.assert_allclose(array(unit(seen, moved)), expected, atol=1e-5)
    assert unit.activation_products(seen, moved) == 2 * (2 * 2) * 12 * 12 * unit.width


def test_gradients_are_those_of_the_functions() -> None:
    torch.manual_seed(3)
    dm = DenoisingModule(2, 2).double()
    block = MultiScaleBlock(4, 8, 2, 3).double().eval()
    smc, cma = SelectiveMotionComplement(16).double(), CrossModalityAugment(16).double()
    clip = random_double(1, 4, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(dm, (clip[:, :2],))
    assert torch.autograd.gradcheck(block.branch, (clip,), fast_mode=True)
    pair = [random_double(1, 16, 2, 3, 2, seed=seed).requires_grad_() for seed in (1, 2)]
    assert torch.autograd.gradcheck(smc, pair, fast_mode=True)
    assert torch.autograd.gradcheck(cma, pair, fast_mode=True)


def test_scores_are_the_mean_of_three_and_smc_enters_the_next_layer() -> None:
    network = build().double()
    clip = network.clip
    image, motion, residual = (random_double(2, 3, channels, 64, 96, seed=channels) for channels in (3, 2, 4))
    residual = residual[:, :, :3]
    with torch.no_grad():
        seen = clip.appearance.stem(image.transpose(1, 2))
        moved = clip.motion.stem(torch.cat([motion.transpose(1, 2), residual.transpose(1, 2)], 1))
        for place in range(4):
            seen = getattr(clip.appearance, f"layer{place + 1}")(seen)
            moved = getattr(clip.motion, f"layer{place + 1}")(moved)
            seen = clip.smc[place](seen, moved)
        fused = clip.fused(clip.cma(seen, moved).mean(1))
        parts = [clip.appearance.fc(seen.mean((2, 3, 4))), clip.motion.fc(moved.mean((2, 3, 4))), fused]
        expected = sum(parts) / 3
        got = clip(image, motion, residual)
    np.testing.assert_allclose(array(got), array(expected), atol=1e-8)
    assert all(np.ptp(array(part), axis=0).max() > 1e-6 for part in parts)


@pytest.mark.parametrize("options", [{}, {"motion": "b1", "smc": False}, {"motion": "b1+dm", "cma": False}])
def test_the_stage_is_the_whole_network(batch: Any, options: Any) -> None:
    network, clips = build(**options), batch(clips=2, segments=3)
    (spec,) = network.stages()
    assert [(each.name, each.source, each.segments, each.shape) for each in spec.inputs] == [
        ("image", "image", 3, [3, 3, 64, 96]),
        ("velocity", "motion", 3, [3, 2, 64, 96]),
        ("difference", "residual", 3, [3, 3, 64, 96]),
    ]
    with torch.no_grad():
        staged = network.stage(spec.name)(*(getattr(clips, each.source) for each in spec.inputs))
        whole = network(clips)
        backwards = network(ClipBatch(*(getattr(clips, name).flip(1) for name in TENSORS), labels=clips.labels))
    assert list(staged.shape) == [2, *spec.output_shape]
    assert torch.equal(staged, whole)
    assert not torch.allclose(whole, backwards, atol=1e-6)  # it sees the order of samples
    assert (network.clip.cma is None, len(network.clip.smc)) == ("cma" in options, 0 if "smc" in options else 4)


TENSORS = ("image", "adjacent_image", "motion", "residual")


def test_clips_of_another_length_are_refused(batch: Any) -> None:
    with pytest.raises(ValueError, match="got clips of 2 segments, expected 3"):
        build()(batch(segments=2))
    with pytest.raises(ConfigError, match="motion"):
        build(motion="b2")


def of_paper(**options: Any) -> Any:
    with torch.device("meta"):
        return build_network("meaci", options, InputSpec(height=224, width=224), 101)


def millions(**options: Any) -> float:
    """Parameters of the motion stream, 101 classes included."""
    motion = of_paper(smc=False, cma=False, **options).clip.motion
    return sum(weight.numel() for weight in motion.parameters()) / 1e6


def test_the_papers_multiply_adds() -> None:
    cost = describe_network(of_paper(), 12)
    assert cost.multiply_adds == pytest.approx(89e9, rel=0.05)
    (stage,) = cost.stages
    counted = {part.name: part.multiply_adds for part in stage.parts}
    assert stage.runs == 1
    assert counted["appearance"] == pytest.approx(44.9e9, rel=1e-3)
    positions = 8 * 7 * 7
    assert counted["cma"] == 6 * 2048 * 128 * positions + 4 * positions**2 * 128
    # What the text alone gives, as meaci.py says.
    assert describe_network(of_paper(first_kernels="1x1x1"), 12).multiply_adds == pytest.approx(77.1e9, rel=1e-3)


@pytest.mark.parametrize(
    ("row", "options", "printed"),
    [
        ("b1", {}, 27.5),
        ("b1+msb*", {"first_kernels": "1x1x1"}, 15.3),
        ("b1+msb", {"first_kernels": "1x1x1"}, 15.3),
    ],
)
def test_rows_of_table_3_that_the_text_gives(row: str, options: Any, printed: float) -> None:
    assert millions(motion=row, **options) == pytest.approx(printed, abs=0.05)


def test_rows_of_table_3_that_it_cannot_give() -> None:
    """The figures that meaci.py argues with: what the denoising modules of eq. 2 weigh."""
    rows = {row: millions(motion=row, first_kernels="1x1x1") for row in MOTION_BLOCKS}
    assert rows["b1+dm"] == pytest.approx(38.78, abs=0.005)
    assert rows["b1+dm"] - rows["b1"] == pytest.approx(11.32, abs=0.005)
    assert rows["cme"] == pytest.approx(17.42, abs=0.005)
    assert rows["cme"] - rows["b1+msb"] == pytest.approx(2.12, abs=0.005)
    assert millions() == pytest.approx(21.10, abs=0.005)
    assert millions() - rows["cme"] == pytest.approx(3.68, abs=0.005)


def test_tables_a_and_b() -> None:
    with torch.device("meta"):
        clip = build_network("meaci", {}, InputSpec(height=224, width=224), 51).clip
    assert [tuple(unit.conv0.weight.shape[1::-1]) for unit in clip.smc] == TABLE_A
    assert [tuple(unit.conv1.weight.shape[:2]) for unit in clip.smc] == TABLE_A
    assert {tuple(unit.conv2.weight.shape) for unit in clip.smc} == {(1, 1, 3, 3, 3)}
    assert {tuple(conv.weight.shape) for conv in clip.cma.maps.values()} == {(128, 2048, 1, 1, 1)}
    assert clip.motion.conv1.weight.shape[1] == 2 + 3


def test_2d_weights_inflate_into_both_streams() -> None:
    with torch.device("meta"):
        clip = build_network("meaci", {}, InputSpec(height=224, width=224), 51).clip
        published = ResNet(RESNETS["resnet50"]).state_dict()
        plain = set(ResNet3d("i3d_resnet50").state_dict())
    state = inflate(published, clip.appearance)
    own = clip.appearance.state_dict()
    assert set(own) - set(state) == {"fc.weight", "fc.bias"}
    assert all(state[name].shape == own[name].shape for name in state)
    # A Multi-Scale Block has a bottleneck's first and last convolution and its shortcut.
    motion, moved = clip.motion.state_dict(), inflate(published, clip.motion)
    shared = {name for name in moved if name in motion and moved[name].shape == motion[name].shape}
    assert plain - shared == {name for name in plain if ".conv2." in name or ".bn2." in name} | {"conv1.weight"}

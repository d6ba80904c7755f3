"""DMC-Net against the paper's equations and tables written out slowly, its stages against the whole."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network, find_entry, network_options, network_outline
from edgecvar.nets.modules.dmc_discriminator import Discriminator
from edgecvar.nets.modules.dmc_generator import Generator
from edgecvar.train import losses
from edgecvar.train.objective import Objective
from edgecvar.train.recipe import load_recipe

pytestmark = pytest.mark.train

Array = NDArray[np.float64]
TINY = {"repeats": [1, 1, 1, 1], "width": 0.125}
SMALL = {"appearance": TINY, "motion": TINY, "residual": TINY, "classifier": TINY}
CLIP = {**SMALL, "i3d": TINY, "segments": 3}
VARIANTS = {
    "all": SMALL,
    "cue": {**SMALL, "weights": {"appearance": 0, "motion": 0, "residual": 0}},
    "no I": {**SMALL, "weights": {"appearance": 0}},
    "clip": CLIP,
    "clip, cue": {**CLIP, "weights": {"appearance": 0, "motion": 0, "residual": 0}},
}
RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SPEC = InputSpec.model_validate({"height": 32, "width": 48})


def drawn(clips: int = 2, segments: int = 3, seed: int = 0) -> ClipBatch:
    random = torch.Generator().manual_seed(seed)
    image, adjacent, residual = (torch.randn(clips, segments, 3, 32, 48, generator=random) for _ in range(3))
    motion, flow = (torch.randn(clips, segments, 2, 32, 48, generator=random) for _ in range(2))
    return ClipBatch(image, adjacent, motion, residual, torch.arange(clips) % 3, flow)


def doubled(batch: ClipBatch) -> ClipBatch:
    tensors = {field.name: getattr(batch, field.name) for field in fields(batch)}
    inputs = {name: tensor for name, tensor in tensors.items() if name != "labels" and tensor is not None}
    return replace(batch, **{name: tensor.double() for name, tensor in inputs.items()})


def built(options: Dict[str, Any], batch: ClipBatch) -> Any:
    """In eval mode, with the batch's statistics, as those of the start make activations vanish."""
    torch.manual_seed(1)
    network = build_network("dmc", options, SPEC, 3)
    norms = [part for part in network.modules() if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm3d))]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(batch)
    return network.eval()


def slow_convolution(maps: Array, conv: nn.Conv2d) -> Array:
    """3 x 3 with padding 1, one output at a time: (c, h, w) to (filters, ceil(h / stride), ceil(w / stride))."""
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    (channels, height, width), stride = maps.shape, conv.stride[0]
    out = np.zeros((len(weight), -(-height // stride), -(-width // stride)))
    for f, y, x in np.ndindex(out.shape):
        out[f, y, x] = bias[f]
        for c, dy, dx in np.ndindex(channels, 3, 3):
            row, column = y * stride + dy - 1, x * stride + dx - 1
            if 0 <= row < height and 0 <= column < width:
                out[f, y, x] += weight[f, c, dy, dx] * maps[c, row, column]
    return out


def leaky(maps: Array, slope: float) -> Array:
    return np.where(maps > 0, maps, slope * maps)


def slow_cue(generator: Generator, motion: Array, residual: Array) -> Array:
    """Table 2 and the shortcut from MV: (2, h, w) and (3, h, w) to (2, h, w)."""
    maps = np.concatenate([motion, residual])
    for place in range(5):
        conv = generator.get_submodule(f"conv{place}")
        maps = np.concatenate([maps, leaky(slow_convolution(maps, conv), 0.1)])
    return motion + slow_convolution(maps, generator.conv5)


def slow_verdict(discriminator: Discriminator, motion: Array) -> Array:
    """Logits (2,) of a picture (2, h, w) in eval mode, layer by layer."""
    maps = motion
    for layer in discriminator.features:
        if isinstance(layer, nn.Conv2d):
            maps = slow_convolution(maps, layer)
        elif isinstance(layer, nn.LeakyReLU):
            maps = leaky(maps, 0.2)
        elif isinstance(layer, nn.BatchNorm2d):
            mean, variance = layer.running_mean.numpy(), layer.running_var.numpy()
            scale, shift = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            for c in range(len(maps)):
                maps[c] = (maps[c] - mean[c]) / np.sqrt(variance[c] + layer.eps) * scale[c] + shift[c]
    linear = discriminator.linear
    return linear.weight.detach().numpy() @ maps.ravel() + linear.bias.detach().numpy()


def softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()


def settled_discriminator(height: int, width: int) -> Discriminator:
    torch.manual_seed(2)
    discriminator = Discriminator(height, width).double()
    for part in discriminator.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    with torch.no_grad():
        discriminator(torch.randn(8, 2, height, width, dtype=torch.float64))
    return discriminator.eval()


def test_the_generator_has_table_2s_channels() -> None:
    layers = list(Generator().named_children())
    assert [(name, conv.in_channels, conv.out_channels) for name, conv in layers] == [
        ("conv0", 5, 8),
        ("conv1", 13, 8),
        ("conv2", 21, 6),
        ("conv3", 27, 4),
        ("conv4", 31, 2),
        ("conv5", 33, 2),
    ]
    assert {(conv.kernel_size, conv.stride, conv.padding) for _, conv in layers} == {((3, 3), (1, 1), (1, 1))}


def test_the_generator_is_table_2_with_the_shortcut() -> None:
    torch.manual_seed(0)
    generator = Generator().double()
    motion, residual = torch.randn(2, 2, 5, 6).double(), torch.randn(2, 3, 5, 6).double()
    expected = [slow_cue(generator, mv.numpy(), r.numpy()) for mv, r in zip(motion, residual)]
    with torch.no_grad():
        assert np.abs(generator(motion, residual).numpy() - np.array(expected)).max() < 1e-5
        nn.init.zeros_(generator.conv5.weight)
        nn.init.zeros_(generator.conv5.bias)
        assert torch.equal(generator(motion, residual), motion)


def test_the_generators_gradient() -> None:
    torch.manual_seed(0)
    generator = Generator().double()
    inputs = [torch.randn(1, channels, 3, 4, dtype=torch.float64, requires_grad=True) for channels in (2, 3)]
    assert torch.autograd.gradcheck(generator, inputs)


def test_the_discriminator_is_what_its_file_says() -> None:
    convolutions = [layer for layer in Discriminator(224, 224).features if isinstance(layer, nn.Conv2d)]
    assert [conv.out_channels for conv in convolutions] == [16] * 3 + [32] * 3 + [64] * 3 + [128] * 3
    assert [conv.stride[0] for conv in convolutions] == [2, 1, 1] * 4
    assert Discriminator(224, 224).linear.in_features == 128 * 14 * 14
    discriminator = settled_discriminator(9, 17)  # sides that do not halve evenly
    motion = torch.randn(2, 2, 9, 17, dtype=torch.float64)
    expected = np.array([slow_verdict(discriminator, picture.numpy().copy()) for picture in motion])
    with torch.no_grad():
        assert np.abs(discriminator(motion).numpy() - expected).max() < 1e-5
    assert np.ptp(expected) > 1e-2


def test_the_losses_are_equations_1_to_3() -> None:
    batch = doubled(drawn(clips=1, segments=2))
    network = built(VARIANTS["cue"], drawn()).double()
    discriminator = settled_discriminator(32, 48)
    seen = losses.ForwardPass(batch, network.features(batch), {"discriminator": discriminator}, 0.0)
    with torch.no_grad():
        cues = [network.generator(mv[None], r[None])[0].numpy() for mv, r in zip(batch.motion[0], batch.residual[0])]
        reconstruction, adversarial = losses.reconstruction(seen).value, losses.adversarial(seen).value
        fooled = losses.discriminator(seen).value
    flows = list(batch.flow[0].numpy())
    squares = [(cue - flow) ** 2 for cue, flow in zip(cues, flows)]
    fake, real = losses.FAKE, losses.REAL
    of_cues = [softmax(slow_verdict(discriminator, cue.copy())) for cue in cues]
    of_flows = [softmax(slow_verdict(discriminator, flow.copy())) for flow in flows]
    assert float(reconstruction) == pytest.approx(np.mean(squares), abs=1e-5)
    told = [-np.log(p[fake]) - np.log(q[real]) for p, q in zip(of_cues, of_flows)]
    assert float(fooled) == pytest.approx(np.mean(told), abs=1e-5)
    assert float(adversarial) == pytest.approx(np.mean([-np.log(p[real]) for p in of_cues]), abs=1e-5)


def test_the_objective_is_equation_4_and_its_parts_take_turns() -> None:
    """Of the recipe: alpha 10, lambda 1; the discriminator and the network each learn from their own loss alone."""
    recipe = load_recipe(RECIPES / "hmdb51" / "dmc.yaml", ["rates={}"])
    phases = recipe.course.phases
    assert [sorted(phase.losses or {}) for phase in phases] == [
        ["reconstruction"],
        ["reconstruction", "streams"],
        ["adversarial", "discriminator", "reconstruction", "streams"],
    ]
    assert phases[0].train == ["generator"] and [phase.epochs for phase in phases] == [1, 49, None]
    batch = drawn()
    trained = Objective(recipe.course, recipe.descent, built(VARIANTS["cue"], batch), torch.device("cpu"))
    trained.begin(phases[2])
    judge = trained.companions["discriminator"]
    before = {name: value.clone() for name, value in judge.named_parameters()}
    outcome = trained.step(batch, rate=1e-3)
    assert all(not torch.equal(value, before[name]) for name, value in judge.named_parameters())
    terms = outcome.terms
    total = terms["streams"] + 10 * terms["reconstruction"] + terms["adversarial"]
    assert outcome.loss == pytest.approx(total, rel=1e-5)


def test_classification_teaches_the_generator_too() -> None:
    """Section 3.3.3: the gradient of the classification loss goes through the classifier into the generator."""
    batch = drawn()
    network = built(SMALL, batch).train()
    torch.nn.functional.cross_entropy(network(batch), batch.labels).backward()
    assert all(conv.weight.grad.abs().max() > 0 for conv in network.generator.children())


def test_the_discriminator_is_no_part_of_the_network() -> None:
    network = built(SMALL, drawn())
    discriminator = network.companion("discriminator")
    assert isinstance(discriminator, Discriminator) and discriminator.linear.in_features == 128 * 2 * 3
    assert {name.split(".")[0] for name in network.state_dict()} == {*SMALL, "generator"}
    with pytest.raises(ConfigError, match="teacher"):
        network.companion("teacher")


def slow_scores(network: Any, batch: ClipBatch) -> Array:
    """(N, classes): scores of each stream, weighted and divided by the weights' sum."""
    cues = network.generator(batch.motion.flatten(0, 1), batch.residual.flatten(0, 1))
    inputs = {"appearance": batch.image, "motion": batch.motion, "residual": batch.residual}
    clips, segments = batch.motion.shape[:2]
    total, weights = np.zeros((clips, 3)), network.options.weights
    for name in network.options.streams:
        scores = getattr(network, name)(inputs[name].flatten(0, 1)).numpy().reshape(clips, segments, 3)
        total += getattr(weights, name) * scores.mean(1)
    if network.options.segments is None:
        scores = network.classifier(cues).numpy().reshape(clips, segments, 3).mean(1)
    else:
        scores = network.classifier(cues.unflatten(0, (clips, segments)).transpose(1, 2)).numpy()
    counted = [getattr(weights, name) for name in (*network.options.streams, "cue")]
    return (total + weights.cue * scores) / sum(counted)


def staged(network: Any, batch: ClipBatch) -> torch.Tensor:
    """(N, classes): each clip's pictures walked one by one, as a recognizer does; of a clip network the last answer."""
    prepared = {"image": batch.image, "motion": batch.motion, "residual": batch.residual}
    answers = []
    for clip in range(len(batch.labels)):
        seen: List[Dict[str, torch.Tensor]] = []
        for segment in range(batch.motion.shape[1]):
            outputs: Dict[str, torch.Tensor] = {}
            seen.append(outputs)
            for spec in network.stages():
                taken = []
                for tensor in spec.inputs:
                    if tensor.source in outputs and tensor.segments:
                        last = [seen[max(0, segment - back)][tensor.source] for back in range(tensor.segments)]
                        taken.append(torch.stack(last[::-1], 1))
                    elif tensor.source in outputs:
                        taken.append(outputs[tensor.source])
                    else:
                        taken.append(prepared[tensor.source][clip, segment][None])
                    assert list(taken[-1].shape) == [1, *tensor.shape]
                outputs[spec.name] = network.stage(spec.name)(*taken)
                assert list(outputs[spec.name].shape) == [1, *spec.output_shape]
        scores = [outputs["fuse"] for outputs in seen]
        answers.append(scores[-1] if network.options.segments else torch.stack(scores).mean(0))
    return torch.cat(answers)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_are_fused_and_stages_compose(variant: str) -> None:
    batch = drawn()
    network = built(VARIANTS[variant], batch)
    with torch.no_grad():
        whole = network(batch)
        assert np.abs(whole.numpy() - slow_scores(network, batch)).max() < 1e-5
        assert (staged(network, batch) - whole).abs().max() < 1e-5
        features = network.features(batch)
    assert torch.equal(features.scores, whole) and features.cue.shape == batch.motion.shape
    assert np.ptp(whole.numpy()) > 0.05


@pytest.mark.parametrize("segments", [2, 7])
def test_i3d_scores_clips_of_any_length(segments: int) -> None:
    """Longer or shorter than the 3 that its stages look at."""
    batch = drawn(segments=segments)
    network = built(CLIP, batch)
    with torch.no_grad():
        scores = network(batch).numpy()
        assert np.abs(scores - slow_scores(network, batch)).max() < 1e-5 and np.ptp(scores) > 0.05
    assert find_entry("dmc").any_length


def test_i3ds_stages_look_at_250_pictures_where_they_are_asked_to() -> None:
    stages = network_outline("dmc", {**CLIP, "segments": 250}, SPEC).stages()
    assert [tensor.shape[0] for tensor in stages[-1].inputs] == [250] * 4


@pytest.mark.parametrize(
    ("variant", "stages"),
    [
        ("all", ["appearance", "fuse"]),
        ("cue", ["fuse"]),
        ("no I", ["fuse"]),
        ("clip", ["cue", "appearance", "motion", "residual", "fuse"]),
        ("clip, cue", ["cue", "fuse"]),
    ],
)
def test_as_few_stages_as_the_equations_allow(variant: str, stages: List[str]) -> None:
    specs = build_network("dmc", VARIANTS[variant], SPEC, 3).stages()
    assert [spec.name for spec in specs] == stages
    assert [spec.name for spec in specs if spec.cadence == "gop"] == [name for name in stages if name == "appearance"]
    for spec in specs:
        names = [spec.name, *(tensor.name for tensor in spec.inputs)]
        assert len(set(names)) == len(names)


def test_options_name_their_networks() -> None:
    options: Any = network_options("dmc", {"i3d": "i3d_resnet50"})
    assert options.segments == 64 and options.i3d.repeats == (3, 4, 6, 3)
    assert network_options("dmc", options.model_dump(mode="json")) == options
    with pytest.raises(ConfigError, match="i3d"):
        network_options("dmc", {"segments": 8})
    with pytest.raises(ConfigError, match="resnet18"):
        network_options("dmc", {"classifier": "resnet19"})
    with pytest.raises(ConfigError, match="weights"):
        network_options("dmc", {"weights": {"cue": 0}})

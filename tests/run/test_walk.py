"""The staged path that runs and the whole torch network that is trained give the same probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from tests.moving_clip import moving_clip

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.bundle.manifest import Manifest, Provenance  # noqa: E402
from edgecvar.clips.gop import cut_windows  # noqa: E402
from edgecvar.clips.motion_source import MotionSource  # noqa: E402
from edgecvar.clips.prepare import Preparer  # noqa: E402
from edgecvar.clips.sampling import OneOfEvery  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.compile.bundle import compile_bundle  # noqa: E402
from edgecvar.compile.config import CompileConfig  # noqa: E402
from edgecvar.compile.plan import plan_compilation  # noqa: E402
from edgecvar.compile.subject import settle_norms  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.nets.catalog import NETWORKS, Entry, build_network  # noqa: E402
from edgecvar.run.recognizer import RunOptions, recognize  # noqa: E402
from edgecvar.runners.onnx import OnnxRunner  # noqa: E402
from edgecvar.runners.torch import TorchRunner  # noqa: E402
from edgecvar.stream.reader import open_stream  # noqa: E402
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint  # noqa: E402
from tests.run.clip_network import MadeUp, MadeUpOptions  # noqa: E402

LABELS = ["a", "b", "c", "d"]
FUSIONS = ["ttp", "tp", "bp", "late", "i", "mv", "r"]
TOLERANCE = 1e-4
"""Issue's figure, on probabilities; fp32 sums in another order reach some 1e-6."""


def spec(**changes):
    return InputSpec(height=48, width=64, crop=1.0, gop_length=12, stride=5, consensus=1, **changes)


def network_of(fusion, inputs, batch):
    """A tiny network of random weights, its scores spread so that a wrong input shows."""
    torch.manual_seed(3)
    options = {"backbone": {"width": 0.1, "depth": 0.1}, "fusion": fusion, "dim": 8}
    network = build_network("attp", options, inputs, len(LABELS)).eval()
    settle_norms(network, batch)
    heads = [part for part in network.fuse.modules() if isinstance(part, torch.nn.Linear)]
    with torch.no_grad():
        scores = network(batch)
        centre, gain = scores.mean(0), 1 / scores.std(0).max()
        for head in heads:
            head.weight.mul_(gain)
            head.bias.mul_(gain).sub_(centre * gain / len(heads))
    return network, options


def every_sample(path, inputs, stride):
    """One ClipBatch with a clip of one segment for each sampled picture, by the definitions, from a whole reading."""
    with open_stream(path) as stream:
        motion_source, preparer = MotionSource(stream.info, inputs), Preparer(stream.info, inputs)
        kinds, images, prepared, taken = [], {}, {}, []
        picker = OneOfEvery(stride)
        for index, picture in enumerate(stream):
            motion_source.push(picture)
            kinds.append(picture.kind)
            if picker.push(picture.display_index, picture.kind):
                taken.append((picture.display_index, index))
            if picture.kind == "I":
                images[index] = preparer.image(picture.planes)
            else:
                prepared[index] = (
                    preparer.motion(motion_source.motion(picture)),
                    preparer.residual(motion_source.residual(picture)),
                    preparer.intra(motion_source.intra(picture)),
                )
    windows = cut_windows(kinds, inputs.gop_length)
    rows = []
    for _, index in sorted(taken):
        window = next(each for each in windows if index in each.pictures)
        neighbour = windows[min(1, len(windows) - 1)] if window.index == 0 else windows[window.index - 1]
        rows.append((images[window.appearance], images[neighbour.appearance], *prepared[index]))
    *tensors, intra = (torch.from_numpy(np.stack(column))[:, None] for column in zip(*rows))
    return ClipBatch(*tensors, labels=torch.zeros(len(rows), dtype=torch.long), intra=intra)


def probabilities(decisions):
    return np.array([[dict(each.top)[label] for label in LABELS] for each in decisions])


def run(path, document, runner):
    with runner, open_stream(path) as stream:
        return probabilities(recognize(stream, document, runner, RunOptions(top=len(LABELS))))


CLIPS = {
    "GOPs of 12 with B-pictures": (50, {"g": "12", "bf": "2"}),
    "one long GOP": (50, {"g": "250"}),
    "one window": (11, {"g": "250"}),
}
VARYING = [
    (name, fusion, False) for name in CLIPS for fusion in FUSIONS if fusion != "i" or CLIPS[name][1]["g"] == "12"
] + [(name, "ttp", True) for name in CLIPS]
"""One I-picture gives I alone one answer, whatever is sampled: nothing to tell apart."""


@pytest.mark.parametrize("name, fusion, accumulate", VARYING)
def test_stages_in_torch_agree_with_the_whole_network(tmp_path, name, fusion, accumulate):
    pictures, options = CLIPS[name]
    clip = moving_clip(tmp_path / "clip.mp4", pictures, restless=True, **options)
    inputs = spec(accumulate=accumulate)
    batch = every_sample(clip, inputs, inputs.stride)
    network, _ = network_of(fusion, inputs, batch)
    document = Manifest(
        labels=LABELS, input=inputs, stages=network.stages(), files=[], provenance=Provenance(model="attp")
    )
    staged = run(clip, document, TorchRunner(network))
    with torch.no_grad():
        whole = network(batch).softmax(1).numpy()
    assert staged == pytest.approx(whole, abs=TOLERANCE)
    assert len(whole) >= 2
    assert np.ptp(whole, axis=0).max() > 0.1


def test_the_compiled_bundle_agrees_with_the_whole_network(tmp_path):
    clip = moving_clip(tmp_path / "clip.mp4", pictures=50, restless=True, bf="2")
    inputs = spec()
    batch = every_sample(clip, inputs, inputs.stride)
    network, options = network_of("ttp", inputs, batch)
    path = tmp_path / "best.pt"
    save_checkpoint(path, Checkpoint("attp", options, inputs, LABELS, network.state_dict(), recipe=""))
    config = CompileConfig(checkpoint=path, data=clip, output=tmp_path / "net.edgecvar")
    bundle = compile_bundle(plan_compilation(config)).bundle
    staged = run(clip, bundle.manifest, OnnxRunner(bundle, threads=1))
    with torch.no_grad():
        whole = network(batch).softmax(1).numpy()
        swapped = ClipBatch(batch.adjacent_image, batch.image, batch.motion, batch.residual.flip(0), batch.labels)
        wrong = network(swapped).softmax(1).numpy()
    assert staged == pytest.approx(whole, abs=TOLERANCE)
    assert np.abs(wrong - whole).max() > 100 * TOLERANCE  # a wrong input would have shown


def every_clip(singles, segments):
    """Of N single samples N clips, each of the newest samples, the first one standing in for those before it."""
    rows = [[max(0, last - back) for back in reversed(range(segments))] for last in range(len(singles.labels))]
    columns = [getattr(singles, name)[:, 0] for name in ("image", "adjacent_image", "motion", "residual")]
    return ClipBatch(*(column[torch.tensor(rows)] for column in columns), labels=singles.labels)


def clip_network(inputs, segments, batch):
    torch.manual_seed(5)
    network = MadeUp(MadeUpOptions(segments=segments), inputs, len(LABELS)).eval()
    settle_norms(network, batch)
    assert 0 < network.clip.norm.running_var.max() < 0.8, "new statistics have a variance of 1, and keep most of it"
    with torch.no_grad():
        scores = network(batch)
        gain = 2 / scores.std(0).max()
        network.clip.classify.weight.mul_(gain)
        network.clip.classify.bias.sub_(scores.mean(0)).mul_(gain)
    return network


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("name", CLIPS)
def test_stages_in_torch_agree_with_a_whole_network_of_clips(tmp_path, name, segments):
    pictures, options = CLIPS[name]
    clip = moving_clip(tmp_path / "clip.mp4", pictures, restless=True, **options)
    inputs = spec()
    batch = every_clip(every_sample(clip, inputs, inputs.stride), segments)
    network = clip_network(inputs, segments, batch)
    document = Manifest(
        labels=LABELS, input=inputs, stages=network.stages(), files=[], provenance=Provenance(model="made-up")
    )
    staged = run(clip, document, TorchRunner(network))
    with torch.no_grad():
        whole = network(batch).softmax(1).numpy()
    assert staged == pytest.approx(whole, abs=TOLERANCE)
    assert np.ptp(whole, axis=0).max() > 0.1


def test_a_compiled_network_of_clips_agrees_with_the_whole_in_every_precision(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "made-up", Entry(MadeUpOptions, MadeUp))
    (tmp_path / "clips").mkdir()
    clips = [moving_clip(tmp_path / f"clips/{n}.mp4", 50, shift=n - 3, restless=True, bf="2") for n in range(4)]
    inputs = spec()
    batch = every_clip(every_sample(clips[0], inputs, inputs.stride), 3)
    network = clip_network(inputs, 3, batch)
    path = tmp_path / "best.pt"
    save_checkpoint(path, Checkpoint("made-up", {"segments": 3}, inputs, LABELS, network.state_dict(), recipe=""))
    config = CompileConfig(
        checkpoint=path, data=tmp_path / "clips", output=tmp_path / "net.edgecvar", max_drop=None, search_samples=16
    )
    bundle = compile_bundle(plan_compilation(config)).bundle
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    with torch.no_grad():
        whole = network(batch).softmax(1).numpy()
        flipped = {name: getattr(batch, name).flip(1) for name in ("image", "adjacent_image", "motion", "residual")}
        wrong = network(ClipBatch(**flipped, labels=batch.labels)).softmax(1).numpy()
    for precision, tolerance in (("fp32", TOLERANCE), ("fp16", 1e-2), ("int8", 1e-1)):
        staged = run(clips[0], bundle.manifest, OnnxRunner(bundle, precision, threads=1))
        assert staged == pytest.approx(whole, abs=tolerance)
    assert np.abs(wrong - whole).max() > 0.1  # a wrong order would have shown


def test_an_untrained_network_of_clips_is_settled_on_the_clips_that_it_runs_on(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "made-up", Entry(MadeUpOptions, MadeUp))
    clip = moving_clip(tmp_path / "clip.mp4", pictures=50, restless=True)
    config = CompileConfig(model="made-up", untrained=True, classes=4, input=spec(), data=clip, network={"segments": 2})
    config = config.model_copy(update={"output": tmp_path / "net.edgecvar", "precision": frozenset({"fp32"})})
    compiled = compile_bundle(plan_compilation(config))
    assert {check.check.stage for check in compiled.stages} == {"appearance", "motion", "clip"}
    assert all(check.check.scale > 1e-3 for check in compiled.stages)

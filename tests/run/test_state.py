"""Stages with state: a stream picture by picture is the clip as a whole, and nothing is remembered over a break."""

from __future__ import annotations

import gc
import weakref
from itertools import islice

import numpy as np
import pytest

from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import StageSpec, StageState
from edgecvar.errors import BundleError
from edgecvar.run.recognizer import recognize
from edgecvar.runners.runner import Step
from edgecvar.stream.types import Break
from tests.moving_clip import moving_clip
from tests.run.scripted import APPEARANCE, INFO, Launched, RecordingRunner, ScriptedStream, manifest, run, stage

JUMP = Break("timestamps jumped ahead", INFO)


def summing(*inputs):
    """A stage whose state is the sum of what it has seen."""
    plain = stage("classify", "picture", *inputs, output=[3])
    return plain.model_copy(update={"state": [StageState(name="sum", shape=[1])]})


class Summing(RecordingRunner):
    """Keeps, of each call, the state that it was given and the picture."""

    def __init__(self):
        super().__init__()
        self.steps = []
        self.held = []

    def launch(self, stage, inputs):
        if "sum" not in inputs:
            launched = super().launch(stage, inputs)
            self.held.append(weakref.ref(launched))
            return launched
        seen = int(inputs["motion"].output[0, 0])
        self.steps.append((int(inputs["sum"][0, 0]), seen))
        state = inputs["sum"] + np.float32(seen)
        self.held.append(weakref.ref(state))
        return Step(Launched(stage, np.zeros((1, 3), np.float32)), {"sum": state})


def steps(stream, *stages):
    runner = Summing()
    run("", list(stages), runner, stream=stream)
    return runner.steps


SEEN = ("appearance", "appearance", "current")
MOTION = stage("motion", "picture", ("motion", "motion", "current"))


@pytest.mark.parametrize("taken", [3, 100])
def test_a_run_that_is_over_holds_nothing_of_the_runner(taken):
    """Whether it went to its end or was left; who keeps it for its summary keeps no memory of a device."""
    runner, stages = Summing(), [APPEARANCE, MOTION, summing(("motion", "motion", "current"), SEEN)]
    with recognize(ScriptedStream("IPPPPIPPPP"), manifest(stages), runner) as recognition:
        decisions = list(islice(recognition, taken))
        gc.collect()
        assert not any(held() for held in runner.held)
    assert len(decisions) == min(taken, 8) and len(runner.held) > 2 * len(decisions)


def test_pictures_come_to_a_state_in_display_order():
    stream = ScriptedStream("IPBBPBB", shown=[0, 3, 1, 2, 6, 4, 5])
    # Pictures are known by their place in decode order.
    seen = steps(stream, MOTION, summing(("motion", "motion", "current")))
    assert [picture for _, picture in seen] == [2, 3, 1, 5, 6, 4]
    assert [before for before, _ in seen] == [0, 2, 5, 6, 11, 17]


def test_nothing_is_remembered_over_a_break():
    stream = ScriptedStream("IPP" + "IPP" + "PP", breaks={3: JUMP, 6: JUMP})
    seen = steps(stream, MOTION, summing(("motion", "motion", "current")))
    assert seen == [(0, 1), (1, 2), (0, 4), (4, 5), (0, 6), (6, 7)]


def test_what_takes_a_state_at_second_hand_waits_for_its_turn():
    plan = plan_stages([MOTION, summing(("motion", "motion", "current")), stage("end", "picture", ("classify",) * 2)])
    assert [each.in_order for each in plan.stages] == [False, True, True]
    assert plan.in_order and not plan_stages([MOTION]).in_order


def test_a_stage_that_remembers_looks_at_no_clips():
    with pytest.raises(BundleError, match="one by one"):
        plan_stages([MOTION, summing(("motion", "motion", "current", 3))])


@pytest.mark.parametrize(
    "change, wrong",
    [
        ({"cadence": "gop"}, "only sampled pictures"),
        ({"state": [{"name": "motion", "shape": [1]}]}, "called as another"),
        ({"state": [{"name": "sum", "shape": [1]}, {"name": "sum", "shape": [2]}]}, "called as another"),
        ({"state": [{"name": "sum", "shape": [0]}]}, "between 1 and"),
    ],
)
def test_a_state_that_cannot_be_is_refused(change, wrong):
    document = {**summing(("motion", "motion", "current")).model_dump(), **change}
    with pytest.raises(ValueError, match=wrong):
        StageSpec.model_validate(document)


LABELS = ["a", "b", "c", "d"]
TOLERANCE = 1e-4
"""Of scores: fp32 sums in another order reach some 1e-6."""


NETWORKS = {
    "remembering": {},
    "attp": {
        "backbone": {"width": 0.1, "depth": 0.3, "dropout": 0.0, "stochastic_depth": 0.0},
        "fusion": "mv",
        "dropout": 0.0,
        "temporal": "online_shift",
    },
    "motion": {"channels": 8, "width": 24, "dropout": 0.0, "intra": True},
}
"""The made-up one that remembers in every way, one of which each block with a shortcut does, one of all that moves."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """With B-pictures."""
    folder = tmp_path_factory.mktemp("remembering")
    return [
        moving_clip(folder / f"{number}.mp4", 50, shift=number - 3, restless=True, g="12", bf="2")
        for number in range(4)
    ]


@pytest.fixture(scope="module", params=NETWORKS)
def remembering(request, clips):
    """A network's name, itself with its scores spread, its input, and what it makes of the first clip whole."""
    torch = pytest.importorskip("torch", reason="needs the train extra")
    pytest.importorskip("onnxscript", reason="needs the train extra")
    from edgecvar.clips.spec import InputSpec
    from edgecvar.compile.subject import settle_norms
    from edgecvar.nets import catalog
    from edgecvar.nets.batch import ClipBatch
    from tests.run.remembering import Remembering, RememberingOptions
    from tests.run.test_walk import every_sample

    spec = InputSpec(height=48, width=64, crop=1.0, gop_length=12, stride=2, consensus=1)
    singles = every_sample(clips[0], spec, spec.stride)
    assert singles.intra.any()
    names = ("image", "adjacent_image", "motion", "residual", "intra")
    tensors = {name: getattr(singles, name).transpose(0, 1) for name in names}
    batch = ClipBatch(**tensors, labels=torch.zeros(1).long())
    torch.manual_seed(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.NETWORKS, "remembering", catalog.Entry(RememberingOptions, Remembering))
        network = catalog.build_network(request.param, NETWORKS[request.param], spec, len(LABELS)).eval()
        settle_norms(network, batch)
        *_, classifier = (part for part in network.modules() if isinstance(part, torch.nn.Linear))
        with torch.no_grad():
            classifier.weight.mul_(2 / network.each_picture(batch)[0].std(0).max())
            whole = network.each_picture(batch)[0].numpy()
        assert len(whole) > 15 and np.ptp(whole, axis=0).max() > 1
        yield request.param, network, spec, whole


def scores(clip, document, runner):
    from edgecvar.run.recognizer import recognize
    from edgecvar.stream.reader import open_stream

    with runner, open_stream(clip) as stream:
        return np.stack([decision.scores for decision in recognize(stream, document, runner)])


@pytest.mark.train
def test_a_stream_in_torch_is_the_clip_as_a_whole(remembering, clips):
    from edgecvar.bundle.manifest import Manifest, Provenance
    from edgecvar.runners.torch import TorchRunner

    name, network, spec, whole = remembering
    made = Provenance(model=name)
    document = Manifest(labels=LABELS, input=spec, stages=network.stages(), files=[], provenance=made)
    assert scores(clips[0], document, TorchRunner(network)) == pytest.approx(whole, abs=TOLERANCE)


@pytest.mark.train
def test_a_compiled_stream_is_the_clip_as_a_whole_in_every_precision(remembering, clips, tmp_path):
    import onnx

    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.config import CompileConfig
    from edgecvar.compile.plan import plan_compilation
    from edgecvar.runners.onnx import OnnxRunner
    from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
    from tests.compile.onnx.test_operators import unreadable

    name, network, spec, whole = remembering
    path = tmp_path / "best.pt"
    save_checkpoint(path, Checkpoint(name, NETWORKS[name], spec, LABELS, network.state_dict(), recipe=""))
    config = CompileConfig(
        checkpoint=path, data=clips[0].parent, output=tmp_path / "net.edgecvar", max_drop=None, search_samples=64
    )
    bundle = compile_bundle(plan_compilation(config)).bundle
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    spread = float(np.ptp(whole))
    for precision, tolerance in (("fp32", TOLERANCE), ("fp16", 1e-2 * spread), ("int8", 0.1 * spread)):
        staged = scores(clips[0], bundle.manifest, OnnxRunner(bundle, precision, threads=1))
        assert staged == pytest.approx(whole, abs=tolerance), precision
    models = [onnx.load(str(bundle.path / file.path)) for file in bundle.manifest.files if not file.strongly_typed]
    assert {model.opset_import[0].version for model in models} == {13} and unreadable(models) == []

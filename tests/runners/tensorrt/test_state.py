"""State that a stage hands to itself, which stays on the device: two buffers in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import NoClock
from edgecvar.clips.messages import SampledPicture
from edgecvar.errors import BundleError
from edgecvar.run.walk import StageWalk
from edgecvar.runners.onnx import OnnxRunner
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt, with_precision
from tests.runners.tensorrt.running import prepared, runner_of
from tests.tiny_bundle import replace_stage, tiny_state_bundle

APPEARANCE = Appearance(0, None)


@pytest.fixture(params=EACH_VERSION)
def remembering(request, tmp_path, monkeypatch):
    played = PlayedTensorRt(request.param, with_precision(tiny_state_bundle(tmp_path), "fp16"), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0


def walked(played, runner, parts):
    walk = StageWalk(plan_stages(played.bundle.manifest.stages), runner, NoClock())
    for picture, part in enumerate(parts):
        inputs = {"motion": prepared(picture)["motion"][0]}
        sampled = replace(SampledPicture(picture, picture, 0.0, 0, 0.0, inputs, APPEARANCE, None), part=part)
        yield walk.scores(walk.finish(walk.start(sampled), APPEARANCE))


@pytest.mark.parametrize("options", [{}, {"overlap": False}, {"cuda_graphs": False}])
def test_a_stream_is_remembered_as_it_is_on_the_reference(remembering, options):
    with runner_of(remembering, **options) as runner:
        got = list(walked(remembering, runner, [0] * 9))
        downloads = [call for call in remembering.cuda.calls if call[0] == "dtoh"]
        memory = remembering.cuda.alive["memory"]
        list(walked(remembering, runner, [0] * 50))
        assert remembering.cuda.alive["memory"] == memory
    assert np.array_equal(got, list(walked(remembering, remembering.reference, [0] * 9)))
    assert len(downloads) == 9  # the scores alone
    assert np.ptp(got, axis=0).max() > 0


def test_a_break_begins_from_zero(remembering):
    with runner_of(remembering) as runner:
        got = list(walked(remembering, runner, [0, 0, 0, 1, 1]))
    assert np.array_equal(got, list(walked(remembering, remembering.reference, [0, 0, 0, 1, 1])))
    on = list(walked(remembering, remembering.reference, [0] * 5))
    assert np.array_equal(got[:3], on[:3]) and not np.allclose(got[3:], on[3:])


def test_two_streams_on_one_runner_remember_each_its_own(remembering):
    with runner_of(remembering) as runner:
        pairs = list(zip(walked(remembering, runner, [0] * 6), walked(remembering, runner, [0] * 6)))
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_an_engine_without_the_state_is_refused(remembering, monkeypatch):
    stages = remembering.stages
    monkeypatch.setitem(stages, "recall", stages["recall"].model_copy(update={"state": stages["recall"].state[:1]}))
    with pytest.raises(BundleError, match="inputs before, moves, but the manifest says before, moves, sum"):
        runner_of(remembering).__enter__()


def test_a_file_without_the_state_is_refused(tmp_path):
    root = tiny_state_bundle(tmp_path)
    model = (root / "onnx" / "recall.fp32.onnx").read_bytes()
    replace_stage(root, "recall", model.replace(b"sum_next", b"odd_next"))
    with pytest.raises(BundleError, match="outputs recall, before_next, odd_next, expected recall, before_next, sum_n"):
        OnnxRunner(open_bundle(root)).__enter__()
    replace_stage(root, "recall", (root / "onnx" / "motion.fp32.onnx").read_bytes())
    with pytest.raises(BundleError, match="inputs field, but the manifest says before, moves, sum"):
        OnnxRunner(open_bundle(root)).__enter__()

"""Clips of earlier outputs, which stay on the device."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.bundle.plan import plan_stages
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.clock import NoClock
from edgecvar.clips.messages import SampledPicture
from edgecvar.errors import BundleError
from edgecvar.run.walk import StageWalk
from edgecvar.runners.runner import History
from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt, with_precision
from tests.runners.tensorrt.running import prepared, runner_of
from tests.tiny_bundle import tiny_clip_bundle


@pytest.fixture(params=EACH_VERSION)
def played_clips(request, tmp_path, monkeypatch):
    played = PlayedTensorRt(request.param, with_precision(tiny_clip_bundle(tmp_path, 3), "fp16"), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0


@pytest.mark.parametrize("options", [{}, {"overlap": False}, {"cuda_graphs": False}])
def test_clips_of_a_stages_outputs_stay_on_the_device(played_clips, options):
    def walked(runner):
        stage_walk = StageWalk(plan_stages(played_clips.bundle.manifest.stages), runner, NoClock())
        appearance = Appearance(0, None)
        for picture in range(7):
            inputs = {name: prepared(picture)[name][0] for name in ("motion", "residual")}
            sampled = SampledPicture(picture, picture, 0.0, 0, 0.0, inputs, appearance, None)
            yield stage_walk.scores(stage_walk.finish(stage_walk.start(sampled), appearance))

    with runner_of(played_clips, **options) as runner:
        got = list(walked(runner))
        downloads = [call for call in played_clips.cuda.calls if call[0] == "dtoh"]
    assert np.array_equal(got, list(walked(played_clips.reference)))
    assert len(downloads) == 7  # the scores alone


def test_clips_of_a_batch_are_put_side_by_side(played_clips):
    def launched(runner, batch):
        inputs = [prepared(seed, batch) for seed in range(3)]
        motion = History(tuple(runner.launch("motion", {"field": each["motion"]}) for each in inputs))
        residual = np.stack([each["residual"] for each in inputs], axis=1)
        mean = runner.launch("drift", {"moves": motion})
        return runner.fetch(runner.launch("clip", {"motion": motion, "residual": residual, "mean": mean}))

    with runner_of(played_clips, max_batch=3) as runner:
        for batch in (1, 3, 2, 3, 3):
            assert np.array_equal(launched(runner, batch), launched(played_clips.reference, batch))


def test_a_clip_is_not_written_over_while_it_is_read(played_clips):
    """All is launched before anything is fetched, and each value dropped as soon as the clips have passed it."""

    def launched(runner):
        newest, values = [], []
        for seed in range(9):
            newest = [*newest[-2:], runner.launch("motion", {"field": prepared(seed)["motion"]})]
            history = History((*[newest[0]] * (3 - len(newest)), *newest))
            values.append(runner.launch("drift", {"moves": history}))
            newest = newest[-2:]
            del history
        return [runner.fetch(value) for value in values]

    with runner_of(played_clips) as runner:
        got = launched(runner)
    assert np.array_equal(got, launched(played_clips.reference))


def test_clips_that_are_not_the_stages_are_refused(played_clips):
    with runner_of(played_clips, max_batch=2) as runner:
        one, two = (runner.launch("motion", {"field": prepared(0, batch)["motion"]}) for batch in (1, 2))
        for values, message in [
            ((one, one), "input moves is 2 of the output of motion, expected float32 B x (3, 2)"),
            ((one, one, two), "1, 2 at once"),
        ]:
            with pytest.raises(BundleError) as caught:
                runner.launch("drift", {"moves": History(values)})
            assert message in str(caught.value)

"""A network that itself looks at optical flow: trained, validated and tested on it, compiled never."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edgecvar.cli.eval import command
from edgecvar.cli.report.page.training_run import page_of_run
from edgecvar.cli.train import _say_next
from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import centre_segments
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.plan import plan_compilation
from edgecvar.errors import ConfigError
from edgecvar.train.ablation import load_ablation, plan
from edgecvar.train.ablation_rows import run_ablation
from edgecvar.train.data.flow import clip_flow
from edgecvar.train.data.reading import read_clip
from edgecvar.train.evaluate import held_out, open_checkpoint, regions, score_checkpoint
from edgecvar.train.loop import Training, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.start.rehearsal import Rehearsals
from tests.reading import batches_of, clips_of

pytest.importorskip("cv2", reason="needs the flow extra")
pytestmark = pytest.mark.train

SMALL = "{block: basic, repeats: [1, 1, 1, 1], width: 0.125}"
ALONE = f"network={{classifier: {SMALL}, cue: flow, weights: {{appearance: 0, motion: 0, residual: 0}}}}"
FLOW = ["model=dmc", ALONE, "losses={streams: 1}", "epochs=1", "augment={flip: false}"]
QUICK = ["flow.preset=ultrafast", "flow.side=64", "flow.cell=1"]


@pytest.fixture
def seeing(small: Callable[..., Recipe], tmp_path: Path) -> Callable[..., Recipe]:
    def recipe(*overrides: str) -> Recipe:
        return small(*FLOW, *QUICK, f"flow.cache={tmp_path / 'flow'}", *overrides)

    return recipe


@pytest.fixture
def training(seeing: Callable[..., Recipe], tmp_path: Path) -> Training:
    run = start_run(seeing("test={segments: 2, clips: 2, flip: true}"), tmp_path / "runs", Listener())
    run.fit()
    return run


def test_clips_that_validate_have_their_flow(seeing: Callable[..., Recipe], moving: Path) -> None:
    recipe = seeing()
    clips = clips_of(recipe)
    (batch,) = batches_of(recipe, clips).validation()
    spec = recipe.network.input
    assert batch.flow is not None and batch.flow.shape == (3, 2, 2, 32, 32)
    for number, label in enumerate(("left", "right", "still")):
        path = moving / label / "clip_3.mp4"
        read, fields = read_clip(path, spec), dict(clip_flow(path, "native", recipe.data.flow))
        preparer = Preparer(read.info, spec)
        shown = [read.display[sample.picture] for sample in centre_segments(read.windows, 2, 0.5)]
        expected = np.stack([preparer.flow(fields[place]) for place in sorted(shown)])
        assert np.abs(batch.flow[number].numpy() - expected).max() < 0.02  # kept in 64ths of a pixel
    means = batch.flow[:, :, 0].mean((1, 2, 3))
    assert means[0] < -0.2 and means[1] > 0.2 and abs(means[2]) < 0.1  # it is the flow of these clips
    # Where a loss alone looks at flow, nothing that validates needs it.
    plain = seeing("network.cue=generated", "losses={streams: 1, reconstruction: 1}")
    (batch,) = batches_of(plain, clips_of(plain)).validation()
    assert batch.flow is None


def test_a_test_sees_the_flow_of_each_view(training: Training, moving: Path) -> None:
    """By hand: two clips of two pictures, each also mirrored, where flow to the left is flow to the right."""
    checkpoint, recipe = open_checkpoint(training.folder)
    path = moving / "left" / "clip_3.mp4"
    (found,) = score_checkpoint(checkpoint, recipe.views, recipe.machine, [Clip(path, "left")], recipe.data)
    network: Any = checkpoint.build()
    read, fields = read_clip(path, checkpoint.input), dict(clip_flow(path, "native", recipe.data.flow))
    scores: List[Any] = []
    for view in regions(read.info, checkpoint.input, recipe.views.test):
        preparer = Preparer(read.info, checkpoint.input, view)
        for within in (0.25, 0.75):
            for sample in centre_segments(read.windows, 2, within):
                field = np.rint(fields[read.display[sample.picture]] * 64) / 64
                seen = torch.from_numpy(preparer.flow(field.astype(np.float32)))[None]
                with torch.no_grad():
                    scores.append(network.classifier(seen)[0].numpy())
    assert len(scores) == 8 and found.scores is not None
    assert np.abs(found.scores - np.mean(scores, 0)).max() < 1e-5 * max(1.0, np.abs(scores).max())


def test_eval_ablate_and_validation_agree(training: Training, seeing: Callable[..., Recipe], tmp_path: Path) -> None:
    assert training.best is not None
    result = CliRunner().invoke(command, [str(training.folder), "--json", "--set", "test={segments: 2}"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["top1"] == pytest.approx(training.best.validation_top1, abs=1e-6)
    (tmp_path / "recipe.yaml").write_text(seeing().to_yaml())
    (tmp_path / "rows.yaml").write_text("recipe: recipe.yaml\nrows:\n  flow:\n")
    ablation = load_ablation(tmp_path / "rows.yaml")
    (row,) = run_ablation(plan(ablation, tmp_path / "rows.yaml", [], tmp_path / "rows"), None, Listener())
    assert row.cost is None and row.seeds[0].clips == 3


def test_flow_of_clips_elsewhere_is_computed_for_a_test(training: Training, moving: Path, tmp_path: Path) -> None:
    checkpoint, recipe = open_checkpoint(training.folder)
    shutil.copytree(moving, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "flow")
    data = recipe.data.model_copy(update={"source": str(tmp_path / "elsewhere")})
    clips = held_out(checkpoint, data)
    scores = list(score_checkpoint(checkpoint, recipe.views, recipe.machine, clips, data))
    assert [each.error for each in scores] == [None] * 3
    assert len(list((tmp_path / "flow").rglob("*.npz"))) == 3


def test_a_run_says_that_nothing_can_be_compiled(
    training: Training, tmp_path: Path, moving: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"checkpoint": training.folder / "best.pt", "output": tmp_path / "x.edgecvar", "data": moving}
    with pytest.raises(ConfigError, match="needs optical flow, which no device has"):
        plan_compilation(CompileConfig.model_validate(fields))
    assert page_of_run(training, Listener()) is not None  # without what it would do as a stream
    _say_next(training, False)
    said = capsys.readouterr().out
    assert f"next: edgecvar eval {training.folder}" in said and "edgecvar compile" not in said


def test_weights_of_the_flow_start_the_cues_classifier(
    training: Training, seeing: Callable[..., Recipe], tmp_path: Path
) -> None:
    """As Shou et al.'s released runs begin from a ResNet-18 that was trained on flow."""
    told = f"weights={{classifier: {training.folder}}}"
    run = start_run(seeing("network.cue=generated", told, "epochs=1"), tmp_path / "started", Listener())
    taught = open_checkpoint(training.folder)[0].state
    own = run.network.state_dict()
    names = [name for name in own if name.startswith("classifier.")]
    assert "classifier.conv1.weight" in names and "classifier.fc.weight" in names
    assert all(torch.equal(own[name], taught[name]) for name in names)


def test_a_dry_run_says_that_flow_wants_opencv(
    seeing: Callable[..., Recipe], moving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loss looks at flow, the network does."""
    assert not Rehearsals().of(seeing()).absent
    monkeypatch.setitem(sys.modules, "cv2", None)
    (line,) = Rehearsals().of(seeing()).absent
    assert line.startswith("optical flow needs OpenCV")

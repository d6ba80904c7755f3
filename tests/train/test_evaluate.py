"""A checkpoint tested as papers do, against the same views taken by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Tuple

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edgecvar.cli.eval import command
from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer, View
from edgecvar.clips.sampling import centre_segments
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, EdgecvarError
from edgecvar.nets.batch import ClipBatch
from edgecvar.run.event_settings import read_event_settings
from edgecvar.train.checkpoint import Checkpoint
from edgecvar.train.data.reading import read_clip
from edgecvar.train.evaluate import clip_batches, held_out, open_checkpoint, regions, score_checkpoint
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.settings import TestProtocol

pytestmark = pytest.mark.train

CROP = "input={height: 32, width: 32, crop: 0.75, gop_length: 12, stride: 4}"


@pytest.fixture
def run(small: Callable[..., Recipe], tmp_path: Path) -> Path:
    training = start_run(
        small("epochs=1", CROP, "test={segments: 3, clips: 2, crops: 5, flip: true}"), tmp_path, Listener()
    )
    training.fit()
    return training.folder


def invoke(*arguments: object) -> Tuple[int, Any, str]:
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, (SystemExit, EdgecvarError)):
        raise result.exception
    told = str(result.exception) if isinstance(result.exception, EdgecvarError) else result.output
    return result.exit_code, json.loads(result.stdout) if result.exit_code == 0 else None, told


def settled(checkpoint: Checkpoint, clip: Path, recipe: Recipe) -> Checkpoint:
    """With batch norm's statistics of this clip: those of a short run let nothing through."""
    network = checkpoint.build()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    batch = clip_batches(read_clip(clip, checkpoint.input), checkpoint.input, recipe.views)[0]
    with torch.no_grad():
        network.train()(batch)
    return replace(checkpoint, state=network.state_dict())


def test_scores_are_the_mean_over_clips_crops_flips_and_segments(run: Path, moving: Path) -> None:
    """By hand: 2 clips x 5 crops x 2 mirrorings, 3 pictures each, one at a time."""
    checkpoint, recipe = open_checkpoint(run)
    clip = moving / "left" / "clip_3.mp4"
    checkpoint = settled(checkpoint, clip, recipe)
    (found,) = score_checkpoint(checkpoint, recipe.views, recipe.machine, [Clip(clip, "left")])
    network, recorded, spec = checkpoint.build(), read_clip(clip, checkpoint.input), checkpoint.input
    side, wide = 0.75, 0.75 * 64 / 96  # of 64 x 96 pixels, square
    corners = [(0.125, (1 - wide) / 2), (0, 0), (0, 1 - wide), (0.25, 0), (0.25, 1 - wide)]
    scores = []
    for top, left in corners:
        for flip in (False, True):
            preparer = Preparer(recorded.info, spec, View(top, left, side, wide, flip))
            for within in (0.25, 0.75):
                for sample in centre_segments(recorded.windows, 3, within):
                    value = recorded.values[sample.picture]
                    inputs = [
                        preparer.image(recorded.images[sample.appearance]),
                        preparer.image(recorded.images[sample.adjacent]),
                        preparer.motion(value.velocity.unpack()),  # type: ignore[arg-type]
                        preparer.residual(value.residual()),
                    ]
                    batch = ClipBatch(*(torch.from_numpy(each)[None, None] for each in inputs), torch.tensor([0]))
                    with torch.no_grad():
                        scores.append(network(batch)[0].numpy())
    assert len(scores) == 60
    assert found.scores is not None
    assert np.abs(found.scores - np.mean(scores, axis=0)).max() < 1e-5
    assert np.std(scores, axis=0).max() > 1e-3  # the views do differ


@pytest.mark.parametrize(("crops", "flip", "count"), [(1, False, 1), (3, False, 3), (5, True, 10)])
def test_views_lie_in_the_picture_and_differ(moving: Path, crops: int, flip: bool, count: int) -> None:
    spec = InputSpec(height=32, width=32, crop=0.75)
    info = read_clip(moving / "left" / "clip_0.mp4", spec).info
    found = regions(info, spec, TestProtocol.model_validate({"crops": crops, "flip": flip}))
    assert len(set(found)) == count
    assert {(view.height, view.width) for view in found} == {(found[0].height, found[0].width)}
    if crops == 3:
        assert [view.left for view in found] == pytest.approx([0.25, 0, 0.5])
        assert len({view.top for view in found}) == 1


def test_eval_takes_a_run_and_its_own_validation_clips(run: Path, moving: Path) -> None:
    code, document, _ = invoke(run)
    assert code == 0
    assert document["clips"] == 3 and document["folder"] is None
    shown = {"segments": 3, "span": None, "clips": 2, "crops": 5, "flip": True}
    assert document["test"] == {**shown, "streams": {}}
    checkpoint, recipe = open_checkpoint(run)
    scores = list(score_checkpoint(checkpoint, recipe.views, recipe.machine, held_out(checkpoint, recipe.data)))
    right = sum(checkpoint.labels[int(np.argmax(each.scores))] == each.clip.label for each in scores)
    assert document["top1"] == pytest.approx(right / 3, abs=1e-6)
    turned = replace(checkpoint, labels=checkpoint.labels[::-1])  # as official lists may have them
    assert held_out(turned, recipe.data) == held_out(checkpoint, recipe.data)
    code, document, _ = invoke(
        run / "best.pt", moving, "--set", "test.crops=1", "--set", "test.clips=1", "--match", "_0"
    )
    assert code == 0 and document["clips"] == 3 and document["test"]["crops"] == 1


def test_validation_of_a_run_is_a_test_of_one_view(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small("epochs=1", CROP), tmp_path, Listener())
    training.fit()
    assert training.best is not None
    code, document, _ = invoke(training.folder)
    assert code == 0 and document["top1"] == pytest.approx(training.best.validation_top1, abs=1e-6)


def test_an_unreadable_clip_is_named_and_not_counted(run: Path, moving: Path, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        (tmp_path / "clips" / label / "0.mp4").write_bytes((moving / label / "clip_0.mp4").read_bytes())
    (tmp_path / "clips" / "left" / "1.mp4").write_text("no video")
    code, document, _ = invoke(run, tmp_path / "clips")
    assert code == 0 and document["clips"] == 2
    assert [each["clip"] for each in document["unreadable"]] == [str(tmp_path / "clips" / "left" / "1.mp4")]


def test_what_a_checkpoint_cannot_do_is_said(run: Path, tmp_path: Path) -> None:
    assert invoke(run, "--every", "3")[0] == 2 and "--every is for a bundle" in invoke(run, "--every", "3")[2]
    assert "--set is for a checkpoint" in invoke(tmp_path, tmp_path, "--set", "test.crops=5")[2]
    assert "Missing argument 'DIR'" in invoke(tmp_path)[2]
    assert "a checkpoint keeps its recipe; only test, " in invoke(run, "--set", "lr=1")[2]
    checkpoint, recipe = open_checkpoint(run)
    clips = replace(checkpoint, network={**checkpoint.network, "segments": 8})
    with pytest.raises(ConfigError, match=r"test\.segments=3, but attp looks at clips of 8"):
        list(score_checkpoint(clips, recipe.views, recipe.machine, []))


def test_scores_that_are_no_numbers_are_an_error(run: Path, moving: Path) -> None:
    checkpoint, recipe = open_checkpoint(run)
    for tensor in checkpoint.state.values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))
    clip = Clip(moving / "left" / "clip_0.mp4", "left")
    with pytest.raises(ConfigError, match=r"clip_0\.mp4: the network gives NaN or infinity"):
        list(score_checkpoint(checkpoint, recipe.views, recipe.machine, [clip]))


def test_thresholds_of_a_run_are_of_the_clips_that_validate(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Compiled on the way: events are of streams."""
    network = "network={channels: 2, width: 4, dilations: [1]}"
    training = start_run(small("model=motion", network, "epochs=1"), tmp_path, Listener())
    training.fit()
    code, document, _ = invoke(training.folder, "--thresholds", "--jobs", "1", "-o", tmp_path / "events.yaml")
    rows = document["thresholds"]["labels"]
    assert code == 0 and [(row["label"], row["clips"]) for row in rows] == [("left", 1), ("right", 1), ("still", 1)]
    assert set(read_event_settings(tmp_path / "events.yaml").labels) == {"left", "right", "still"}
    assert not list(training.folder.glob("*.edgecvar"))

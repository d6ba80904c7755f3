"""The parts of compiling: real inputs, parity, settled norms, provenance."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import numpy as np
import pytest
import torch

from edgecvar.bundle.default import default_clip
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.int8.data import why_no_int8
from edgecvar.compile.parity import check_stage, record_stages
from edgecvar.compile.provenance import git_commit
from edgecvar.compile.subject import find_subject, settle_norms
from edgecvar.errors import CompileError, ConfigError
from edgecvar.judge.parity import Recording
from edgecvar.runners.torch import TorchRunner

Configure = Callable[..., Any]


def test_inputs_are_samples_of_several_windows(configure: Configure) -> None:
    config = configure()
    inputs = read_inputs(config, find_subject(config))
    windows = [sample.window for sample, _ in inputs.samples]
    assert len(windows) == 8
    assert sorted(set(windows)) == [0, 1, 2]
    # The first window looks ahead, the others back (Huo et al. 2020, section 3.4).
    appearances = {sample.window: sample.current.index for sample, _ in inputs.samples}
    for sample, neighbour in inputs.samples:
        assert neighbour.index == appearances[1 if sample.window == 0 else sample.window - 1]
    batch = inputs.batch()
    assert batch.image.shape == (8, 1, 3, 48, 64)
    assert batch.motion.abs().max() > 0
    assert not torch.equal(batch.image, batch.adjacent_image)


def test_inputs_come_from_a_folder_of_clips(configure: Configure, clip: Path, tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).mkdir()
        (tmp_path / name / "clip.mp4").write_bytes(clip.read_bytes())
    config = configure(data=tmp_path)
    inputs = read_inputs(config, find_subject(config))
    assert [path.parent.name for path in inputs.clips] == ["a", "b", "d"]
    assert len(inputs.samples) == 8


def test_a_clip_without_motion_is_refused(configure: Configure, still: Path, tmp_path: Path) -> None:
    config = configure(data=still)
    with pytest.raises(CompileError, match="no P or B picture"):
        read_inputs(config, find_subject(config))
    with pytest.raises(ConfigError, match="no video in it"):
        read_inputs(configure(data=tmp_path), find_subject(config))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    with pytest.raises(CompileError, match="name another with --data"):
        read_inputs(configure(data=broken), find_subject(config))


@pytest.mark.parametrize("gone", [None, "data", "lists", "validation"])
def test_a_run_whose_clips_or_lists_are_gone_takes_the_clip_that_is_shipped(
    configure: Configure, clip: Path, tmp_path: Path, gone: Optional[str]
) -> None:
    for label in ("left", "right"):
        (tmp_path / "data" / label).mkdir(parents=True)
        shutil.copy(clip, tmp_path / "data" / label / f"{label}.mp4")
    (tmp_path / "lists").mkdir()
    for label in ("left", "right"):
        (tmp_path / "lists" / f"{label}_test_split1.txt").write_text(f"{label}.avi 1\n")
    recipe: Dict[str, Any] = {"model": "attp", "data": str(tmp_path / "data")}
    if gone == "validation":
        recipe["validation"] = str(tmp_path / "nowhere")
    else:
        recipe["split"] = {"format": "hmdb51", "files": str(tmp_path / "lists")}
        if gone is not None:
            shutil.rmtree(tmp_path / gone)
    config = configure(data=None)
    subject = dataclasses.replace(find_subject(config), recipe=json.dumps(recipe), data=recipe["data"])
    if gone is None:
        clips = [tmp_path / "data" / label / f"{label}.mp4" for label in ("left", "right")]
        assert why_no_int8(config, subject) is None
    else:
        clips = [default_clip()]
        assert "name a folder with --data" in str(why_no_int8(config, subject))
    assert read_inputs(config, subject).clips == clips


def test_a_checkpoint_without_a_recipe_takes_the_clip_that_is_shipped(configure: Configure) -> None:
    config = configure(data=None)
    subject = dataclasses.replace(find_subject(config), recipe="")
    assert read_inputs(config, subject).clips == [default_clip()]


def test_clips_of_inputs_are_what_a_walk_has_seen(configure: Configure) -> None:
    config = configure()
    inputs = read_inputs(config, find_subject(config))
    single, clips = inputs.batch(), inputs.batch(3)
    assert clips.image.shape == (8, 3, 3, 48, 64) and clips.motion.shape == (8, 3, 2, 48, 64)
    for name in ("image", "adjacent_image", "motion", "residual"):
        for place in range(8):
            for segment, row in enumerate((max(0, place - 2), max(0, place - 1), place)):
                assert torch.equal(getattr(clips, name)[place, segment], getattr(single, name)[row, 0])
    assert torch.equal(clips.labels, single.labels)


def test_settled_norms_keep_activations_alive(configure: Configure) -> None:
    config = configure({"backbone": {"width": 0.1, "depth": 0.6}})
    subject = find_subject(config)
    batch = read_inputs(config, subject).batch()
    motion = batch.motion[:, 0]
    with torch.no_grad():
        faded = subject.network.stage("motion")(motion).std()
        settle_norms(subject.network, batch)
        alive = subject.network.stage("motion")(motion).std()
    assert faded < 1e-3 < 0.1 < alive
    assert not any(module.training for module in subject.network.modules())
    norms = [part for part in subject.network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


def test_untrained_weights_are_the_same_each_time(configure: Configure) -> None:
    before = torch.get_rng_state()
    first, second = (find_subject(configure()).network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


class Skewed:
    """A runner that adds `error` to a network's outputs, or only to batches of several."""

    name = "skewed"

    def __init__(self, network: Any, error: float, batches_only: bool = False) -> None:
        self._torch, self._error, self._batches_only = TorchRunner(network), error, batches_only

    def __enter__(self) -> Skewed:
        self._torch.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._torch.__exit__(*exc)

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        output = self._torch.launch(stage, inputs)
        spared = self._batches_only and len(output) == 1
        return output if spared else output + np.float32(self._error)

    def fetch(self, value: Any) -> Any:
        return value


@pytest.fixture(scope="module")
def recorded(configure: Configure) -> Dict[str, Any]:
    config = configure()
    subject = find_subject(config)
    inputs = read_inputs(config, subject)
    settle_norms(subject.network, inputs.batch())
    return {"network": subject.network, "runner": record_stages(subject.network, inputs)}


def test_recorded_inputs_chain_from_stage_to_stage(recorded: Dict[str, Any]) -> None:
    runner: Recording = recorded["runner"]
    fused, moved = runner.inputs["fuse"], runner.outputs["motion"]
    assert len(fused) == len(moved) == 8
    assert all(np.array_equal(inputs["motion"], output) for inputs, output in zip(fused, moved))
    assert len(runner.outputs["appearance"]) == 3  # once a window


def test_parity_is_relative_to_the_largest_output(recorded: Dict[str, Any]) -> None:
    network = recorded["network"]
    spec = network.stages()[1]
    scale = max(float(np.abs(output).max()) for output in recorded["runner"].outputs[spec.name])
    with Skewed(network, 0.5e-4 * scale) as close:
        check = check_stage(spec, recorded["runner"], close)
    assert check.max_difference == pytest.approx(0.5e-4 * scale, rel=0.2)
    assert check.scale == pytest.approx(scale)
    with Skewed(network, 2e-4 * scale) as far, pytest.raises(CompileError, match="stage motion: skewed differs"):
        check_stage(spec, recorded["runner"], far)
    with Skewed(network, float("nan")) as broken, pytest.raises(CompileError, match="by nan"):
        check_stage(spec, recorded["runner"], broken)


def test_int8_that_is_too_far_away_is_not_the_fault_of_versions(recorded: Dict[str, Any]) -> None:
    network = recorded["network"]
    spec = network.stages()[1]
    with Skewed(network, 1e3) as far, pytest.raises(CompileError, match="ask for a smaller --max-drop, or leave int8"):
        check_stage(spec, recorded["runner"], far, "int8")


def test_parity_looks_at_batches_too(recorded: Dict[str, Any]) -> None:
    network = recorded["network"]
    with Skewed(network, 1.0, batches_only=True) as runner, pytest.raises(CompileError):
        check_stage(network.stages()[1], recorded["runner"], runner)


def test_the_commit_is_that_of_the_checkout(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("one")
    git("add", "code.py")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "elsewhere").mkdir()
    assert git_commit(tmp_path / "elsewhere") is None  # in a repository, but not of it
    (tmp_path / "code.py").write_text("two")
    assert git_commit(tmp_path) == f"{commit}-dirty"

"""Real inputs of the stages: samples of several windows, and the same as a batch of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.plan import plan_compilation
from edgecvar.errors import CompileError, DatasetError

Configure = Callable[..., Any]


def test_inputs_are_samples_of_several_windows(configure: Configure) -> None:
    plan = plan_compilation(configure())
    inputs = read_inputs(plan.clips, plan.subject)
    windows = [sample.window for sample in inputs.samples]
    assert len(windows) == 8
    assert sorted(set(windows)) == [0, 1, 2]
    # The first window looks ahead, the others back (Huo et al. 2020, section 3.4).
    appearances = {sample.window: sample.current.index for sample in inputs.samples}
    for sample in inputs.samples:
        assert sample.neighbour.index == appearances[1 if sample.window == 0 else sample.window - 1]
    batch = inputs.batch()
    assert batch.image.shape == (8, 1, 3, 48, 64)
    assert batch.motion.abs().max() > 0
    assert not torch.equal(batch.image, batch.adjacent_image)


def test_inputs_come_from_a_folder_of_clips(configure: Configure, clip: Path, tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).mkdir()
        (tmp_path / name / "clip.mp4").write_bytes(clip.read_bytes())
    plan = plan_compilation(configure(data=tmp_path))
    inputs = read_inputs(plan.clips, plan.subject)
    assert [path.parent.name for path in inputs.clips] == ["a", "b", "d"]
    assert len(inputs.samples) == 8


def test_a_clip_without_motion_is_refused(configure: Configure, still: Path, tmp_path: Path) -> None:
    plan = plan_compilation(configure(data=still))
    with pytest.raises(CompileError, match="no P or B picture"):
        read_inputs(plan.clips, plan.subject)
    with pytest.raises(DatasetError, match="no video in this folder"):
        plan_compilation(configure(data=tmp_path))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    with pytest.raises(CompileError, match="name another with --data"):
        read_inputs([broken], plan.subject)


def test_clips_of_inputs_are_what_a_walk_has_seen(configure: Configure) -> None:
    plan = plan_compilation(configure())
    inputs = read_inputs(plan.clips, plan.subject)
    single, clips = inputs.batch(), inputs.batch(3)
    assert clips.image.shape == (8, 3, 3, 48, 64) and clips.motion.shape == (8, 3, 2, 48, 64)
    for name in ("image", "adjacent_image", "motion", "residual", "intra"):
        for place in range(8):
            for segment, row in enumerate((max(0, place - 2), max(0, place - 1), place)):
                assert torch.equal(getattr(clips, name)[place, segment], getattr(single, name)[row, 0])
    assert torch.equal(clips.labels, single.labels)

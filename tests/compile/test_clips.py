"""Which clips check, calibrate and judge: those named, the run's own, or the one that the package ships."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest

from edgecvar.bundle.default import default_clip
from edgecvar.compile.clips import choose_clips, split_in_halves
from edgecvar.compile.subject import find_subject

Configure = Callable[..., Any]


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
    subject = dataclasses.replace(find_subject(configure()), recipe=json.dumps(recipe), data=recipe["data"])
    choice = choose_clips(None, subject)
    if gone is None:
        clips = [tmp_path / "data" / label / f"{label}.mp4" for label in ("left", "right")]
        assert choice.why_no_int8 is None and choice.halves is not None
    else:
        clips = [default_clip()]
        assert "name a folder with --data" in str(choice.why_no_int8)
    assert choice.check == clips


def test_a_checkpoint_without_a_recipe_takes_the_clip_that_is_shipped(configure: Configure) -> None:
    subject = dataclasses.replace(find_subject(configure()), recipe="")
    assert choose_clips(None, subject).check == [default_clip()]


def test_either_half_has_every_kind_of_clip() -> None:
    for period in (2, 4):
        clips = [Path(f"{place:02d}-{place % period}.mp4") for place in range(64)]
        first, second = split_in_halves(clips)
        assert sorted(first + second) == clips and len(first) == len(second) == 32
        for half in (first, second):
            assert [sum(clip.stem.endswith(f"-{kind}") for clip in half) for kind in range(period)] == [
                32 // period
            ] * period
    assert all(len(half) == 1 for half in split_in_halves(clips[:2]))

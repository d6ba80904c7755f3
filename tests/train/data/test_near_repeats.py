from __future__ import annotations

from pathlib import Path
from typing import Callable

import av
import numpy as np
import pytest

from edgecvar.clips.spec import InputSpec
from edgecvar.train.data.near_repeats import looks_of, near_repeats
from edgecvar.train.data.reading import read_clip
from edgecvar.train.loop import start_run
from edgecvar.train.recipe import Recipe
from tests.small_recipe import write_clip
from tests.train.heard import Heard

pytestmark = pytest.mark.train

SPEC = InputSpec.model_validate({})


def encoded_anew(source: Path, target: Path, brighter: int = 0, left_out: int = 0) -> Path:
    """At a much lower quality, all pictures P or I, perhaps brighter or without its first pictures."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as played, av.open(str(target), "w") as container:
        options = {"g": "12", "bf": "0", "crf": "34", "preset": "fast", "threads": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, frame in enumerate(played.decode(video=0)):
            if number < left_out:
                continue
            pixels = (frame.to_ndarray(format="rgb24").astype(int) + brighter).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return target


def test_a_clip_encoded_anew_looks_the_same_and_another_does_not(moving: Path, tmp_path: Path) -> None:
    clip, other = moving / "still" / "clip_0.mp4", moving / "still" / "clip_1.mp4"
    copy = encoded_anew(clip, tmp_path / "copy.mp4")
    lighter = encoded_anew(clip, tmp_path / "lighter.mp4", brighter=12)
    shorter = encoded_anew(clip, tmp_path / "shorter.mp4", left_out=8)
    looks = {}
    for path in (clip, other, copy, lighter, shorter):
        looks[path] = looks_of(read_clip(path, SPEC))
        assert looks[path] is not None
    assert near_repeats(looks, [other, clip], [lighter, copy, other, shorter]) == [(clip, copy), (other, other)]
    assert near_repeats(looks, [Path("unread")], [copy]) == near_repeats(looks, [clip], [Path("unread")]) == []


def test_what_was_read_without_its_values_has_no_looks(moving: Path) -> None:
    assert looks_of(read_clip(moving / "left" / "clip_0.mp4", SPEC, values=False)) is None


def test_training_says_it(small: Callable[..., Recipe], moving: Path, tmp_path: Path) -> None:
    for label, velocity in (("left", (-3, 0)), ("right", (3, 0))):
        write_clip(tmp_path / label / "_1.mp4", velocity, seed=len(label))
        encoded_anew(tmp_path / label / "_1.mp4", tmp_path / label / "_3.mp4")
    heard = Heard()
    start_run(small(f"data={tmp_path}"), tmp_path / "runs", heard)
    (line,) = heard.matching("look the same")
    assert line.startswith("warning: ") and f"{tmp_path / 'left' / '_1.mp4'} and {tmp_path / 'left' / '_3.mp4'}" in line
    heard = Heard()
    start_run(small(f"data={moving}"), tmp_path / "runs", heard)
    assert heard.matching("look the same") == []

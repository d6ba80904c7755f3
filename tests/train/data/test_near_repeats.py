from __future__ import annotations

from pathlib import Path
from typing import Callable

import av
import numpy as np
import pytest

from edgecvar.clips.spec import InputSpec
from edgecvar.train.data import near_repeats as near
from edgecvar.train.data.near_repeats import Looks, looks_of, near_repeats
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


def plainly_the_same(one: Looks, other: Looks) -> bool:
    """Each pair by itself, as the constants say it."""
    both = one.means.keys() & other.means.keys()
    (first, *_), (others_first, *_) = one.means.values(), other.means.values()
    squares = [((one.means[index] - other.means[index]) ** 2).mean() for index in both]
    return (
        bool(both)
        and abs(one.pictures - other.pictures) <= max(1.0, near.LENGTHS * other.pictures)
        and ((first - others_first) ** 2).mean() <= near.FIRST
        and np.sqrt(np.mean(squares)) <= near.LEVELS
    )


@pytest.mark.parametrize("block", [3, 1000])
def test_many_clips_compared_at_once_are_the_pairs_compared_one_by_one(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they show other pictures, few, or none in common; and near the level that decides."""
    monkeypatch.setattr(near, "BLOCK", block)
    monkeypatch.setattr(near, "PAIRS", block)
    rng, looks = np.random.default_rng(5), {}
    for number in range(60):
        shown = sorted(rng.choice(12, int(rng.integers(1, near.LOOKED_AT + 1)), replace=False))
        scene = np.full(64, 40.0 * (number % 5))
        means = {int(index): scene + rng.normal(0, 2.1, 64) for index in shown}
        looks[Path(f"{number}")] = Looks(int(rng.integers(100, 106)), means)
    paths = [*map(Path, map(str, rng.permutation(60))), Path("unread")]
    train, validation = paths[:40], paths[30:]
    expected = [
        (one, other)
        for other in validation
        for one in train
        if one in looks and other in looks and plainly_the_same(looks[one], looks[other])
    ]
    assert near_repeats(looks, train, validation) == expected and 30 < len(expected) < 300


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

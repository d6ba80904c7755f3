"""How training clips are looked at: labels go with mirrored motion, and each look depends on its place alone."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import pytest
import torch

from edgecvar.errors import ConfigError
from edgecvar.train.augment.looks import Look, Looks
from edgecvar.train.data.dataset import Clips
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from tests.reading import batches_of, clips_of

pytestmark = pytest.mark.train

EVERYTHING = [
    *("augment.flip=true", "augment.mirror=[[left, right]]", "augment.scale=[0.8, 1]", "augment.shift=1"),
    *("augment.rotation=10", "augment.speed=[0.5, 2]", "augment.jitter=2", "augment.gop_phase=0.5"),
    *("augment.gain=[0.8, 1.25]", "augment.dropout=0.2", "augment.noise=0.1", "augment.camera.pan=0.5"),
    *("augment.camera.zoom=0.01", "augment.steady=0.5", "augment.brightness=0.2", "augment.contrast=[0.7, 1.4]"),
]


def looks_of(recipe: Recipe, clips: Clips) -> Looks:
    return Looks(recipe.views, recipe.network.input, clips)


def drawn(recipe: Recipe, clips: Clips, epochs: int = 6) -> List[Look]:
    looks = looks_of(recipe, clips)
    return [looks.draw(epoch, number, clip) for epoch in range(1, epochs) for number, clip in enumerate(clips.train)]


def test_the_same_epoch_gives_the_same_batches_and_another_one_others(small: Callable[..., Recipe]) -> None:
    recipe = small(*EVERYTHING)
    clips = clips_of(recipe)
    one, again, other = (list(batches_of(recipe, clips).training(epoch)) for epoch in (1, 1, 2))
    threaded = list(batches_of(small(*EVERYTHING, "workers=3"), clips).training(1))
    for name in ("image", "motion", "residual", "labels"):
        for first, second, third in zip(one, again, threaded):
            assert torch.equal(getattr(first, name), getattr(second, name))
            assert torch.equal(getattr(first, name), getattr(third, name))
    assert not any(torch.equal(first.motion, second.motion) for first, second in zip(one, other))
    assert all(torch.isfinite(batch.motion).all() and batch.motion.abs().max() <= 8 for batch in one)


def test_changes_keep_the_limit_of_the_input(small: Callable[..., Recipe]) -> None:
    """Each of those that may lengthen a vector, alone: it reaches the limit and stays within."""
    limit = "input={height: 32, width: 48, crop: 1.0, velocity_unit: 0.5, velocity_limit: 1.3}"
    for change in ("gain=[4, 4]", "noise=4", "camera.pan=8", "rotation=45", "steady=1"):
        recipe = small(f"augment.{change}", limit)
        batches = list(batches_of(recipe, clips_of(recipe)).training(1))
        assert max(float(batch.motion.abs().max()) for batch in batches) == np.float32(2.6), change


def test_what_is_off_leaves_the_draws_of_what_is_on_alone(small: Callable[..., Recipe]) -> None:
    """A recipe without the new keys sees what it saw before there were any."""
    jitter = ["augment.scale=[0.6, 1]", "augment.shift=1", "augment.flip=true"]
    plain, noisy = small(*jitter), small(*jitter, "augment.noise=0.1", "augment.rotation=5")
    clips = clips_of(plain)
    for one, other in zip(drawn(plain, clips), drawn(noisy, clips)):
        assert (one.clip, one.samples, one.view) == (other.clip, other.samples, other.view)
        assert not one.changes and len(other.changes) == 2


def test_a_mirrored_clip_of_a_pair_is_one_of_the_other_class(small: Callable[..., Recipe]) -> None:
    """As the batches say it: what is labelled left moves left."""
    recipe = small("augment.flip=true", "augment.mirror=[[left, right]]")
    clips = clips_of(recipe)
    batches = [batch for epoch in range(1, 5) for batch in batches_of(recipe, clips).training(epoch)]
    motion = torch.cat([batch.motion[:, :, 0].mean((1, 2, 3)) for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    of: Dict[str, torch.Tensor] = {label: motion[labels == number] for number, label in enumerate(clips.labels)}
    assert (of["left"] < -0.1).all() and (of["right"] > 0.1).all() and (of["still"].abs() < 0.1).all()
    swapped = [look for look in drawn(recipe, clips) if look.clip.label != look.clip.path.parent.name]
    assert swapped and all(look.view.flip and look.clip.label in ("left", "right") for look in swapped)
    mirrored = [look for look in drawn(recipe, clips) if look.view.flip]
    assert {look.clip.label for look in mirrored} == {"left", "right", "still"}


def test_what_has_no_mirror_image_is_never_mirrored(small: Callable[..., Recipe]) -> None:
    recipe = small("augment.flip=true", "augment.mirror_never=[left, right]")
    flips = {(look.clip.label, look.view.flip) for look in drawn(recipe, clips_of(recipe))}
    assert flips == {("left", False), ("right", False), ("still", False), ("still", True)}


def test_played_faster_vectors_are_longer_and_played_slower_less_of_the_clip_is_seen(
    small: Callable[..., Recipe],
) -> None:
    clips = clips_of(small())

    def seen(speed: float, *more: str) -> tuple:
        recipe = small(f"augment.speed=[{speed}, {speed}]", *more)
        spans = [np.ptp([sample.picture for sample in look.samples]) for look in drawn(recipe, clips, 30)]
        batches = list(batches_of(recipe, clips).training(1))
        return np.max(spans), torch.cat([batch.motion[:, :, 0].abs().mean((1, 2, 3)) for batch in batches]).mean()

    whole, still = seen(1.0)
    slow, calm = seen(0.5)
    fast, lively = seen(2.0)
    assert slow <= 0.6 * whole and fast == whole
    assert float(lively / still) == pytest.approx(2, rel=0.2)
    assert float(calm / still) == pytest.approx(0.5, rel=0.2)
    dense = ["sampling={name: dense, span: 8}", "segments=4", "validation_segments=4"]
    steps = [seen(speed, *dense)[0] for speed in (1.0, 2.0)]
    assert steps[1] == pytest.approx(2 * steps[0], abs=2)  # decode order is not quite that of display


def test_what_does_not_go_with_classes_or_input_is_refused(small: Callable[..., Recipe], tmp_path: Path) -> None:
    for override, says in (
        ("augment.mirror=[[left, rihgt]]", "unknown class 'rihgt'.*did you mean 'right'"),
        ("augment.mirror_never=[up]", "unknown class 'up'"),
    ):
        with pytest.raises(ConfigError, match=says):
            start_run(small(override), tmp_path, Listener())
    with pytest.raises(ConfigError, match=r"augment\.camera.*accumulated"):
        start_run(small("augment.camera.pan=1", "input.accumulate=true"), tmp_path, Listener())
    assert not list(tmp_path.rglob("*.pt"))

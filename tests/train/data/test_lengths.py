"""Clips of pictures in a row: trained at one length, tested at another, and what is too short is shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import torch

from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import dense_segments
from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import Checkpoint
from edgecvar.train.data.batches import in_display_order, prepare_recorded
from edgecvar.train.data.reading import read_clip
from edgecvar.train.evaluate import clip_batches, score_checkpoint
from edgecvar.train.recipe import Recipe
from edgecvar.train.start.checks import resolve
from tests.reading import batches_of, clips_of

pytestmark = pytest.mark.train

TINY = "{repeats: [1, 1, 1, 1], width: 0.125}"
I3D = (
    *("model=dmc", f"network={{i3d: {TINY}, segments: 6, weights: {{appearance: 0, motion: 0, residual: 0}}}}"),
    *("segments=6", "validation_segments=6", "sampling={name: dense, span: 6, short: again}"),
    *("losses={cross_entropy: 1}", "test={segments: 60, span: 60}"),
)


def test_a_network_trained_on_6_in_a_row_is_tested_on_60(small: Callable[..., Recipe], moving: Path) -> None:
    """The clips have 23 P and B pictures: all of them in display order, twice and most of them a third time."""
    recipe = resolve(small(*I3D))
    spec, options, path = recipe.network.input, recipe.network.options, moving / "left" / "clip_3.mp4"
    state = build_network("dmc", options, spec, 3).state_dict()
    checkpoint = Checkpoint("dmc", options, spec, ["left", "right", "still"], state, recipe.to_yaml())
    (found,) = score_checkpoint(checkpoint, recipe.views, recipe.machine, [Clip(path, "left")])
    recorded = read_clip(path, spec)
    every = in_display_order(dense_segments(recorded.windows, 23, 23), recorded.display)
    assert len({sample.picture for sample in every}) == 23
    once = prepare_recorded(recorded, every, Preparer(recorded.info, spec))
    (batch,) = clip_batches(recorded, spec, recipe.views)
    assert batch.lengths is None and batch.motion.shape[:2] == (1, 60)
    assert np.array_equal(batch.motion[0], np.concatenate([once.motion] * 3)[:60])
    with torch.no_grad():
        scores = checkpoint.build()(batch)[0]
    assert found.scores is not None and np.abs(found.scores - scores.numpy()).max() < 1e-5


@pytest.mark.parametrize("short", ["slower", "again"])
def test_training_and_validation_have_one_length_whatever_a_clip_has(small: Callable[..., Recipe], short: str) -> None:
    """40 of 23: spread over the clip, or the clip and then again from its beginning."""
    recipe = small(
        f"sampling={{name: dense, span: 40, short: {short}}}", "segments=40", "validation_segments=40", "batch=1"
    )
    clips = clips_of(recipe)
    batches = batches_of(recipe, clips)
    for batch in (next(batches.training(1)), next(batches.validation())):
        assert batch.motion.shape[1] == 40 and batch.lengths is None
        again = torch.equal(batch.motion[:, :17], batch.motion[:, 23:])
        assert again == (short == "again")


def test_of_a_clip_that_is_long_enough_both_ways_show_the_same(small: Callable[..., Recipe]) -> None:
    made = []
    for short in ("slower", "again"):
        recipe = small(f"sampling={{name: dense, span: 20, short: {short}}}", "segments=10", "validation_segments=10")
        batches = batches_of(recipe, clips_of(recipe))
        made.append([*batches.training(1), *batches.validation()])
    assert all(torch.equal(one.motion, other.motion) for one, other in zip(*made))
    assert made[0][0].motion.any()

"""A recipe's clips and batches, as a run reads them."""

from __future__ import annotations

from typing import Optional

from edgecvar.train.data.batches import Batches
from edgecvar.train.data.dataset import Clips, read_clips
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe


def clips_of(recipe: Recipe, listener: Optional[Listener] = None, with_flow: bool = False) -> Clips:
    reencode = recipe.views.augment.reencode
    return read_clips(recipe.data, recipe.network, recipe.machine, listener or Listener(), with_flow, reencode)


def batches_of(recipe: Recipe, clips: Clips) -> Batches:
    return Batches(recipe.views, recipe.network.input, clips, recipe.machine.workers)

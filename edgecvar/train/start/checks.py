"""What must agree before a run begins: a recipe with its network, then with the clips that there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import find_entry, network_options, network_outline
from edgecvar.train.data.dataset import Clips
from edgecvar.train.losses import check_losses
from edgecvar.train.parts import Views
from edgecvar.train.protocols import protocols
from edgecvar.train.recipe import Recipe


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with the network's own defaults filled in; raises ConfigError for an unknown model, option or loss.

    Also where a network looks at clips of another length than the recipe samples, and for a test of a stream that it
    has not.
    """
    check_losses(recipe.course)
    network = recipe.network
    options = network_options(network.model, network.options)
    _check_segments(recipe.views, network.model, getattr(options, "segments", None))
    if recipe.views.test.streams:
        protocols(network_outline(network.model, network.options, network.input), recipe.views, network.model)
    return replace(recipe, network=network.model_copy(update={"options": options.model_dump(mode="json")}))


def _check_segments(views: Views, model: str, clip: Optional[int]) -> None:
    if clip is not None and views.sampling.name == "stream":
        raise ConfigError(
            f"{model} looks at clips of {clip} sampled pictures; with sampling=stream they differ in length"
        )
    sampling = {"segments": views.segments}
    if not find_entry(model).any_length:
        sampling.update({"validation_segments": views.validation_segments, "test.segments": views.test_segments})
    for key, sampled in sampling.items():
        if clip is not None and sampled != clip:
            raise ConfigError(
                f"{model} looks at clips of {clip} sampled pictures (network.segments) and the recipe has "
                f"{key}={sampled}; give segments, validation_segments and network.segments one number"
            )


def check_enough(recipe: Recipe, clips: Clips, processes: int) -> None:
    """Raises ConfigError where there are too few clips for what is asked of them."""
    if recipe.course.early_stop is not None and not clips.validation:
        raise ConfigError("early_stop: no clip validates, so nothing says when; set validation, or leave it out")
    smallest = len(clips.train) // -(-len(clips.train) // recipe.views.batch)
    if smallest < processes:
        raise ConfigError(
            f"{processes} processes share each batch, and the smallest has {smallest} of the {len(clips.train)} clips "
            f"(batch={recipe.views.batch}); raise batch, or start fewer"
        )

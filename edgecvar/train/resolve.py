"""A recipe whose parts fit each other, with the defaults of its network stated."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import network_options
from edgecvar.train.losses import check_losses
from edgecvar.train.parts import Course, Views
from edgecvar.train.recipe import Recipe


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with the network's own defaults filled in; raises ConfigError for an unknown model, option or loss.

    Also where a network looks at clips of another length than the recipe samples, or a phase would never run.
    """
    check_losses(recipe.course)
    _check_phases(recipe.course)
    network = recipe.network
    options = network_options(network.model, network.options)
    _check_segments(recipe.views, network.model, getattr(options, "segments", None))
    return replace(recipe, network=network.model_copy(update={"options": options.model_dump(mode="json")}))


def _check_phases(course: Course) -> None:
    spent = 0
    for number, phase in enumerate(course.phases[:-1], 1):
        spent += phase.epochs or 0
        if spent >= course.epochs:
            needed = sum(each.epochs or 0 for each in course.phases)
            before = "phase 1 takes" if number == 1 else f"phases 1 to {number} take"
            raise ConfigError(
                f"{before} all {course.epochs} epochs, so phase {number + 1} would never run: "
                f"set epochs above {needed}, or shorten what comes before"
            )


def _check_segments(views: Views, model: str, clip: Optional[int]) -> None:
    sampling = {
        "segments": views.segments,
        "validation_segments": views.validation_segments,
        "test.segments": views.test_segments,
    }
    for key, sampled in sampling.items():
        if clip is not None and sampled != clip:
            raise ConfigError(
                f"{model} looks at clips of {clip} sampled pictures (network.segments) and the recipe has "
                f"{key}={sampled}; give segments, validation_segments and network.segments one number"
            )

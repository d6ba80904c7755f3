"""A runner of the played TensorRT, what it is given, and what it gives back."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.errors import EdgecvarError
from edgecvar.runners.runner import run_stage
from edgecvar.runners.tensorrt.options import TensorRtOptions
from edgecvar.runners.tensorrt.runner import TensorRtRunner

SHAPES = {"image": (3, 32, 32), "motion": (2, 32, 32), "residual": (3, 32, 32)}


def runner_of(played, **options):
    return TensorRtRunner(played.bundle, TensorRtOptions(**{"precision": "fp16", **options}))


def prepared(seed, batch=1):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=(batch, *shape)).astype(np.float32) for name, shape in SHAPES.items()}


def walk(runner, seed, neighbour=None, batch=1):
    """One picture as StageWalk walks it: its appearance, for the next one, and what its scores will be."""
    inputs = prepared(seed, batch)
    appearance = runner.launch("appearance", {"image": inputs["image"]})
    motion = runner.launch("motion", {"motion": inputs["motion"]})
    residual = runner.launch("residual", {"residual": inputs["residual"]})
    adjacent = appearance if neighbour is None else neighbour
    fused = {"appearance": appearance, "adjacent": adjacent, "motion": motion, "residual": residual}
    return appearance, runner.launch("fuse", fused)


def scores(runner, seeds, batch=1):
    """The scores of pictures in a row, all launched before the first one is fetched."""
    neighbour, values = None, []
    for seed in seeds:
        neighbour, value = walk(runner, seed, neighbour, batch)
        values.append(value)
    return [runner.fetch(value) for value in values]


def failing(played, kind, **options):
    """The one line of what entering a runner and running a stage of it raise."""
    with pytest.raises(EdgecvarError) as caught, runner_of(played, **options) as runner:
        run_stage(runner, "appearance", {"image": prepared(0)["image"]})
    assert isinstance(caught.value, kind)
    assert "\n" not in str(caught.value)
    return str(caught.value)

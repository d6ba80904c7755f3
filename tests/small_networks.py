"""A small form of every network: small enough to learn 20 clips by heart in seconds, and what it learnt."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List

import pytest
import torch
from torch import nn

from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.synth.dataset import Fixed, Request, write_clips
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint
from edgecvar.train.descent import learning_rate
from edgecvar.train.objective import Objective
from edgecvar.train.recipe import Recipe, recipe_of
from edgecvar.train.start.checks import resolve
from tests.reading import batches_of, clips_of

CLIPS, STEPS = 20, 40
MOMENTUM = 0.3
"""Batch norm's statistics must keep pace with so few steps."""

EFFICIENTNET = {"width": 0.1, "depth": 0.1, "dropout": 0.0, "stochastic_depth": 0.0}
CALM = {"dropout": 0.0, "stochastic_depth": 0.0}
LITE = {**EFFICIENTNET, "lite": True}
BASIC = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
BOTTLENECK = {"block": "bottleneck", "repeats": [1, 1, 1, 1], "width": 0.125}
SPACE_TIME = {"repeats": [1, 1, 1, 1], "width": 0.125}


@dataclass(frozen=True)
class Small:
    """Options of a network, and what its recipe sets beside the common one; `segments` those of a clip network.

    `model`: the network's name where the form has one of its own.
    """

    network: Dict[str, Any]
    recipe: Dict[str, Any] = field(default_factory=dict)
    input: Dict[str, Any] = field(default_factory=dict)
    segments: int = 2
    model: str = ""


SMALL: Dict[str, Small] = {
    "meaci": Small({"backbone": SPACE_TIME, "segments": 2, "dropout": 0.0}, input={"accumulate": True}),
    "cmr": Small({"backbone": BOTTLENECK, "segments": 2, "dropout": 0.0}),
    "cmr-i": Small({"backbone": BOTTLENECK, "segments": 2, "dropout": 0.0, "frames": "i"}, model="cmr"),
    "attp": Small({"backbone": EFFICIENTNET, "dim": 32, "dropout": 0.0}),
    "attp-lite": Small({"backbone": LITE, "fusion": "i", "dropout": 0.0}, model="attp"),
    "coviar": Small(
        {"appearance": BASIC, "motion": BASIC, "residual": BASIC},
        recipe={"losses": {"streams": 1.0}},
        input={"accumulate": True},
    ),
    "coviar-exits": Small(
        {"appearance": BASIC, "motion": BASIC, "residual": BASIC, "exits": True},
        recipe={"losses": {"streams": 1.0, "exits": 1.0}},
        input={"accumulate": True},
        model="coviar",
    ),
    "dmc": Small(
        {"appearance": BASIC, "motion": BASIC, "residual": BASIC, "classifier": BASIC},
        recipe={"losses": {"streams": 1.0}},
    ),
    "dmc-i3d": Small(
        {"appearance": BASIC, "motion": BASIC, "residual": BASIC, "i3d": SPACE_TIME, "segments": 2},
        recipe={"losses": {"streams": 1.0}},
        model="dmc",
    ),
    "motion": Small(
        {"channels": 8, "width": 24, "dropout": 0.0}, recipe={"sampling": {"name": "stream", "late": 0.0}}, segments=8
    ),
    "motion-anywhere": Small(
        {"channels": 8, "width": 24, "dropout": 0.0, "anywhere": True, "compress": True, "intra": True},
        recipe={"sampling": {"name": "stream", "late": 0.0}},
        model="motion",
        segments=8,
    ),
    "movinet": Small(
        {"width": 0.25, "depth": 0.2, "appearance": 0.25, "appearance_dropout": 0.0, "memory": 4, **CALM},
        recipe={"sampling": {"name": "stream", "late": 0.0}, "label_smoothing": 0.2},
        segments=8,
    ),
    "movinet-frames": Small(
        {"width": 0.25, "depth": 0.2, "inputs": "frames", "memory": 1, **CALM},
        recipe={"sampling": {"name": "stream", "late": 0.0}, "label_smoothing": 0.3},
        model="movinet",
        segments=8,
    ),
    "tsn": Small({"backbone": BOTTLENECK, "dropout": 0.0}),
    "team": Small({"appearance": EFFICIENTNET, "motion": EFFICIENTNET, "residual": EFFICIENTNET, "dropout": 0.0}),
    "team-r50": Small(
        {
            "appearance": BOTTLENECK,
            "motion": BASIC,
            "residual": BASIC,
            "dropout": 0.0,
            "temporal": "tsm",
            "segments": 2,
        }
    ),
}
"""By the names of NETWORKS, every one of them, and other forms of some."""


def of_one_worker(names: Iterable[str]) -> List[Any]:
    """Names as parameters of a test; those of one network run on one of pytest's workers, which trains it once."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in sorted(names)]


def write_synthetic(folder: Path) -> Path:
    """Twenty clips of the synthetic motions in class folders."""
    write_clips(Request(folder, CLIPS, seed=3, fixed=Fixed(gop_length=12, b_pictures=1, size=(96, 72))))
    return folder


def small_recipe(name: str, clips: Path) -> Recipe:
    """On clips of 32 x 48, nothing left to chance but the weights to start from."""
    small = SMALL[name]
    recipe = {
        "model": small.model or name,
        "network": small.network,
        "input": {"height": 32, "width": 48, "crop": 1.0, "stride": 4, "velocity_unit": 1.0, **small.input},
        "data": str(clips),
        "validation": str(clips),
        "allow_repeats": True,
        "segments": small.segments,
        "validation_segments": small.segments,
        "batch": CLIPS,
        "epochs": STEPS,
        "lr": 0.01,
        "weight_decay": 0.0,
        "warmup_epochs": 4,
        "workers": 0,
        "device": "cpu",
        **small.recipe,
    }
    return resolve(recipe_of(recipe))


@dataclass(frozen=True)
class ByHeart:
    """A network that has learnt: its checkpoint, and the share of clips that it knew before and after."""

    checkpoint: Path
    before: float
    after: float


def learn_by_heart(name: str, clips: Path, path: Path) -> ByHeart:
    """Train on one batch of all clips at a time, and write a checkpoint to `path`.

    Other pictures of them each time: of those that it never saw a network is unsure, and rounding decides.
    """
    recipe = small_recipe(name, clips)
    read, design = clips_of(recipe), recipe.network
    batches = batches_of(recipe, read)
    (known,) = batches.validation()
    torch.manual_seed(0)
    network = build_network(design.model, design.options, design.input, len(read.labels))
    for norm in network.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.BatchNorm3d)):
            norm.momentum = MOMENTUM
    objective = Objective(recipe.course, recipe.descent, network, torch.device("cpu"))
    objective.begin(recipe.course.phase(1))
    before = _known(network, known)
    for step in range(STEPS):
        (batch,) = batches.training(step + 1)
        objective.step(batch, learning_rate(recipe.descent, recipe.course, step, 1))
    after = _known(network, known)
    state = network.state_dict()
    resolved = Checkpoint(design.model, design.options, design.input, read.labels, state, recipe.to_yaml())
    save_checkpoint(path, resolved)
    return ByHeart(path, before, after)


@torch.no_grad()
def _known(network: Network, batch: ClipBatch) -> float:
    network.eval()
    right = (network(batch).argmax(1) == batch.labels).float().mean().item()
    network.train()
    return right

"""A run rehearsed: what it would learn from, by what it would learn, what has to be got first; nothing is computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import EfficientNet
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.augment.settings import check_input, check_labels
from edgecvar.train.data.flow import pair_of_pictures
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.losses import LOSSES, ForwardPass, needs_flow
from edgecvar.train.objective import Objective
from edgecvar.train.parts import Data
from edgecvar.train.recipe import Recipe
from edgecvar.train.start.checks import resolve
from edgecvar.train.weights.imagenet import imagenet_file, lite_name
from edgecvar.train.weights.published import IMAGENET, backbones_of
from edgecvar.train.weights.sources import weights_file

META = torch.device("meta")
"""Tensors there have shapes and no values."""
CLIPS = 2
"""Of the batch that has none."""


@dataclass(frozen=True)
class Rehearsal:
    """What a run would have.

    `tests`: the clips that its best epoch is tested on. `parameters`: of its network. `starts`: the weights that it
    names. `absent`: what has to be got first, a line each: files that are not there, packages that are not installed.
    """

    split: Split
    tests: int
    parameters: int
    starts: Tuple[str, ...]
    absent: Tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """A network without values: how many parameters, and which of the package index's backbones are in it."""

    parameters: int
    lite: Tuple[str, ...]


class Rehearsals:
    """Rehearses runs; what several have in common, their clips or their networks, is looked at once."""

    def __init__(self) -> None:
        self._splits: Dict[str, Split] = {}
        self._outlines: Dict[str, Outline] = {}

    def of(self, recipe: Recipe, tested: Optional[Data] = None) -> Rehearsal:
        """The run of one recipe; raises ConfigError and DatasetError for what would keep it from learning.

        `tested`: data whose clips that validate are tested; the recipe's own unless given.
        """
        recipe = resolve(recipe)
        split = self._split(recipe.data)
        check_input(recipe.views.augment, recipe.network.input)
        check_labels(recipe.views.augment, split.labels)
        outline = self._outline(recipe, len(split.labels))
        weights = recipe.network.weights
        lists = weights.values() if isinstance(weights, Mapping) else [weights]
        starts = tuple(dict.fromkeys(source for each in lists for source in each))
        tests = len(self._split(tested or recipe.data).validation)
        return Rehearsal(split, tests, outline.parameters, starts, tuple(_absent(recipe, starts, outline)))

    def _split(self, data: Data) -> Split:
        key = data.model_dump_json()
        if key not in self._splits:
            self._splits[key] = load_split(data)
        return self._splits[key]

    def _outline(self, recipe: Recipe, classes: int) -> Outline:
        design, course = recipe.network, recipe.course
        parts = [design.model_dump(mode="json", exclude={"weights"}), course.model_dump(mode="json")]
        key = json.dumps([*parts, recipe.descent.model_dump(mode="json"), recipe.views.segments, classes])
        if key not in self._outlines:
            with META:
                network = build_network(design.model, design.options, design.input, classes)
                objective = Objective(recipe.course, recipe.descent, network, META)
            _learn(recipe, network, objective)
            backbones = [each for each in backbones_of(network).values() if isinstance(each, EfficientNet)]
            lite = {lite_name(each.options) for each in backbones} - {""}
            parameters = sum(weight.numel() for weight in network.parameters())
            self._outlines[key] = Outline(parameters, tuple(sorted(lite)))
        return self._outlines[key]


def _learn(recipe: Recipe, network: Network, objective: Objective) -> None:
    """Every loss of the recipe once, on a batch of shapes; raises ConfigError for one that it cannot learn by."""
    network.eval()  # the shapes are the same, and batch norm has less to work out
    batch = batch_of_shapes(recipe.network.input, recipe.views.segments)
    features = network.features(batch)
    forward = ForwardPass(batch, features, dict(objective.companions.items()), recipe.course.label_smoothing)
    for name in sorted(recipe.course.loss_names()):
        LOSSES[name].term(forward)


def batch_of_shapes(spec: InputSpec, segments: int) -> ClipBatch:
    """Clips with every input that there is, without values."""
    lead, size = (CLIPS, segments), (spec.height, spec.width)
    channels = {"image": 3, "adjacent_image": 3, "motion": 2, "residual": 3, "flow": 2, "frame": 3, "intra": 1}
    tensors = {name: torch.empty((*lead, count, *size), device=META) for name, count in channels.items()}
    return ClipBatch(labels=torch.empty(CLIPS, dtype=torch.int64, device=META), **tensors)


def _absent(recipe: Recipe, starts: Tuple[str, ...], outline: Outline) -> Iterator[str]:
    """What the run wants and this machine has not."""
    wanted: List[Callable[[], object]] = []
    for source in starts:
        if source == IMAGENET:
            wanted += [partial(imagenet_file, name) for name in outline.lite]
        else:
            wanted.append(partial(_there, source))
    if recipe.course.teacher is not None:
        wanted.append(partial(_there, recipe.course.teacher))
    if needs_flow(recipe.course):
        wanted.append(partial(pair_of_pictures, recipe.data.flow))
    for each in wanted:
        try:
            each()
        except ConfigError as error:
            yield str(error)


def _there(source: str) -> None:
    """Raises ConfigError where there is no such file or run."""
    if not weights_file(source).is_file():
        raise ConfigError(f"{source}: no such file")

"""A run rehearsed: what it would learn from, by what it would learn, what has to be got first; nothing is computed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple

import torch

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.efficientnet import EfficientNet
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.features import Features
from edgecvar.nets.network import Network
from edgecvar.train.augment.settings import check_input, check_labels
from edgecvar.train.data.flow import pair_of_pictures
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.splits import Split
from edgecvar.train.losses import LOSSES, ForwardPass, needs_flow
from edgecvar.train.objective import Objective
from edgecvar.train.parts import Course, Data, Descent
from edgecvar.train.recipe import Recipe
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
    """A network without values, and what it shows of one forward pass of a batch of shapes."""

    network: Network
    batch: ClipBatch
    features: Features

    @property
    def parameters(self) -> int:
        """How many it has."""
        return sum(weight.numel() for weight in self.network.parameters())

    @property
    def lite(self) -> List[str]:
        """The backbones in it that the package index has weights of."""
        backbones = [each for each in backbones_of(self.network).values() if isinstance(each, EfficientNet)]
        return sorted({lite_name(each.options) for each in backbones} - {""})

    def learn(self, course: Course, descent: Descent) -> None:
        """Every loss of a run once; raises ConfigError for one that the network cannot learn by.

        Also for rates and phases of parts that it does not have.
        """
        with META:
            companions = Objective(course, descent, self.network, META).companions
        forward = ForwardPass(self.batch, self.features, dict(companions.items()), course.label_smoothing)
        for name in sorted(course.loss_names()):
            LOSSES[name].term(forward)


class Rehearsals:
    """Rehearses runs; what several have in common, their clips or their networks, is looked at once."""

    def __init__(self) -> None:
        self._splits: Dict[str, Split] = {}
        self._outlines: Dict[str, Outline] = {}
        self._learnt: Set[str] = set()

    def of(self, recipe: Recipe, tested: Optional[Data] = None) -> Rehearsal:
        """The run of a resolved recipe; raises ConfigError and DatasetError for what would keep it from learning.

        `tested`: data whose clips that validate are tested; the recipe's own unless given.
        """
        split = self.split(recipe.data)
        check_input(recipe.views.augment, recipe.network.input)
        check_labels(recipe.views.augment, split.labels)
        outline = self._outline(recipe, len(split.labels))
        learning = json.dumps(
            [id(outline), recipe.course.model_dump(mode="json"), recipe.descent.model_dump(mode="json")]
        )
        if learning not in self._learnt:
            outline.learn(recipe.course, recipe.descent)
            self._learnt.add(learning)
        weights = recipe.network.weights
        lists = weights.values() if isinstance(weights, Mapping) else [weights]
        starts = tuple(dict.fromkeys(source for each in lists for source in each))
        tests = len(self.split(tested or recipe.data).validation)
        return Rehearsal(split, tests, outline.parameters, starts, tuple(_absent(recipe, starts, outline)))

    def split(self, data: Data) -> Split:
        """The clips of this data; raises ConfigError and DatasetError."""
        key = data.model_dump_json()
        if key not in self._splits:
            self._splits[key] = load_split(data)
        return self._splits[key]

    def _outline(self, recipe: Recipe, classes: int) -> Outline:
        design, segments = recipe.network, recipe.views.segments
        key = json.dumps([design.model_dump(mode="json", exclude={"weights"}), segments, classes])
        if key not in self._outlines:
            with META:
                network = build_network(design.model, design.options, design.input, classes)
            network.eval()  # the shapes are the same, and batch norm has less to work out
            batch = batch_of_shapes(design.input, segments)
            self._outlines[key] = Outline(network, batch, network.features(batch))
        return self._outlines[key]


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
    if needs_flow(recipe.course) or outline.network.sees_flow:
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

"""Every network of the catalog counted at its paper's size, beside what the paper prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import torch

from edgecvar.bundle.stages import StageSpec, prepared_sources
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.nets.catalog import Entry, build_network, find_entry
from edgecvar.nets.cost.complexity import NetworkCost, describe_network
from edgecvar.nets.cost.figures import Figure
from edgecvar.nets.papers.paper import Paper, Table
from edgecvar.nets.papers.shelf import tables_of


@dataclass(frozen=True)
class CountedFigure:
    """A printed figure and the same counted on the modules; `holds`: within the figure's tolerance."""

    figure: Figure
    counted: int

    @property
    def holds(self) -> bool:
        return abs(self.counted / self.figure.value - 1) <= self.figure.tolerance


@dataclass(frozen=True)
class ModelSurvey:
    """One network at its paper's size: its stages, what they cost, and the paper's figures beside the counted ones.

    `tables`: what commands repeat of the papers that have it.
    """

    name: str
    entry: Entry
    input: InputSpec
    stages: Tuple[StageSpec, ...]
    cost: NetworkCost
    figures: Tuple[CountedFigure, ...]
    tables: Tuple[Tuple[Paper, Table], ...]

    @property
    def inputs(self) -> Tuple[str, ...]:
        """The prepared inputs that its stages take: image, motion, residual, frame."""
        sources = prepared_sources(self.stages)
        return tuple(source for source in PREPARED if source in sources)


def paper_input(entry: Entry, changes: Mapping[str, Any]) -> InputSpec:
    """The InputSpec that the paper's figures are counted at, with `changes`."""
    return InputSpec.model_validate({**entry.input, **changes})


@dataclass(frozen=True)
class Counted:
    """Stages and what they cost."""

    stages: Tuple[StageSpec, ...]
    cost: NetworkCost


def count_network(model: str, options: Mapping[str, Any], spec: InputSpec, classes: int) -> Counted:
    """Stages and cost of a network; nothing is computed but shapes. Raises ConfigError for an unknown option."""
    with torch.device("meta"):
        network = build_network(model, options, spec, classes)
    return Counted(tuple(network.stages()), describe_network(network, spec.gop_length))


def survey_model(name: str) -> ModelSurvey:
    """Count the network called `name`, once for each variant that its figures are of."""
    entry = find_entry(name)
    counts: Dict[str, Counted] = {}

    def counted(options: Mapping[str, Any], changes: Mapping[str, Any]) -> Counted:
        key = json.dumps([options, changes], sort_keys=True)
        if key not in counts:
            counts[key] = count_network(name, options, paper_input(entry, changes), entry.classes)
        return counts[key]

    figures = []
    for figure in entry.figures:
        cost = counted(figure.options, figure.input).cost
        figures.append(CountedFigure(figure, _part_cost(cost, figure)))
    own = counted({}, {})
    tables = tables_of(name)
    return ModelSurvey(name, entry, paper_input(entry, {}), own.stages, own.cost, tuple(figures), tables)


def _part_cost(cost: NetworkCost, figure: Figure) -> int:
    """What the figure is of: the network, a stage, or the parts of that name in all stages; raises ValueError."""
    if not figure.part:
        return int(getattr(cost, figure.quantity))
    amounts: List[int] = []
    for stage in cost.stages:
        runs = stage.runs if figure.quantity == "multiply_adds" else 1
        parts = [stage] if stage.name == figure.part else [part for part in stage.parts if part.name == figure.part]
        amounts += [runs * getattr(part, figure.quantity) for part in parts]
    if not amounts:
        names = ", ".join(f"{stage.name}.{part.name}" for stage in cost.stages for part in stage.parts)
        raise ValueError(f"figure {figure.name!r}: no part called {figure.part!r} among {names}")
    return sum(amounts)

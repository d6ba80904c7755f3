"""The stages of a network with their inputs found: what whoever walks them goes by, whatever the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Sequence, Tuple

from edgecvar.bundle.exits import check_exits
from edgecvar.bundle.stages import StageInput, StageSpec, prepared_sources
from edgecvar.errors import BundleError


@dataclass(frozen=True)
class PlannedInput:
    """One input of a stage: from an earlier stage (which hides a prepared input of the same name) or prepared."""

    tensor: StageInput
    from_stage: bool


@dataclass(frozen=True)
class PlannedStage:
    """A stage with its inputs found. `waits`: at first or second hand it needs the neighbour's I-picture.

    `in_order`: it has a state, or takes what one that has gives, so sampled pictures come to it in display order.
    """

    spec: StageSpec
    inputs: Tuple[PlannedInput, ...]
    waits: bool
    in_order: bool = False


@dataclass(frozen=True)
class StagePlan:
    """The stages in order."""

    stages: Tuple[PlannedStage, ...]

    @property
    def sources(self) -> FrozenSet[str]:
        """The prepared inputs that any stage takes."""
        return prepared_sources([stage.spec for stage in self.stages])

    @property
    def adjacent(self) -> bool:
        """Whether any stage looks at the neighbouring window."""
        return any(stage.waits for stage in self.stages)

    @property
    def in_order(self) -> bool:
        """Whether any stage must see the sampled pictures in display order."""
        return any(stage.in_order for stage in self.stages)


def plan_stages(stages: Sequence[StageSpec]) -> StagePlan:
    """Find what each stage takes and what waits for the neighbour; raises BundleError where cadences clash."""
    check_exits(stages)
    planned: Dict[str, PlannedStage] = {}
    for spec in stages:
        inputs = tuple(PlannedInput(tensor, tensor.source in planned) for tensor in spec.inputs)
        waits = False
        for each in inputs:
            source, adjacent = each.tensor.source, each.tensor.gop == "adjacent"
            of_window = planned[source].spec.cadence == "gop" if each.from_stage else source == "image"
            if not of_window and (adjacent or spec.cadence == "gop"):
                raise BundleError(
                    f"stage {spec.name}: input {each.tensor.name!r} takes {source!r}, which only sampled pictures "
                    "have; a stage that runs once a window, or looks at the adjacent one, needs I-pictures"
                )
            if adjacent and spec.cadence == "gop":
                raise BundleError(f"stage {spec.name}: runs once a window and cannot look at the adjacent one")
            if each.tensor.segments is not None and spec.cadence == "gop":
                raise BundleError(f"stage {spec.name}: runs once a window and cannot look at several sampled pictures")
            waits |= adjacent or (each.from_stage and planned[source].waits)
        in_order = bool(spec.state) or any(each.from_stage and planned[each.tensor.source].in_order for each in inputs)
        if in_order and any(tensor.segments is not None for tensor in spec.inputs):
            raise BundleError(
                f"stage {spec.name}: a stage with state, or that takes what one gives, sees sampled pictures one by "
                "one and cannot look at several"
            )
        planned[spec.name] = PlannedStage(spec, inputs, waits, in_order)
    return StagePlan(tuple(planned.values()))

"""What early exits came to in a run: how many pictures left where, and what that saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Mapping, Sequence, Set

from edgecvar.bundle.exits import ExitShares
from edgecvar.bundle.stages import StageSpec


@dataclass(frozen=True)
class ExitCounts:
    """Of one run, or several: sampled `pictures` and the `windows` that they are of; the pictures that `left` at each
    exit, or at the last stage, and the calls of each stage.
    """

    pictures: int = 0
    windows: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)

    def saved(self, multiply_adds: Mapping[str, int], stages: Sequence[StageSpec]) -> float:
        """The part of the multiply-adds that was not computed, of what all stages without early exits take.

        Those that serve exits alone are then left out: they count as what exits cost.
        """
        calls = {"gop": self.windows, "picture": self.pictures}
        needed = needed_stages(stages)
        whole = sum(multiply_adds[stage.name] * calls[stage.cadence] for stage in stages if stage.name in needed)
        spent = sum(multiply_adds[name] * count for name, count in self.calls.items())
        return 1 - spent / whole if whole else 0.0

    def shares(self, multiply_adds: Mapping[str, int], stages: Sequence[StageSpec]) -> ExitShares:
        """What is told of it."""
        saved = self.saved(multiply_adds, stages)
        return ExitShares(pictures=self.pictures, left=dict(self.left), saved=saved)


def added(counts: Iterable[ExitCounts]) -> ExitCounts:
    """Several runs as one."""
    every = list(counts)
    return ExitCounts(
        sum(each.pictures for each in every),
        sum(each.windows for each in every),
        _summed([each.left for each in every]),
        _summed([each.calls for each in every]),
    )


def needed_stages(stages: Sequence[StageSpec]) -> Set[str]:
    """The last stage and all that it is made of, at first hand or later."""
    needed = {stages[-1].name}
    for stage in reversed(stages):
        if stage.name in needed:
            needed |= {tensor.source for tensor in stage.inputs}
    return needed & {stage.name for stage in stages}


def _summed(counts: List[Mapping[str, int]]) -> Dict[str, int]:
    names = [name for each in counts for name in each]
    return {name: sum(each.get(name, 0) for each in counts) for name in names}

"""Early exits as a run takes them: whether a picture leaves, and how many did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.exits import ExitRule
from edgecvar.bundle.stages import StageSpec
from edgecvar.run.decisions import softmax
from edgecvar.run.exit_counts import ExitCounts
from edgecvar.runners.runner import Runner


@dataclass(frozen=True)
class Left:
    """Where a picture left, and its scores (classes,)."""

    stage: str
    scores: NDArray[np.float32]


class Exits:
    """The exits of one run: asked after each of their stages, told of every call."""

    def __init__(self, rules: Sequence[ExitRule], stages: Sequence[StageSpec], runner: Runner) -> None:
        self._rules = {rule.stage: rule for rule in rules}
        self._last = stages[-1].name
        self._runner = runner
        self._left = dict.fromkeys([*self._rules, self._last], 0)
        self._calls = dict.fromkeys((stage.name for stage in stages), 0)
        self._windows = 0
        self._newest = -1

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def counts(self) -> Optional[ExitCounts]:
        """So far; None where nothing leaves early."""
        if not self._rules:
            return None
        return ExitCounts(sum(self._left.values()), self._windows, dict(self._left), dict(self._calls))

    def reopen(self) -> None:
        """The stream breaks: I-pictures may be counted anew."""
        self._newest = -1

    def called(self, stage: str) -> None:
        self._calls[stage] += 1

    def entered(self, window: int) -> None:
        """A sampled picture of the window with this I-picture is begun; those before it may still come."""
        if window > self._newest:
            self._newest = window
            self._windows += 1

    def leaving(self, stage: str, launched: Any) -> Optional[Left]:
        """What a picture leaves with, where its stage is an exit that is sure; no other is waited for."""
        rule = self._rules.get(stage)
        if rule is None:
            return None
        scores: NDArray[np.float32] = self._runner.fetch(launched)[0]
        # NaN is never sure, and shows where the whole has been computed.
        if not softmax(scores).max() >= rule.confidence:
            return None
        self._left[stage] += 1
        return Left(stage, scores)

    def stayed(self) -> None:
        """No exit was sure of a picture."""
        self._left[self._last] += 1

"""Which layers stay fp16 so that the decisions stay: the fewest of them, or those that cost least time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, FrozenSet, List, Mapping, Sequence, Tuple

import numpy as np

from edgecvar.compile.int8.calibrate import Ranges
from edgecvar.compile.int8.clock import LayerOf, WholeClock
from edgecvar.compile.int8.steps import Steps
from edgecvar.errors import CompileError

if TYPE_CHECKING:
    from edgecvar.compile.int8.search import Trial

Losses = Dict[LayerOf, float]

LEAST_MS = 1e-9
"""What a layer is taken to win in int8 at least, so that losses can be weighed against it."""


class Keeper:
    """The search for what stays fp16, with ranges that are settled: `trial` judges, on all samples; `few` order.

    `start` stays fp16 whatever it costs.
    """

    def __init__(self, trial: Trial, ranges: Ranges, max_drop: float, steps: Steps, start: FrozenSet[LayerOf]) -> None:
        self._trial = trial
        self._ranges = ranges
        self._max_drop = max_drop
        self._steps = steps
        self._start = start

    def fewest(self, few: Trial) -> Tuple[FrozenSet[LayerOf], Losses]:
        """The fewest layers that keep the drop, with what each layer alone costs.

        Raises CompileError where even every layer in fp16 drops more percent than is allowed.
        """
        losses = self._sensitivities(few)
        kept = self._shortest(most_sensitive(losses))
        return self._start | frozenset(self._thinned(kept, lambda left: left[::-1])), losses

    def fastest(self, few: Trial, clock: WholeClock) -> Tuple[FrozenSet[LayerOf], Losses]:
        """The layers that keep the drop in the least time on the clock's device, as far as one at a time tells.

        First those go to fp16 that lose most for the time that they win in int8; then back comes each that can be
        missed, what wins most first. Raises CompileError as `fewest`.
        """
        losses, start = self._sensitivities(few), self._start
        before = clock.ms(start)
        weighed = {layer: loss / max(clock.ms(start | {layer}) - before, LEAST_MS) for layer, loss in losses.items()}

        def dearest(left: List[LayerOf]) -> List[LayerOf]:
            here = start | frozenset(left)
            wins = {layer: clock.ms(here) - clock.ms(here - {layer}) for layer in left}
            return [layer for layer in sorted(left, key=lambda each: (-wins[each], each)) if wins[layer] > 0]

        kept = start | frozenset(self._thinned(self._shortest(_by(weighed, losses)), dearest))
        beside = clock.in_half(kept)
        return (beside if beside != kept and self._keeps(beside) else kept), losses

    def _keeps(self, kept: FrozenSet[LayerOf]) -> bool:
        return self._trial.measure(self._ranges, kept).drop <= self._max_drop

    def _sensitivities(self, few: Trial) -> Losses:
        """What each layer costs when it alone is int8, of those that may be."""
        drop = self._trial.measure(self._ranges, self._trial.layers).drop
        if drop > self._max_drop:
            raise CompileError(
                f"with every layer in fp16 {drop:.2f} % of {self._trial.searched} decisions differ from fp32's, and "
                f"--max-drop allows {self._max_drop:g} %; allow more, or compile fp16 or fp32 alone"
            )
        free = sorted(few.layers - self._start)
        self._steps.expect(len(free))
        losses: Losses = {}
        for layer in free:
            self._steps.next(f"sensitivity of {layer[0]}: {layer[1]}")
            losses[layer] = few.measure(self._ranges, few.layers - {layer}).loss
        return losses

    def _shortest(self, order: Sequence[LayerOf]) -> List[LayerOf]:
        """Bisection for the shortest part from the front that keeps the drop, all of it being enough."""
        few, enough = 0, len(order)
        self._steps.expect(int(np.ceil(np.log2(max(enough, 1)))))
        while enough - few > 1:
            middle = (few + enough) // 2
            self._steps.next(f"{middle} layers in fp16")
            if self._keeps(self._start | frozenset(order[:middle])):
                enough = middle
            else:
                few = middle
        return list(order[:enough])

    def _thinned(self, kept: List[LayerOf], returning: Callable[[List[LayerOf]], List[LayerOf]]) -> List[LayerOf]:
        """Out goes each layer that can be missed, tried in the order of `returning`, until none can."""
        while True:
            before = len(kept)
            self._steps.expect(before)
            for layer in returning(list(kept)):
                self._steps.next(f"without {layer[0]}: {layer[1]}")
                rest = [each for each in kept if each != layer]
                if self._keeps(self._start | frozenset(rest)):
                    kept = rest
            if len(kept) == before:
                return kept


def most_sensitive(losses: Mapping[LayerOf, float]) -> List[LayerOf]:
    """The most sensitive first, ties by name."""
    return _by(losses, losses)


def _by(weights: Mapping[LayerOf, float], losses: Mapping[LayerOf, float]) -> List[LayerOf]:
    """The heaviest first, ties by loss, then by name."""
    return sorted(weights, key=lambda layer: (-weights[layer], -losses[layer], layer))

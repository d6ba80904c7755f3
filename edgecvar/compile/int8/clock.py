"""Time beside loss: what a choice of int8 layers takes on a device, and the choice that takes least."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Mapping, Protocol, Sequence, Tuple

RUN = 2
"""Neighbouring layers that change over together at most: a layer between two of another type pays for two borders."""

LayerOf = Tuple[str, str]
"""A stage and the name of a layer in it."""


class StageClock(Protocol):
    """Times of int8 stages on a device; borders between types are in them."""

    device: str

    def ms(self, stage: str, kept: FrozenSet[str]) -> float:
        """Milliseconds a sampled picture that a stage takes with those of its layers in fp16, its others in int8."""
        ...


class WholeClock:
    """The time of all stages together; each choice of a stage is asked for once."""

    def __init__(self, clock: StageClock, stages: Mapping[str, Sequence[str]]) -> None:
        """`stages`: the layers of each in their order."""
        self.device = clock.device
        self._clock = clock
        self._stages = stages
        self._asked: Dict[Tuple[str, FrozenSet[str]], float] = {}

    def ms(self, kept: FrozenSet[LayerOf]) -> float:
        """With those layers in fp16."""
        return sum(self._of(stage, _names(stage, kept)) for stage in self._stages)

    def fastest(self) -> FrozenSet[LayerOf]:
        """The layers that stay fp16 where time alone decides; at equal times, the most.

        No run of up to RUN neighbours changed over would make it faster; found from all in int8 and from all in fp16.
        """
        found: FrozenSet[LayerOf] = frozenset()
        for stage, layers in self._stages.items():
            ends = [self._settled(stage, frozenset(start)) for start in ((), layers)]
            best = min(ends, key=lambda kept: self._price(stage, kept))
            found |= {(stage, layer) for layer in best}
        return found

    def in_half(self, kept: FrozenSet[LayerOf]) -> FrozenSet[LayerOf]:
        """`kept` with the layers that are faster, or as fast, in fp16 beside those."""
        for stage, layers in self._stages.items():
            for layer in layers:
                more = kept | {(stage, layer)}
                if self._price(stage, _names(stage, more)) < self._price(stage, _names(stage, kept)):
                    kept = more
        return kept

    def _settled(self, stage: str, kept: FrozenSet[str]) -> FrozenSet[str]:
        price, runs = self._price(stage, kept), _runs(self._stages[stage])
        while True:
            before = price
            for run in runs:
                for other in (kept | run, kept - run):
                    cost = self._price(stage, other)
                    if cost < price:
                        kept, price = other, cost
            if price == before:
                return kept

    def _price(self, stage: str, kept: FrozenSet[str]) -> Tuple[float, int]:
        """Time, then layers in int8: what is no faster in int8 costs less of the decisions in fp16."""
        return round(self._of(stage, kept), 9), -len(kept)

    def _of(self, stage: str, kept: FrozenSet[str]) -> float:
        key = (stage, kept)
        if key not in self._asked:
            self._asked[key] = self._clock.ms(stage, kept)
        return self._asked[key]


def _names(stage: str, kept: FrozenSet[LayerOf]) -> FrozenSet[str]:
    return frozenset(layer for of, layer in kept if of == stage)


def _runs(layers: Sequence[str]) -> List[FrozenSet[str]]:
    lengths = range(1, min(RUN, len(layers)) + 1)
    return [frozenset(layers[at : at + length]) for length in lengths for at in range(len(layers) - length + 1)]

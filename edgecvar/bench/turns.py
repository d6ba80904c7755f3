"""Measurements that take turns, so that a machine whose speed drifts is as fast for each of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Dict, Generator, List, Sequence, TypeVar

T = TypeVar("T")


def in_turns(measurements: Sequence[Generator[None, None, T]]) -> List[T]:
    """What each comes to; a measurement pauses where its turn ends, and every round begins with another one."""
    results: Dict[int, T] = {}
    waiting = list(range(len(measurements)))
    with ExitStack() as stack:
        for each in measurements:
            stack.callback(each.close)
        while waiting:
            for place in list(waiting):
                try:
                    next(measurements[place])
                except StopIteration as end:
                    results[place] = end.value
                    waiting.remove(place)
            waiting = [*waiting[1:], *waiting[:1]]
    return [results[place] for place in range(len(measurements))]

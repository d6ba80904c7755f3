"""Where jobs are done: a protocol of two implementations, the processes of this machine and a Ray cluster."""

from __future__ import annotations

from functools import partial
from multiprocessing.synchronize import Event
from typing import Callable, Generator, Iterable, Protocol, Tuple, TypeVar, Union

from edgecvar.workers import Died, each_apart

J = TypeVar("J")
R = TypeVar("R")
Enter = Callable[[Callable[[], bool]], None]
"""What a process begins with, given what tells it that its work is not wanted any more."""


class Pool(Protocol):
    """Does jobs in several processes; one that dies takes only its own job.

    No more jobs are taken than can be begun soon, and results are given as they come. `work` and `enter` are functions
    of a module, or partial ones of such.
    """

    workers: int

    def each(
        self, work: Callable[[J], R], jobs: Iterable[J], enter: Enter
    ) -> Generator[Tuple[J, Union[R, Died]], None, None]:
        """Jobs and their results; `jobs` is asked again after each result, also when it had none before."""
        ...


class LocalPool:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def each(
        self, work: Callable[[J], R], jobs: Iterable[J], enter: Enter
    ) -> Generator[Tuple[J, Union[R, Died]], None, None]:
        yield from each_apart(work, jobs, self.workers, partial(_entered, enter))


def _entered(enter: Enter, stop: Event) -> None:
    enter(stop.is_set)

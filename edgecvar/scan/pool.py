"""Where jobs are done: a protocol of two implementations, the processes of this machine and a Ray cluster."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from multiprocessing.synchronize import Event
from typing import Callable, Deque, Dict, Generator, Generic, Iterable, Iterator, Protocol, Tuple, TypeVar, Union

from edgecvar.workers import Died, each_apart

J = TypeVar("J")
R = TypeVar("R")
Enter = Callable[[Callable[[], bool]], None]
"""What a process begins with, given what tells it that its work is not wanted any more."""


TRIES = 3
"""Of a job whose process dies."""


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


def each_tried(
    pool: Pool, work: Callable[[J], R], jobs: Iterable[J], enter: Enter
) -> Generator[Tuple[J, Union[R, Died]], None, None]:
    """As the pool's `each`, but that a job is done again where its process died, TRIES times in all."""
    again: Deque[J] = deque()
    died: Dict[int, int] = {}
    with closing(pool.each(work, _Jobs(again, iter(jobs)), enter)) as results:
        for job, result in results:
            if isinstance(result, Died) and died.get(id(job), 0) < TRIES - 1:
                died[id(job)] = died.get(id(job), 0) + 1
                again.append(job)
                continue
            died.pop(id(job), None)
            yield job, result


class _Jobs(Generic[J]):
    """Those that are due again, then those that come."""

    def __init__(self, again: Deque[J], coming: Iterator[J]) -> None:
        self._again, self._coming = again, coming

    def __iter__(self) -> _Jobs[J]:
        return self

    def __next__(self) -> J:
        return self._again.popleft() if self._again else next(self._coming)

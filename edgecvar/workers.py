"""Worker processes that end with their parent, however that ends, and never see its Ctrl-C."""

from __future__ import annotations

import os
import signal
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.synchronize import Event
from threading import Thread
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Optional, Tuple, TypeVar, Union

from edgecvar.interrupts import held_interrupt

J = TypeVar("J")
R = TypeVar("R")


def worker_pool(
    jobs: int, prepare: Optional[Callable[..., None]] = None, arguments: Tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """A pool of up to `jobs` processes, in each of which `prepare(*arguments)` runs first; submit inside `starting`."""
    with starting():  # half a pool leaves semaphores that nothing cleans up
        # Started afresh, not forked: this process may hold threads and locks of other libraries.
        return ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (prepare, arguments))


class Died:
    """In place of a result: the process that was at it ended, by a crash or a signal."""


def each_apart(
    work: Callable[[J], R], jobs: Iterable[J], processes: int, enter: Callable[[Event], None]
) -> Generator[Tuple[J, Union[R, Died]], None, None]:
    """Jobs and their results as they are done, each in one of several processes; one that dies takes only its own job.

    Each process begins with `enter` and an event. What ends this sets it and waits for the jobs under way, which may
    look at it, to leave unfinished what nobody wants.
    """
    stop = stop_signal()
    coming = iter(jobs)
    idle: List[ProcessPoolExecutor] = []
    busy: Dict[Future[R], Tuple[ProcessPoolExecutor, J]] = {}
    try:
        while True:
            while len(busy) < processes and (job := next(coming, None)) is not None:
                pool, future = _submitted(idle, enter, stop, work, job)
                busy[future] = pool, job
            if not busy:
                return
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                pool, job = busy.pop(future)
                died = isinstance(future.exception(), BrokenProcessPool)
                if died:
                    pool.shutdown()
                else:
                    idle.append(pool)
                yield job, Died() if died else future.result()
    finally:
        stop.set()
        for pool in [*idle, *(each for each, _ in busy.values())]:
            pool.shutdown()


def _submitted(
    idle: List[ProcessPoolExecutor], enter: Callable[[Event], None], stop: Event, work: Callable[[J], R], job: J
) -> Tuple[ProcessPoolExecutor, Future[R]]:
    """The job under way in an idle process, unless it has died there, or in a new one."""
    while True:
        # A pool of one: where several are in a pool, one that dies ends them all.
        pool = idle.pop() if idle else worker_pool(1, enter, (stop,))
        try:
            with starting():
                return pool, pool.submit(work, job)
        except BrokenProcessPool:
            pool.shutdown()


def stop_signal() -> Event:
    """What workers get among their `arguments` and look at, so that they leave work unfinished that nobody wants."""
    with starting():
        return get_context("spawn").Event()


@contextmanager
def starting() -> Iterator[None]:
    """Ctrl-C waits until the end of this, and processes started here never get it."""
    # It starts with the first process and would let go of what is held.
    resource_tracker.ensure_running()
    with held_interrupt():
        # The mask is for the new processes alone: another thread of this one may still take the signal.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(prepare: Optional[Callable[..., None]], arguments: Tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal
    Thread(target=_end_with_parent, name="edgecvar-parent", daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    # A worker waits for work on a pipe that it holds both ends of, so that it would wait for ever.
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)

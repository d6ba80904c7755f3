"""A Ray cluster as a pool: a task a job, as many under way as the cluster has room for, twice."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack, redirect_stdout, suppress
from typing import Any, Callable, Dict, Generator, Iterable, Optional, Tuple, TypeVar, Union

from edgecvar.errors import ConfigError, EdgecvarError, need_extra, reason
from edgecvar.scan.pool import Enter
from edgecvar.workers import Died

J = TypeVar("J")
R = TypeVar("R")
LOCAL = "local"
"""In the place of an address: a cluster of this machine's cores alone, which ends with the command."""
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Read when Ray is imported: without clusters of several machines it listens at the loopback address alone."""


class RayPool:
    """A cluster, from entering to leaving: `address` is "local", "auto", HOST:PORT, or ray://HOST:PORT.

    `cores`: of a local cluster. `gpus`: those that each task has to itself, beside a core. Jobs and results go through
    Ray's object store, of at most two a core, or a task's GPUs, at a time. Raises ConfigError where Ray is not
    installed, or there is no such cluster, or no such GPU in it.
    """

    def __init__(self, address: str, cores: Optional[int] = None, gpus: int = 0) -> None:
        need_extra("ray", "--ray", "ray")
        self.workers = 0
        self._address, self._cores, self._gpus = address, cores, gpus
        self._output = ExitStack()

    def __enter__(self) -> RayPool:
        local = self._address == LOCAL
        if local:
            os.environ.setdefault(LOOPBACK, "0")
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        told: Any = {"num_cpus": self._cores, "include_dashboard": False} if local else {}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(self._address, log_to_driver=False, configure_logging=False, logging_level=logging.ERROR, **told)
        except Exception as error:  # of several libraries, and of none in particular
            raise ConfigError(f"--ray {self._address}: no cluster there ({reason(error)})") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray takes it from whoever listens, and would exit with 15
        resources: Any = ray.cluster_resources
        self.workers = max(1, int(resources().get("CPU", 1)))
        if self._gpus:
            self.workers = min(self.workers, int(resources().get("GPU", 0)) // self._gpus)
        if not self.workers:
            ray.shutdown()
            raise ConfigError(
                f"--ray {self._address}: Ray finds no GPU there, which a TensorRT task needs to itself; begin Ray with "
                "--num-gpus where there is one, or name another --runner"
            )
        self._output.enter_context(redirect_stdout(sys.stderr))  # Ray prints there what befalls its machines
        return self

    def __exit__(self, *exc: object) -> None:
        import ray

        with self._output:
            ray.shutdown()

    def each(
        self, work: Callable[[J], R], jobs: Iterable[J], enter: Enter
    ) -> Generator[Tuple[J, Union[R, Died]], None, None]:
        import ray

        # A job that dies is given back, for whoever counts the tries; Ray itself would not say that it died.
        # Of a task with a GPU Ray ends the process after each call, and every source would load its engines anew.
        gpus: Any = {"num_gpus": self._gpus, "max_calls": 0} if self._gpus else {}
        task = ray.remote(num_cpus=1, max_retries=0, **gpus)(_do)
        beginning = ray.put((work, enter, os.getcwd()))
        coming = iter(jobs)
        busy: Dict[Any, J] = {}
        try:
            while True:
                while len(busy) < 2 * self.workers and (job := next(coming, None)) is not None:
                    busy[task.remote(beginning.hex(), [beginning], job)] = job
                if not busy:
                    return
                for done in ray.wait(list(busy), num_returns=1)[0]:
                    yield busy.pop(done), _result(done)
        finally:
            for each in busy:
                with suppress(Exception):  # a cluster that is gone has nothing to end
                    ray.cancel(each, force=True)


_ENTERED: Dict[str, Any] = {}
"""In a process of the cluster: what it has begun with."""


def _do(key: str, beginning: Any, job: Any) -> Any:
    import ray

    if key not in _ENTERED:
        work, enter, folder = ray.get(beginning[0])
        with suppress(OSError):  # relative paths are of there, and a machine without that folder may need none
            os.chdir(folder)
        enter(_never)
        _ENTERED.clear()
        _ENTERED[key] = work
    return _ENTERED[key](job)


def _never() -> bool:
    return False


def _result(done: Any) -> Any:
    import ray

    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, EdgecvarError):
            raise cause from error
        raise
    except ray.exceptions.RayError:  # the process, its machine, or its result is lost
        return Died()

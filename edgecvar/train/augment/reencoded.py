"""Training clips as other encoders would give them: encoded anew once, kept beside the clips."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Dict, Generator, List, Mapping, Sequence, Tuple

from edgecvar.errors import DatasetError, EdgecvarError, StreamError, named, reason
from edgecvar.files import check_writable
from edgecvar.train.augment.reencoding import Job, Outcome, enter_worker, reencode
from edgecvar.train.augment.settings import Reencode
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.progress import Listener
from edgecvar.workers import starting, stop_signal, worker_pool

VERSION = 2
"""Of what is kept: raised with every change to how it is drawn or encoded."""
AHEAD = 2
"""Clips in flight a process."""


class ReencodedClips:
    """The variants of the clips of one data set, a file each by content and settings; `folder` is made when needed.

    Raises ConfigError where nothing can be written to it.
    """

    def __init__(self, settings: Reencode, folder: Path) -> None:
        check_writable(folder, "set augment.reencode.cache")
        drawn = f"{VERSION} {settings.model_dump_json(exclude={'variants', 'share', 'cache'})}"
        self._settings = settings
        self._folder = folder / hashlib.sha256(drawn.encode()).hexdigest()[:12]

    def fill(
        self, clips: Mapping[Path, ClipIndex], workers: int, listener: Listener
    ) -> Tuple[Dict[Path, List[Path]], List[str]]:
        """Encode what is not there yet, with a bar; returns each clip's variants and a line for each that has none.

        Raises DatasetError where a clip is gone, or nothing can be kept.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(
                f"{self._folder}: cannot keep encoded clips there ({reason(error)}); set augment.reencode.cache"
            ) from error
        variants: Dict[Path, List[Path]] = {}
        left_out = []
        jobs = [self._job(path, index) for path, index in clips.items()]
        outcomes = _in_processes(jobs, workers) if min(workers, len(jobs)) > 1 else _in_turn(jobs)
        with listener.phase("encoding clips anew", len(jobs)), closing(outcomes):
            for job, outcome in zip(jobs, outcomes):
                if isinstance(outcome, StreamError):
                    left_out.append(f"without other encodings: {named(str(job.path), outcome)}")
                elif isinstance(outcome, EdgecvarError):
                    raise outcome
                else:
                    variants[job.path] = outcome
                listener.step()
        return variants, left_out

    def _job(self, path: Path, index: ClipIndex) -> Job:
        shown = sum(1 for at in range(len(index.display)) if at not in index.hidden)
        return Job(path, index.info, shown, self._settings, self._folder)


def _in_turn(jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
    for job in jobs:
        yield reencode(job)


def _in_processes(jobs: Sequence[Job], workers: int) -> Generator[Outcome, None, None]:
    """In their order; whatever stops this stops the work under way, so that nothing half written is left."""
    stop = stop_signal()
    pool = worker_pool(min(workers, len(jobs)), enter_worker, (stop,))
    waiting: List[Future[Outcome]] = []
    try:
        for job in jobs:
            with starting():
                waiting.append(pool.submit(reencode, job))
            if len(waiting) >= AHEAD * workers:
                yield _result(waiting.pop(0))
        while waiting:
            yield _result(waiting.pop(0))
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DatasetError(
            "a process that encodes clips died (out of memory?); try workers=0, which encodes them one by one"
        ) from error

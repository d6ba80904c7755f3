"""Work that ends its process, for those that count what dies."""

from __future__ import annotations

import os
import signal
from multiprocessing.synchronize import Event

from edgecvar.datasets.clip import Job, Outcome, prepare_clip


def prepare_or_die(job: Job) -> Outcome:
    """As a decoder that crashes on a file that is called so."""
    if "deadly" in job.source.name:
        os.kill(os.getpid(), signal.SIGSEGV)
    return prepare_clip(job)


def halve_or_die(number: int) -> float:
    """Dies of 0, raises ValueError of what is below it."""
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number < 0:
        raise ValueError("below 0")
    return number / 2


def nothing(stop: Event) -> None:
    """What a process may begin with."""

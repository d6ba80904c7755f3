"""A disk without room, as the system has it: no file of this process grows beyond so many bytes."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def no_room(beyond: int) -> Iterator[None]:
    """Writing past `beyond` bytes of a file fails; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

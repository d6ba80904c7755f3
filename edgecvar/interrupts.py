"""Ctrl-C held back while code runs that would lose a KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, List


@contextmanager
def held_interrupt(react: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Ctrl-C calls `react`, and KeyboardInterrupt is raised at the end of the block, also in place of its error.

    Outside the main thread, where Python handles no signal, this holds nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: List[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        react()

    handler = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            raise KeyboardInterrupt

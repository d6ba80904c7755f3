"""Ctrl-C, and SIGTERM as a container is stopped with: raised where the command line listens, or held back."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, List, NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM: it ends what runs as Ctrl-C does."""

    def __init__(self) -> None:
        super().__init__("terminated")


def exit_code(error: BaseException) -> int:
    """What a shell expects of a program that the signal behind `error` ended."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


@contextmanager
def listening() -> Iterator[None]:
    """Within it SIGTERM raises Terminated and Ctrl-C KeyboardInterrupt, unless they are ignored or handled already."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def terminate(number: int, frame: object) -> NoReturn:
        if os.getpid() != owner:  # a forked child, which nobody asked to listen
            os._exit(128 + number)
        raise Terminated

    mine = {signal.SIGTERM: terminate, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.getsignal(number) for number in mine}
    for number, own in mine.items():
        if before[number] is signal.SIG_DFL:
            signal.signal(number, own)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_interrupt(react: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Ctrl-C calls `react`, and KeyboardInterrupt is raised at the end of the block, also in place of its error.

    So it is with SIGTERM; of both only where somebody listens to it. Outside the main thread, where Python handles no
    signal, this holds nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: List[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        react()

    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(number))]
    handlers = {number: signal.signal(number, note) for number in heard}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            raise Terminated if signal.SIGTERM in came else KeyboardInterrupt

"""What a service tells systemd about itself: ready, reloading, stopping, and that it is still well."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import Iterator, Mapping, Optional

from edgecvar.terminal import printable

LONGEST_BUSY = 1800.0
"""Seconds: TensorRT engines are built in minutes."""


class Notifier:
    """Datagrams to the socket that NOTIFY_SOCKET names; says nothing where there is none (sd_notify(3))."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.interval = _interval(environment)

    def ready(self, status: str = "") -> None:
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """Followed by `ready`, also where nothing could be changed."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def well(self, status: str) -> None:
        """Feeds the watchdog; to be said at least every `interval` seconds."""
        self._tell("WATCHDOG=1", _status(status))

    @contextmanager
    def busy(self, status: str) -> Iterator[None]:
        """Feeds the watchdog while a block lasts that may take long, such as loading a bundle; not for ever."""
        over = threading.Event()
        end = time.monotonic() + LONGEST_BUSY

        def feed() -> None:
            while not over.wait(self.interval) and time.monotonic() < end:
                self.well(status)

        feeder = threading.Thread(target=feed, name="edgecvar-busy", daemon=True)
        if self.interval is not None:
            feeder.start()
        try:
            yield
        finally:
            over.set()

    def unwell(self, status: str) -> None:
        """Leaves the watchdog hungry, and says why."""
        self._tell(_status(status))

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.settimeout(1)
            told.sendto("\n".join(lines).encode(), address)


def _status(text: str) -> str:
    return f"STATUS={printable(text)}"


def _interval(environment: Mapping[str, str]) -> Optional[float]:
    """Seconds between two signs of life, half of what systemd waits; None where it does not watch this process."""
    microseconds, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 2e6

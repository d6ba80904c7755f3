"""The command, as `edgecvar` and `python -m edgecvar`."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress


def main() -> None:
    """Run the command line. Until it listens, Ctrl-C ends the process at once: no traceback out of an import."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edgecvar.cli.main import main as begin

    code = 0
    try:
        begin()
    except SystemExit as stop:
        if stop.code is not None and not isinstance(stop.code, int):
            raise
        code = stop.code or 0
    if any(thread.daemon for thread in threading.enumerate()):
        _end(code)
    sys.exit(code)


def _end(code: int) -> None:
    """Ends the process beside threads that were left behind, as in a connection that FFmpeg waits for.

    They would go on, and crash, while the libraries that they are in are torn down.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

"""The command, as `edgecvar` and `python -m edgecvar`."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line. Until it listens, Ctrl-C ends the process at once: no traceback out of an import."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edgecvar.cli.main import main as begin

    begin()


if __name__ == "__main__":
    main()

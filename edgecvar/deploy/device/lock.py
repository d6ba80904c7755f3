"""Whoever deploys, and nobody else meanwhile."""

import fcntl
import os
from pathlib import Path
from typing import Optional

from edgecvar.deploy.device.peer import Failure


class Lock:
    """A file that one process at a time holds, for as long as it lives, with who it is in words."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = None  # type: Optional[int]

    def take(self, who: str) -> None:
        """Raises Failure where another has it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(str(self._file), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise Failure("another deploy is at work here ({})".format(self.held_by() or "unknown")) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, who.encode())
        self._descriptor = descriptor

    def held_by(self) -> Optional[str]:
        """Who has it just now; None where nobody does."""
        try:
            with open(str(self._file), encoding="utf-8", errors="replace") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return file.read(200) or "unknown"
        except OSError:
            pass
        return None

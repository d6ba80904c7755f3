"""What the page asks of the service behind it."""

from __future__ import annotations

from typing import Any, Dict, List, Protocol

from edgecvar.serve.board import Board


class Operations(Protocol):
    """Called in threads that may wait; all raise EdgecvarError with what is wrong."""

    board: Board

    def facts(self) -> Dict[str, Any]:
        """Of the service and its machine, as plain data: name, bundle, temperature, power."""
        ...

    def wrong(self) -> List[str]:
        """What is not well, each in a line; empty where all is."""
        ...

    def try_source(self, uri: str) -> Dict[str, Any]:
        """Open a source and look at it for some seconds: codec, size, rate, GOP, and its first picture as JPEG."""
        ...

    def add_source(self, name: str, uri: str, again: bool) -> str:
        """Run it from now on; a note where it will be forgotten at the next start."""
        ...

    def remove_source(self, name: str) -> None:
        """One that was added on the page."""
        ...

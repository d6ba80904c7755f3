"""Up to where, in display order, a stream has been read."""

from __future__ import annotations

from typing import Set

from edgecvar.stream.clock import MAX_REORDER


class DisplayProgress:
    """Up to where, in display order, all pictures have been read, while they come in decode order."""

    def __init__(self) -> None:
        self.below = 0
        self._beyond: Set[int] = set()

    def push(self, display_index: int) -> int:
        """`below` after one more picture."""
        if display_index >= self.below:
            self._beyond.add(display_index)
        # One that more pictures have overtaken than any can be moved by does not come.
        while self.below in self._beyond or len(self._beyond) > MAX_REORDER:
            self._beyond.discard(self.below)
            self.below += 1
        return self.below

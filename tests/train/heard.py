"""A listener that remembers what was said."""

from __future__ import annotations

from typing import List

from edgecvar.train.progress import Listener


class Heard(Listener):
    """What a person would have read."""

    def __init__(self) -> None:
        self.lines: List[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def matching(self, part: str) -> List[str]:
        """The lines that contain a text."""
        return [line for line in self.lines if part in line]

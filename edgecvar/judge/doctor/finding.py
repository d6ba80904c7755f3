"""One line of a check-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "broken", "optional"]
"""`broken`: it is there and does not work. `optional`: it is not there, and nothing here asks for it."""


@dataclass(frozen=True)
class Finding:
    """`detail`: a version, or what is wrong; `remedy`: the command that mends it, empty where there is none.

    `needed`: without it nothing can be read or run.
    """

    group: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    needed: bool = False

    @property
    def stops(self) -> bool:
        """Whether it keeps edgecvar from running at all."""
        return self.needed and self.state in ("missing", "broken")

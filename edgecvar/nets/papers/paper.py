"""What a paper prints that a command repeats: its tables, its figures, and what is another here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Table:
    """A printed table, figure or section, `where`, or the rows of it that are those of the network `model`.

    `commands`: what repeats it, each beginning "edgecvar"; on published data they want `data=`, `split.files=` and the
    weights that the recipe's head names as well. `differs`: in what it is another than the paper's, beside what is so
    in all of the paper's, and what that prints. `here`: shipped ablations of the same rows on clips that anyone can
    make or has; without one, the commands have been tried by --dry-run alone, on made data of the published layout.
    """

    where: str
    model: str
    commands: Tuple[str, ...]
    differs: str = ""
    here: Tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Whether a command of the same rows has been run whole."""
        if self.here:
            return f"run on what is here: {', '.join(self.here)}"
        trained = any(command.split()[1] in ("train", "ablate") for command in self.commands)
        return "dry-run alone" if trained else "run"


@dataclass(frozen=True)
class Paper:
    """A paper by authors and year.

    `differs`: what is so in all its tables here. `left_out`: what no command repeats.
    """

    name: str
    tables: Tuple[Table, ...]
    differs: Tuple[str, ...] = ()
    left_out: Tuple[str, ...] = ()

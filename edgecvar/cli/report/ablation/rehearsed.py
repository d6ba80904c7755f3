"""What an ablation would train: a line a run, then what has to be got first, then the commands."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from edgecvar.cli.report.tables import amount, print_table
from edgecvar.terminal import say, say_json
from edgecvar.train.ablation import Planned
from edgecvar.train.start.rehearsal import Rehearsal

COLUMNS = ("row", "split", "seed", "classes", "train", "test", "parameters", "starts from")
RIGHT = ("split", "seed", "classes", "train", "test", "parameters")


def print_rehearsals(planned: Sequence[Planned], rehearsals: Sequence[Rehearsal], as_json: bool) -> None:
    """The runs as a table with their commands, or as a document."""
    pairs = list(zip(planned, rehearsals))
    if as_json:
        say_json({"runs": [_document(*pair) for pair in pairs], "absent": _absent(rehearsals)})
        return
    print_table(COLUMNS, [_cells(*pair) for pair in pairs], RIGHT, wraps=("starts from",))
    left_out = sum({id(each.split): each.split.missing for each in rehearsals}.values())
    if left_out:
        say(f"{left_out} clips of the lists are not there and would be left out")
    for line in _absent(rehearsals):
        say(f"not there yet: {line}")
    say(f"{len(planned)} runs, each also by itself:")
    for each in planned:
        say(f"  {each.command}")


def _cells(planned: Planned, rehearsal: Rehearsal) -> List[str]:
    split = rehearsal.split
    return [
        planned.row,
        "" if planned.split is None else str(planned.split),
        str(planned.recipe.views.seed),
        str(len(split.labels)),
        str(len(split.train)),
        str(rehearsal.tests),
        amount(rehearsal.parameters),
        ", ".join(rehearsal.starts) or "nothing",
    ]


def _document(planned: Planned, rehearsal: Rehearsal) -> Dict[str, Any]:
    split = rehearsal.split
    return {
        "row": planned.row,
        "split": planned.split,
        "seed": planned.recipe.views.seed,
        "run": str(planned.root),
        "command": planned.command,
        "classes": len(split.labels),
        "train": len(split.train),
        "test": rehearsal.tests,
        "missing": split.missing,
        "parameters": rehearsal.parameters,
        "weights": list(rehearsal.starts),
        "absent": list(rehearsal.absent),
    }


def _absent(rehearsals: Sequence[Rehearsal]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(line for each in rehearsals for line in each.absent))

"""The types that a bundle's stages are computed in, as a table or a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence

from edgecvar.cli.report.tables import print_table
from edgecvar.predict.typing.survey import StageTypes
from edgecvar.terminal import say

COLUMNS = ("stage", "precision", "TensorRT", "typing", "int8", "fp16", "fp32", "nodes in fp32")
COUNTED = ("int8", "fp16", "fp32")
SERIES = {"8.2": "8.2", "8.5": "8.5 to 9", "10": "10", "11": "11"}
"""What is printed of a generation."""

NAMED = 6
"""Nodes that a row names; the document has all."""


def types_document(path: Path, types: Sequence[StageTypes]) -> Dict[str, Any]:
    """Plain data, every node of fp32 by name."""
    return {"bundle": str(path), "stages": [_stage(each) for each in types]}


def _stage(types: StageTypes) -> Dict[str, Any]:
    return {
        "stage": types.stage,
        "precision": types.precision,
        "tensorrt": list(types.generations),
        "typing": types.typing,
        "nodes": {kind: len(types.named(kind)) for kind in COUNTED},
        "fp32": [{"node": node.name, "operator": node.operator} for node in types.named("fp32")],
        "unasked": [node.name for node in types.unasked],
        "refused": [str(mismatch) for mismatch in types.mismatches],
    }


def print_types(types: Sequence[StageTypes]) -> None:
    """A row a stage, precision and typing, then what is wrong."""
    if not types:
        say("every stage is in fp32 alone")
        return
    print_table(COLUMNS, [_row(each) for each in types], COUNTED, ("nodes in fp32",))
    say("nodes that compute with floats; with weak typing fp16 is allowed there, and the builder takes what is faster")
    for each in types:
        where = f"stage {each.stage}, {each.precision} on TensorRT {_series(each)}"
        for mismatch in each.mismatches:
            say(f"WRONG {where}: {mismatch}; compile the bundle again")
        if each.unasked:
            say(
                f"note {where}: {len(each.unasked)} nodes in fp32 that the fp16 stage has not, such as "
                f"{each.unasked[0].name}; compile the bundle again, with fp16"
            )


def _row(types: StageTypes) -> List[str]:
    full = [_called(node.name, node.operator) for node in types.named("fp32")]
    more = [f"{len(full) - NAMED} more"] if len(full) > NAMED else []
    counts = [str(len(types.named(kind))) for kind in COUNTED]
    return [types.stage, types.precision, _series(types), types.typing, *counts, ", ".join([*full[:NAMED], *more])]


def _called(name: str, operator: str) -> str:
    """The operator only where the name does not say it."""
    return name if name.split(".")[0] == operator else f"{name} ({operator})"


def _series(types: StageTypes) -> str:
    return ", ".join(SERIES[each] for each in types.generations)

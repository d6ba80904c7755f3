"""What `edgecvar bundle diff` shows of two bundles."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Dict, List, Optional

from rich.table import Table

from edgecvar.bundle.difference import Difference
from edgecvar.cli.report.bundle.contents import size
from edgecvar.config import shortened
from edgecvar.console import Console


def difference_document(found: Difference) -> Dict[str, Any]:
    """All of it as plain data."""
    return {
        "before": str(found.before.bundle.path),
        "after": str(found.after.bundle.path),
        "same": found.is_none,
        "settings": [asdict(each) for each in found.settings],
        "labels": {"added": found.labels_added, "removed": found.labels_removed, "moved": found.labels_moved},
        "files": [asdict(each) for each in found.files],
        "signatures": [
            None if each.signature is None else asdict(each.signature) for each in (found.before, found.after)
        ],
        "engines_rebuilt": found.rebuilt,
        "update_bytes": found.update_bytes,
        "whole_bytes": found.whole_bytes,
    }


def print_difference(found: Difference, console: Console) -> None:
    """For a person: settings, labels, files, what an update comes to."""
    for line in _label_lines(found):
        console.print(line)
    for each in found.settings:
        console.print(f"{each.place}: {_value(each.before)} -> {_value(each.after)}")
    signed = [None if each.signature is None else each.signature.key for each in (found.before, found.after)]
    if signed[0] != signed[1]:
        console.print(f"signature: {signed[0] or 'none'} -> {signed[1] or 'none'}")
    table = Table(box=None, pad_edge=False)
    for title, justify in (("file", "left"), ("", "left"), ("before", "right"), ("after", "right")):
        column: Any = justify
        table.add_column(title, justify=column)
    for file in found.files:
        table.add_row(file.path, file.change, _size(file.bytes_before), _size(file.bytes_after))
    console.print(table)
    console.print(
        f"an update sends {size(found.update_bytes)} of {size(found.whole_bytes)}; engines built anew of: "
        f"{', '.join(found.rebuilt) or 'nothing'}"
    )


def _label_lines(found: Difference) -> List[str]:
    lines = ["the two say the same"] if found.is_none else []
    for what, labels in (("added", found.labels_added), ("removed", found.labels_removed)):
        if labels:
            lines.append(f"labels {what}: {', '.join(labels)}")
    return lines + ["labels: the same in another order"] * found.labels_moved


def _value(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else shortened(json.dumps(value))


def _size(size_bytes: Optional[int]) -> str:
    return "-" if size_bytes is None else size(size_bytes)

"""An evaluation, or thresholds that clips lead to, as plain data and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from edgecvar.clips.labelled import ClipScore
from edgecvar.judge.evaluate import Evaluation
from edgecvar.judge.outcomes import Outcomes, largest_confusions
from edgecvar.judge.sources import SourceRow
from edgecvar.judge.thresholds import SURE, Thresholds

if TYPE_CHECKING:
    from rich.table import Table

    from edgecvar.console import Console

MATRIX_CLASSES = 20
"""Classes up to which the confusion matrix is printed; above, the largest confusions are listed."""
LARGEST = 10


def evaluation_document(evaluation: Evaluation) -> Dict[str, Any]:
    """Plain data; `top1`, `chance` and `accuracy` are parts of the clips that could be read."""
    per_class = {}
    for label in evaluation.labels:
        clips, correct = evaluation.of_label(label)
        per_class[label] = {"clips": clips, "correct": correct, "accuracy": _part(correct, clips)}
    return {
        "clips": evaluation.clips,
        "top1": None if evaluation.top1 is None else round(evaluation.top1, 6),
        "chance": None if evaluation.chance is None else round(evaluation.chance, 6),
        "per_class": per_class,
        "confusion": {"labels": list(evaluation.labels), "rows": evaluation.confusion.tolist()},
        "undecided": [str(clip.path) for clip in evaluation.undecided],
        "unreadable": [{"clip": str(each.clip.path), "error": each.error} for each in evaluation.unreadable],
    }


def outcomes_document(found: Outcomes) -> Dict[str, Any]:
    """As `evaluation_document`, with calibration error, and top-1 over time of clips that were run as streams."""
    calibration = None if found.calibration is None else round(found.calibration.error, 6)
    over_time = [{"seconds": each.seconds, "top1": round(each.top1, 6)} for each in found.moments]
    return {**evaluation_document(found.evaluation), "calibration_error": calibration, "over_time": over_time}


def sources_document(rows: Sequence[SourceRow]) -> List[Dict[str, Any]]:
    """Each source's document, and what differs from the first."""
    return [{"folder": row.name, **evaluation_document(row.evaluation), **_differences(row)} for row in rows]


def _differences(row: SourceRow) -> Dict[str, Any]:
    if row.paired is None:
        return {}
    difference = None if row.difference is None else round(row.difference, 6)
    counts = {"paired": row.paired, "changed": row.changed, "lost": row.lost, "won": row.won}
    return {"difference": difference, **counts}


def _part(correct: int, clips: int) -> Any:
    return round(correct / clips, 6) if clips else None


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Top-1, accuracy and confusions of each class, and every clip that gave no answer, by name."""
    matrix = len(evaluation.labels) <= MATRIX_CLASSES
    if matrix:
        console.print("rows: true label; columns: label given, by number")
    console.print(_class_table(evaluation, matrix))
    if not matrix:
        for each in largest_confusions(evaluation, LARGEST):
            console.print(f"{each.clips} of {each.label} taken for {each.answer}")
    top1 = "none" if evaluation.top1 is None else f"{evaluation.top1:.1%}"
    chance = "" if evaluation.chance is None else f" (chance {evaluation.chance:.1%})"
    for line in [f"top-1 {top1} of {evaluation.clips} clips{chance}", *_unanswered(evaluation)]:
        console.print(line)


def print_outcomes(found: Outcomes, console: Console) -> None:
    """As `print_evaluation`, then how far probabilities can be believed, and how soon answers are right."""
    print_evaluation(found.evaluation, console)
    if found.calibration is not None:
        console.print(f"calibration error {found.calibration.error:.1%} (ECE)")
    if found.moments:
        console.print("top-1 after " + ", ".join(f"{each.seconds:g} s {each.top1:.1%}" for each in found.moments))


def print_sources(rows: Sequence[SourceRow], console: Console) -> None:
    """A row a source with its difference to the first, then every clip that gave no answer."""
    from rich.table import Table

    table = Table()
    table.add_column("source", overflow="fold")
    for name in ("clips", "top-1", "difference", "paired", "changed", "lost", "won"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        top1 = "none" if row.evaluation.top1 is None else f"{row.evaluation.top1:.1%}"
        table.add_row(row.name, str(row.evaluation.clips), top1, *difference_cells(row))
    console.print(table)
    console.print("difference: points of top-1; paired: clips of the same class and name, whose answers are compared")
    for row in rows:
        for line in _unanswered(row.evaluation):
            console.print(line)


def difference_cells(row: SourceRow) -> Sequence[str]:
    """Difference in points, paired, changed, lost and won; empty of the first source."""
    if row.paired is None:
        return ("", "", "", "", "")
    difference = "-" if row.difference is None else f"{100 * row.difference:+.1f}"
    return (difference, str(row.paired), str(row.changed), str(row.lost), str(row.won))


def _unanswered(evaluation: Evaluation) -> List[str]:
    lines = []
    if evaluation.undecided:
        lines.append(f"{len(evaluation.undecided)} without a decision, counted as wrong:")
        lines += [f"  {clip.path}" for clip in evaluation.undecided]
    if evaluation.unreadable:
        lines.append(f"{len(evaluation.unreadable)} unreadable, not counted:")
        lines += [f"  {_named(each)}" for each in evaluation.unreadable]
    return lines


def _named(result: ClipScore) -> str:
    """The error, with its clip in front where it does not name it."""
    path, error = str(result.clip.path), str(result.error)
    return error if path in error else f"{path}: {error}"


def _class_table(evaluation: Evaluation, matrix: bool) -> Table:
    """One row a class; with `matrix`, columns by the number of the label taken for it."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("#", "label", "clips", "accuracy"):
        table.add_column(name, justify="left" if name == "label" else "right", no_wrap=True)
    numbers = range(len(evaluation.labels)) if matrix else ()
    for number in numbers:
        table.add_column(str(number), justify="right", no_wrap=True)
    for row, label in enumerate(evaluation.labels):
        clips, correct = evaluation.of_label(label)
        cells: List[Any] = [str(row), label, str(clips), f"{correct / clips:.1%}" if clips else "-"]
        for column in numbers:
            count = int(evaluation.confusion[row, column])
            style = "bold green" if row == column else "red"
            cells.append(Text(str(count), style=style) if count else ".")
        table.add_row(*cells)
    return table


def thresholds_document(found: Thresholds) -> Dict[str, Any]:
    """Plain data; rates that no clip bounds are None."""
    rows = [
        {
            "label": each.label,
            "on": each.on,
            "off": each.off,
            "clips": each.clips,
            "recall": _part(each.found, each.clips),
            "false_alarms": each.false_alarms,
            "hours": round(each.hours, 6),
            "most_per_hour": round(each.most_per_hour, 6) if each.hours else None,
            "supported": each.most_per_hour <= found.asked_per_hour,
        }
        for each in found.labels
    ]
    return {"asked_per_hour": found.asked_per_hour, "confidence": SURE, "labels": rows}


def print_thresholds(found: Thresholds, console: Console) -> None:
    """A row a label, then what the clips cannot tell."""
    from rich.table import Table

    table = Table()
    table.add_column("label", overflow="fold")
    for name in ("on", "off", "clips", "found", "false alarms", "hours", "at most an hour"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found.labels:
        recall = "-" if each.recall is None else f"{each.recall:.0%}"
        most = f"{each.most_per_hour:.3g}" if each.hours else "-"
        counts = str(each.clips), recall, str(each.false_alarms), f"{each.hours:.3g}", most
        table.add_row(each.label, f"{each.on:g}", f"{each.off:g}", *counts)
    console.print(table)
    for line in threshold_lines(found):
        console.print(line)


def threshold_lines(found: Thresholds) -> List[str]:
    """What was asked, and what of it these clips do not show."""
    asked = f"{found.asked_per_hour:g} false alarm{'s' * (found.asked_per_hour != 1)} an hour"
    recalled, clips = sum(each.found for each in found.labels), sum(each.clips for each in found.labels)
    lines = [f"at most {asked} of each label; {recalled} of {clips} clips found"]
    if found.missed:
        names = ", ".join(each.label for each in found.missed)
        lines.append(f"no threshold gives so few in these clips: {names}")
    if found.unsupported:
        hours = max(each.hours for each in found.unsupported)
        bound = min(each.most_per_hour for each in found.unsupported)
        bounded = f"{hours:.2g} h of other clips show no less than {bound:.3g} an hour" if hours else "no other clips"
        lines.append(
            f"too few clips to show it for {len(found.unsupported)} of {len(found.labels)} labels: {bounded} "
            f"({SURE:.0%}); {found.hours_needed:.3g} h without a false alarm would"
        )
    return lines

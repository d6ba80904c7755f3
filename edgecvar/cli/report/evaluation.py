"""An evaluation as plain data and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from edgecvar.clips.labelled import ClipScore
from edgecvar.judge.evaluate import Evaluation

if TYPE_CHECKING:
    from rich.table import Table

    from edgecvar.console import Console

MATRIX_CLASSES = 20
"""Classes up to which the confusion matrix is printed; above, the largest confusions are listed."""


def evaluation_document(evaluation: Evaluation) -> Dict[str, Any]:
    """Plain data; `top1` and `accuracy` are parts of the clips that could be read."""
    per_class = {}
    for label in evaluation.labels:
        clips, correct = evaluation.of_label(label)
        per_class[label] = {"clips": clips, "correct": correct, "accuracy": _part(correct, clips)}
    return {
        "clips": evaluation.clips,
        "top1": None if evaluation.top1 is None else round(evaluation.top1, 6),
        "per_class": per_class,
        "confusion": {"labels": list(evaluation.labels), "rows": evaluation.confusion.tolist()},
        "undecided": [str(clip.path) for clip in evaluation.undecided],
        "unreadable": [{"clip": str(each.clip.path), "error": each.error} for each in evaluation.unreadable],
    }


def _part(correct: int, clips: int) -> Any:
    return round(correct / clips, 6) if clips else None


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Top-1, accuracy and confusions of each class, and every clip that gave no answer, by name."""
    matrix = len(evaluation.labels) <= MATRIX_CLASSES
    if matrix:
        console.print("rows: true label; columns: label given, by number")
    console.print(_class_table(evaluation, matrix))
    if not matrix:
        for line in _largest_confusions(evaluation):
            console.print(line)
    top1 = "none" if evaluation.top1 is None else f"{evaluation.top1:.1%}"
    lines = [f"top-1 {top1} of {evaluation.clips} clips"]
    if evaluation.undecided:
        lines.append(f"{len(evaluation.undecided)} without a decision, counted as wrong:")
        lines += [f"  {clip.path}" for clip in evaluation.undecided]
    if evaluation.unreadable:
        lines.append(f"{len(evaluation.unreadable)} unreadable, not counted:")
        lines += [f"  {_named(each)}" for each in evaluation.unreadable]
    for line in lines:
        console.print(line)


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


def _largest_confusions(evaluation: Evaluation) -> List[str]:
    wrong = evaluation.confusion.copy()
    wrong[range(len(wrong)), range(len(wrong))] = 0
    order = wrong.ravel().argsort(kind="stable")[::-1][:10]
    pairs = [(int(place) // len(wrong), int(place) % len(wrong)) for place in order]
    labels = evaluation.labels
    return [f"{wrong[i, j]} of {labels[i]} taken for {labels[j]}" for i, j in pairs if wrong[i, j]]

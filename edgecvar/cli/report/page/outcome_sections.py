"""Sections of a page that say how often the network is right, on what, how surely and how soon."""

from __future__ import annotations

from typing import List, Optional, Sequence

import numpy as np

from edgecvar.cli.report.evaluation import difference_cells
from edgecvar.cli.report.page.charts import PARTS, Axis, Curve, apart, chance_marks, line_chart, reliability_chart
from edgecvar.cli.report.page.elements import Markup, element, image, joined, percent, section, short, table
from edgecvar.cli.report.page.report import ShownClip, Timing
from edgecvar.judge.evaluate import Evaluation
from edgecvar.judge.outcomes import Calibration, ClassOutcome, Outcomes, largest_confusions
from edgecvar.judge.sources import SourceRow
from edgecvar.stream.png import encode_png

MATRIX = 40
"""Classes up to which every count of the confusion matrix is written; above, it is a picture."""
LISTED = 20
"""The largest confusions that are listed then."""
ROWS = 1000
"""Classes that the table of classes has rows for, those of the lowest recall first where there are more."""
NAMED = 50
"""Clips without an answer that are named; the others are counted."""


def confusion_section(outcomes: Outcomes, of: str) -> Markup:
    """The matrix, or a picture of it; then the clips that gave no answer."""
    evaluation = outcomes.evaluation
    large = len(evaluation.labels) > MATRIX
    shown = _large_matrix(evaluation) if large else _matrix(evaluation)
    return section(
        "Confusion matrix",
        element("p", f"{of}. Rows: the clip's label; columns: what it was taken for."),
        shown,
        _unanswered(evaluation),
    )


def _matrix(evaluation: Evaluation) -> Markup:
    numbers = range(len(evaluation.labels))
    head = [element("th", str(number), scope="col", title=short(evaluation.labels[number])) for number in numbers]
    rows = [element("tr", element("th", "", class_="name"), head)]
    for number, label in enumerate(evaluation.labels):
        counts = evaluation.confusion[number]
        cells = [_cell(int(count), int(counts.sum()), number == column) for column, count in enumerate(counts)]
        rows.append(element("tr", element("th", f"{number} {short(label)}", class_="name", scope="row"), cells))
    return element("div", element("table", rows, class_="matrix"), class_="scroll")


def _cell(count: int, row: int, right: bool) -> Markup:
    if not count:
        return element("td", ".", class_="none")
    return element(
        "td", str(count), class_="right" if right else "wrong", style=f"--share: {0.15 + 0.6 * count / row:.2f}"
    )


def _large_matrix(evaluation: Evaluation) -> Markup:
    """A pixel a cell: dark where a row's clips are; its largest confusions as text."""
    shares = evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
    levels = np.where(shares > 0, 200 - 200 * shares, 255)[..., None]
    picture = np.concatenate([levels, levels, np.where(shares[..., None] > 0, levels + 55, 255)], axis=2)
    rows = [(short(each.label), short(each.answer), str(each.clips)) for each in largest_confusions(evaluation, LISTED)]
    size = len(evaluation.labels)
    return joined(
        image(encode_png(picture.astype(np.uint8)), f"Confusion matrix of {size} classes", "large-matrix", "png"),
        element("p", "In the order of the classes below; the darker, the more of a row's clips.", class_="faint"),
        table(("label", "taken for", "clips"), rows, names=(0, 1)) if rows else None,
    )


def _unanswered(evaluation: Evaluation) -> Optional[Markup]:
    lines = [f"no answer, counted as wrong: {clip.path}" for clip in evaluation.undecided]
    lines += [f"unreadable, not counted: {each.clip.path}: {each.error}" for each in evaluation.unreadable]
    if not lines:
        return None
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    title = f"{len(evaluation.undecided)} clips without an answer, {len(evaluation.unreadable)} unreadable"
    items = [element("li", short(line) if len(line) > 400 else line) for line in [*lines[:NAMED], *more]]
    return element("details", element("summary", title), element("ul", items))


def class_section(classes: Sequence[ClassOutcome]) -> Markup:
    """A row a class."""
    shown, note = list(classes), None
    if len(classes) > ROWS:
        shown = sorted(classes, key=lambda row: (row.recall is None, row.recall))[:ROWS]
        note = element("p", f"The {ROWS} of {len(classes)} classes with the lowest recall.", class_="faint")
    rows = [
        (
            short(row.label),
            str(row.clips),
            percent(row.precision),
            percent(row.recall),
            f"{short(row.confused_with)} ({row.confused})" if row.confused_with is not None else "",
        )
        for row in shown
    ]
    heads = ("class", "clips", "precision", "recall", "most confused with")
    meaning = "Recall: of its clips, those found. Precision: of what was taken for it, what was."
    return section("Classes", element("p", meaning, class_="faint"), note, table(heads, rows, names=(0, 4)))


def calibration_section(found: Calibration) -> Markup:
    """The reliability diagram."""
    side = "too sure" if found.excess > 0 else "not sure enough"
    title = f"Reliability: expected calibration error {found.error:.1%}"
    return section(
        "How far probabilities can be believed",
        element("p", f"Expected calibration error {found.error:.1%}; on the mean {abs(found.excess):.1%} {side}."),
        element(
            "figure",
            reliability_chart(title, found.bins),
            element(
                "figcaption", "Bars on the dotted line would be right as often as they say; above each, its clips."
            ),
            style="max-width: 36rem",
        ),
    )


def timing_section(timing: Timing) -> Markup:
    """Top-1 against the seconds of video that were seen."""
    points = [(moment.seconds, moment.top1) for moment in timing.moments]
    last = points[-1][0]
    across = Axis("seconds of video", 0, last, apart([x for x, _ in points], last))
    up = Axis("top-1", 0, 1, PARTS.ticks, part=True)
    rows = [(f"{each.seconds:g} s", percent(each.top1), str(each.running)) for each in timing.moments]
    marks = chance_marks(timing.chance)
    chart = line_chart("Top-1 by seconds of video seen", across, up, [Curve("top-1", points)], marks)
    return section(
        "How soon it is right",
        element("p", timing.note),
        element(
            "div",
            element("figure", chart),
            element("figure", table(("after", "top-1", "clips that go on"), rows, ())),
            class_="pair",
        ),
    )


def hardest_section(clips: Sequence[ShownClip]) -> Markup:
    """The clips of the highest loss, in pictures."""
    legend = (
        "Those of the highest loss. An I-picture; the motion of the liveliest picture near the beginning (hue is "
        "direction, white stands still, grey is intra); its residual around grey."
    )
    return section(
        "The hardest clips", element("p", legend, class_="faint"), element("div", map(_clip, clips), class_="clips")
    )


def _clip(shown: ShownClip) -> Markup:
    hard = shown.hard
    said = f"{short(hard.clip.label)}, taken for {short(hard.answer)} ({hard.confidence:.0%})"
    if hard.answer == hard.clip.label:
        said = f"{short(hard.clip.label)}, right with {hard.confidence:.0%}"
    figures: List[Markup] = []
    if shown.pictures is not None:
        made = shown.pictures
        named = (("I-picture", made.image), (f"motion, {made.seconds:.1f} s", made.motion), ("residual", made.residual))
        figures = [
            element("figure", image(data, f"{name} of {short(hard.clip.path.name)}"), element("figcaption", name))
            for name, data in named
        ]
    return element(
        "article",
        element("h3", short(hard.clip.path.name)),
        element("p", said, f"; its label has {hard.probability:.2%}, loss {hard.loss:.2f}", class_="faint"),
        element("div", figures, class_="strip") if figures else element("p", shown.note, class_="faint"),
    )


def sources_section(rows: Sequence[SourceRow]) -> Markup:
    """A row a source, against the first."""
    heads = ("source", "clips", "top-1", "difference", "paired", "changed", "lost", "won")
    cells = [
        (short(row.name), str(row.evaluation.clips), percent(row.evaluation.top1), *difference_cells(row))
        for row in rows
    ]
    meaning = (
        "Difference: points of top-1 against the first. Paired clips have a namesake of their class there: of these, "
        "changed ones have another answer, lost ones were right, won ones are."
    )
    return section("Sources side by side", element("p", meaning, class_="faint"), table(heads, cells, names=(0,)))

"""The flow of a picture to its decision as a drawing: boxes from left to right, their times in them."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from edgecvar.cli.report.bench_page.amounts import figure, span
from edgecvar.cli.report.bench_page.flow import Box, Flow
from edgecvar.cli.report.page.drawing import rectangle, svg, text_at
from edgecvar.cli.report.page.elements import Markup, element, section

WIDE, HIGH = 132, 98
"""Of a box."""
ACROSS, DOWN = 30, 18
"""Between boxes."""
PASSING = 22
"""Height of the room for an arrow that passes a column."""
TITLE, LINE = 16, 20
"""Signs that fit into a box."""
BELOW = 22
"""Room under the boxes for what is written there."""

Place = Tuple[float, float]


def flow_section(flow: Flow, predicted: bool) -> Markup:
    """The drawing under its heading, and how to read it; `predicted`: no figure in it was measured."""
    what = "Predicted milliseconds" if predicted else "Milliseconds"
    text = f"{what} for one sampled picture; the bar is a part's share of all work. "
    text += "Reading, I-pictures and stages have a thread each: the busiest one's largest part is marked."
    notes = []
    if flow.assumed:
        notes.append("Which stage takes which output is not stated here: arrows between stages are drawn as is common.")
    if flow.left:
        notes.append(f"{flow.left} more stages are in the table below.")
    return section(
        "Where a picture's time goes",
        element("p", text),
        element("div", flow_picture(flow), class_="scroll"),
        element("p", " ".join(notes), class_="faint") if notes else None,
    )


def flow_picture(flow: Flow) -> Markup:
    """Boxes in columns, each right of all that hand on to it."""
    chains, columns = _columns(flow)
    heights = [sum(_height(slot) + DOWN for slot in column) - DOWN for column in columns]
    tall = max(heights)
    corners: Dict[str, Place] = {}
    for number, (column, height) in enumerate(zip(columns, heights)):
        y = 4 + (tall - height) / 2
        for slot in column:
            corners[slot] = (4 + number * (WIDE + ACROSS), y)
            y += _height(slot) + DOWN
    size = (8 + len(columns) * (WIDE + ACROSS) - ACROSS, 8 + tall + BELOW)
    parts = [_edge(chain, corners, chains) for chain in chains]
    for box in flow.boxes:
        parts += _box(box, corners[box.key], box.key == flow.bottleneck)
    drawing = svg("The way of a picture to its decision, with times", size, parts, look="drawn")
    return sized(drawing, size[0])


def sized(drawing: Markup, width: float) -> Markup:
    """A drawing that is as wide on any screen, and is scrolled on a small one."""
    return Markup(drawing.replace("<svg ", f'<svg style="--wide: {round(width / 16)}rem" ', 1))


def _columns(flow: Flow) -> Tuple[List[List[str]], List[List[str]]]:
    """Each arrow as the slots that it passes, and the slots of each column from above."""
    column: Dict[str, int] = {}
    for box in flow.boxes:
        column[box.key] = max((column[a] + 1 for a, b in flow.edges if b == box.key), default=0)
    if "decide" in column:
        column["decide"] = max(column.values()) if column["decide"] else max(column.values()) + 1
    columns: List[List[str]] = [[] for _ in range(max(column.values()) + 1)]
    for key, place in column.items():
        columns[place].append(key)
    chains = []
    for a, b in flow.edges:
        passed = [f">{a}>{b}>{place}" for place in range(column[a] + 1, column[b])]
        for place, slot in enumerate(passed, column[a] + 1):
            columns[place].append(slot)
        chains.append([a, *passed, b])
    for number in range(1, len(columns)):
        above = {slot: row for row, slot in enumerate(columns[number - 1])}
        columns[number].sort(key=lambda slot: _mean_row(slot, chains, above))
    return chains, columns


def _mean_row(slot: str, chains: Sequence[Sequence[str]], above: Mapping[str, int]) -> float:
    """Where the slots before it are: so that arrows seldom cross."""
    rows = [above[chain[chain.index(slot) - 1]] for chain in chains if slot in chain[1:]]
    return sum(rows) / len(rows) if rows else len(above)


def _height(slot: str) -> float:
    return PASSING if slot.startswith(">") else HIGH


def _edge(chain: Sequence[str], corners: Mapping[str, Place], chains: Sequence[Sequence[str]]) -> Markup:
    """A smooth line through the middle of what it passes; arrows into one box end below each other."""
    entering = sorted((other for other in chains if other[-1] == chain[-1]), key=lambda other: corners[other[-2]][1])
    part = (entering.index(chain) + 1) / (len(entering) + 1)
    x, y = corners[chain[0]]
    x, y = x + WIDE, y + HIGH / 2
    path = [f"M{x:.1f},{y:.1f}"]
    for slot in chain[1:]:
        left, top = corners[slot]
        last = slot == chain[-1]
        to = top + HIGH * part if last else top + PASSING / 2
        end = left - 7 if last else left
        middle = (x + end) / 2
        path.append(f"C{middle:.1f},{y:.1f} {middle:.1f},{to:.1f} {end:.1f},{to:.1f}")
        x, y = end, to
        if not last:
            x += WIDE
            path.append(f"H{x:.1f}")
    head = element("polygon", points=f"{x:.1f},{y - 4:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 4:.1f}", class_="head")
    return Markup(element("path", d=" ".join(path), class_="edge") + head)


def _box(box: Box, corner: Place, held: bool) -> List[Markup]:
    x, y = corner
    parts = [
        rectangle(x, y, WIDE, HIGH, element("title", box.title), class_="box held" if held else "box", rx=6),
        text_at(x + 9, y + 19, _cut(box.title, TITLE), "strong"),
    ]
    if box.ms is not None:
        parts.append(text_at(x + 9, y + 43, f"{figure(box.ms)} ms", "figure"))
        parts.append(text_at(x + 9, y + 61, f"{box.share:.1%}", "tick small"))
        parts.append(rectangle(x + 52, y + 53, (WIDE - 62) * min(box.share, 1.0), 8, class_="filled"))
    if box.predicted is not None:
        parts.append(text_at(x + 9, y + 80, f"pred. {span(box.predicted)}", "predicted small"))
    for number, text in enumerate(box.lines):
        parts.append(text_at(x + 9, y + 42 + 17 * number, _cut(text, LINE), "tick small"))
    if held:
        parts.append(text_at(x + WIDE / 2, y + HIGH + 15, "bottleneck", "held small", "middle"))
    return parts


def _cut(text: str, signs: int) -> str:
    return text if len(text) <= signs else f"{text[: signs - 2]}.."

"""Tables of layers, a stage each: the slowest first, the others behind a fold."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from edgecvar.cli.report.bench_page.amounts import deviation, figure
from edgecvar.cli.report.bench_page.layers import ShownLayer, StageLayers
from edgecvar.cli.report.page.elements import Markup, element, section, table

FIRST, MOST = 20, 500
"""Layers that a stage shows at once, and at all."""
NAME, TACTIC = 60, 40
"""Signs of them that are shown."""


def layers_section(stages: Sequence[StageLayers]) -> Markup:
    """A fold a stage, that of the slowest open."""
    slowest = max(stages, key=lambda stage: sum(layer.time for layer in stage.layers))
    text = "Times of one run of a stage."
    if any(layer.bound for stage in stages for layer in stage.layers):
        text += " What bounds a layer, arithmetic, memory or its launch, is reckoned, not measured."
    return section("Layers", element("p", text), [_stage(stage, stage is slowest) for stage in stages])


def _stage(stage: StageLayers, opened: bool) -> Markup:
    layers, total = stage.layers, sum(layer.time for layer in stage.layers)
    how = f"measured in {stage.runs} runs" if stage.measured else "predicted, not measured"
    name = _cut(stage.stage, NAME)
    summary = f"{name}: {len(layers)} layers, {figure(total)} ms, {how}" if layers else f"{name}: no layers"
    bounds: Dict[str, float] = {}
    for layer in layers:
        if layer.bound:
            bounds[layer.bound] = bounds.get(layer.bound, 0.0) + layer.time
    shares = ", ".join(f"{ms / total:.0%} by {bound}" for bound, ms in sorted(bounds.items())) if total > 0 else ""
    missed = f"{stage.missed} predicted layers are in none that was measured." if stage.missed else None
    rest = layers[FIRST:MOST]
    left = len(layers) - MOST
    return element(
        "details",
        element("summary", summary),
        element("p", f"not measured: {stage.complaint}", class_="faint") if stage.complaint else None,
        element("p", f"Of its time is bound {shares}.") if shares else None,
        _table(layers[:FIRST], stage, total),
        element("details", element("summary", f"{len(rest)} faster ones"), _table(rest, stage, total))
        if rest
        else None,
        element("p", f"and {left} more", class_="faint") if left > 0 else None,
        element("p", missed, class_="faint") if missed else None,
        open="" if opened else None,
    )


def _table(layers: Sequence[ShownLayer], stage: StageLayers, total: float) -> Optional[Markup]:
    if not layers:
        return None
    predicted = any(layer.predicted_ms is not None for layer in stage.layers)
    tactics = any(layer.tactic for layer in stage.layers)
    heads = ["layer"] + (["ms"] if stage.measured else []) + (["predicted ms"] if predicted else []) + ["share"]
    heads += (["off by"] if stage.measured and predicted else []) + (["bound by"] if predicted else [])
    heads += ["kind", "type"] + (["tactic"] if tactics else [])
    rows = []
    for layer in layers:
        expected = "" if layer.predicted_ms is None else f"{layer.predicted_ms:.3f}"
        cells: List[str] = [_cut(layer.name, NAME)]
        cells += ([f"{layer.time:.3f}"] if stage.measured else []) + ([expected] if predicted else [])
        cells.append(f"{layer.time / total:.1%}" if total > 0 else "-")
        if stage.measured and predicted:
            cells.append("" if layer.predicted_ms is None else deviation(layer.predicted_ms, layer.time))
        cells += [layer.bound] if predicted else []
        cells += [_cut(layer.kind, 20), _cut(layer.precision, 12), *([_cut(layer.tactic, TACTIC)] if tactics else [])]
        rows.append(cells)
    return table(heads, rows, (0, *((len(heads) - 1,) if tactics else ())))


def _cut(name: str, signs: int) -> str:
    """A name whose end says most, as the path of a node does."""
    return name if len(name) <= signs else f"{name[: signs // 3]}...{name[3 + signs // 3 - signs :]}"

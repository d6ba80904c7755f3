"""The slowest layers of a session, as a table or as lines to paste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence

from rich.table import Table

from edgecvar.bench.observed import ObservedLayer, ObservedStage

SHOWN = 8


@dataclass(frozen=True)
class SlowLayer:
    """A layer of a stage, with its share of the time of all that stage's layers."""

    stage: str
    layer: ObservedLayer
    share: float


def slowest(stages: Sequence[ObservedStage], most: int = SHOWN) -> List[SlowLayer]:
    """The layers of all stages that take longest, slowest first."""
    found = []
    for stage in stages:
        whole = sum(layer.ms for layer in stage.layers) or 1.0
        found += [SlowLayer(stage.stage, layer, layer.ms / whole) for layer in stage.layers]
    return sorted(found, key=lambda each: -each.layer.ms)[:most]


def layers_table(stages: Sequence[ObservedStage]) -> Table:
    table = Table()
    for column in ("slowest layers", "stage", "kind", "type", "ms", "of stage"):
        table.add_column(column, justify="right" if column in ("ms", "of stage") else "left", overflow="ellipsis")
    for each in slowest(stages):
        layer = each.layer
        name = layer.name if len(layer.name) <= 60 else f"{layer.name[:57]}..."
        table.add_row(name, each.stage, layer.kind, layer.precision, f"{layer.ms:.3f}", f"{each.share:.1%}")
    return table


def layers_notes(stages: Sequence[ObservedStage]) -> List[str]:
    """What the table does not say: how often layers were timed, and what is missing of them."""
    timed = [stage for stage in stages if stage.layers]
    notes = [f"layers of {stage.stage}: {stage.complaint}" for stage in stages if stage.complaint]
    if timed:
        counts = ", ".join(
            f"{len(stage.layers)} of {stage.stage} take {sum(layer.ms for layer in stage.layers):.2f} ms over "
            f"{stage.runs} runs"
            for stage in timed
        )
        notes.insert(0, f"layers, timed one by one with nothing else going on; compare them with each other: {counts}")
    return notes


def layers_block(stages: Sequence[ObservedStage]) -> List[str]:
    """Lines to paste. A layer's name comes from the network, and tells nothing of the machine."""
    return [
        f"layer {each.stage}, {each.layer.ms:.3f} ms, {each.share:.1%}: "
        + ", ".join(filter(None, (each.layer.name[:80], each.layer.kind, each.layer.precision, each.layer.tactic[:80])))
        for each in slowest(stages)
    ]

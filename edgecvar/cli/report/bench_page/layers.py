"""Layers that were measured beside those that were predicted, joined by the nodes of the graph (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

from edgecvar.bench.observed import ObservedLayer, ObservedStage
from edgecvar.predict.prediction import LayerTime, Prediction, StageTime


@dataclass(frozen=True)
class ShownLayer:
    """One layer of an engine with what was predicted of it, or one that was only predicted, where `ms` is None.

    `predicted_ms` is the sum of all predicted layers that it holds; multiply-adds and bytes are theirs.
    """

    name: str
    kind: str
    precision: str
    tactic: str
    ms: Optional[float]
    predicted_ms: Optional[float]
    bound: str
    multiply_adds: int
    bytes: int

    @property
    def time(self) -> float:
        """Measured, or else predicted."""
        return self.ms if self.ms is not None else self.predicted_ms or 0.0


@dataclass(frozen=True)
class StageLayers:
    """The layers of a stage, slowest first; `complaint` says why none were measured, `missed` how many of those that
    were predicted no measured layer holds."""

    stage: str
    layers: Sequence[ShownLayer]
    measured: bool
    runs: int = 0
    complaint: str = ""
    missed: int = 0


def stage_layers(observed: Sequence[ObservedStage], prediction: Optional[Prediction]) -> List[StageLayers]:
    """Of each stage that has any, or says why it has none."""
    predicted = {} if prediction is None else {each.stage: each for each in prediction.stages}
    found = [_joined(each, predicted.pop(each.stage, None)) for each in observed]
    found += [_predicted_alone(each) for each in predicted.values()]
    return [each for each in found if each.layers or each.complaint]


def _joined(observed: ObservedStage, predicted: Optional[StageTime]) -> StageLayers:
    if predicted is not None and not observed.layers:
        alone = _predicted_alone(predicted)
        return StageLayers(alone.stage, alone.layers, False, complaint=observed.complaint)
    holders: Dict[str, int] = {}
    for place, layer in enumerate(observed.layers):
        for node in layer.nodes or [layer.name]:
            holders.setdefault(node, place)
    held: Dict[int, List[LayerTime]] = {}
    missed = 0
    for each in predicted.layers if predicted is not None else ():
        places = [holders[node] for node in each.nodes or [each.name] if node in holders]
        if places:
            held.setdefault(max(set(places), key=places.count), []).append(each)
        else:
            missed += 1
    layers = [_shown(layer, held.get(place, [])) for place, layer in enumerate(observed.layers)]
    return StageLayers(observed.stage, _slowest(layers), bool(layers), observed.runs, observed.complaint, missed)


def _shown(layer: ObservedLayer, held: Sequence[LayerTime]) -> ShownLayer:
    lead = max(held, key=lambda each: each.ms, default=None)
    return ShownLayer(
        name=layer.name,
        kind=lead.kind if lead is not None else layer.kind,
        precision=layer.precision or (lead.precision if lead is not None else ""),
        tactic=layer.tactic,
        ms=layer.ms,
        predicted_ms=sum(each.ms for each in held) if held else None,
        bound=lead.bound if lead is not None else "",
        multiply_adds=sum(each.multiply_adds for each in held),
        bytes=sum(each.bytes for each in held),
    )


def _predicted_alone(stage: StageTime) -> StageLayers:
    layers = [
        ShownLayer(each.name, each.kind, each.precision, "", None, each.ms, each.bound, each.multiply_adds, each.bytes)
        for each in stage.layers
    ]
    return StageLayers(stage.stage, _slowest(layers), False)


def _slowest(layers: Sequence[ShownLayer]) -> List[ShownLayer]:
    return sorted(layers, key=lambda layer: -layer.time)

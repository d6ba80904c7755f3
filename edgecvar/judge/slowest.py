"""The slowest layers of a runner that is verified, timed on what the reference's stages were fed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

from edgecvar.errors import EdgecvarError
from edgecvar.judge.parity import Recording
from edgecvar.runners.layer_times import EngineLayer, LayerClock

RUNS = 10
MOST = 8


@dataclass(frozen=True)
class SlowLayer:
    """A layer and the stage that it belongs to."""

    stage: str
    layer: EngineLayer


def slowest_layers(runner: object, reference: Recording) -> List[SlowLayer]:
    """Of all stages, slowest first; none of a stage that cannot be timed, nor of a runner that times no layers."""
    if not isinstance(runner, LayerClock):
        return []
    found: List[SlowLayer] = []
    for stage, samples in reference.inputs.items():
        try:
            timed = runner.layer_times(stage, samples[0], RUNS)
        except EdgecvarError:
            continue
        found += [SlowLayer(stage, layer) for layer in timed.layers]
    return sorted(found, key=lambda each: -each.layer.ms)[:MOST]

"""The layers of a measured bundle's stages, timed by the runner after the run on inputs that the run had."""

from __future__ import annotations

from statistics import median
from typing import Any, List, Mapping, Sequence

from edgecvar.bench.observed import ObservedLayer, ObservedStage
from edgecvar.bench.session import Phase
from edgecvar.errors import EdgecvarError
from edgecvar.runners.layer_times import LayerClock
from edgecvar.terminal import printable

SECONDS = 1.0
"""That the layers of a stage are timed for, about."""
LEAST, MOST = 3, 50
"""Runs of it."""


def observed_layers(
    runner: object, inputs: Mapping[str, Mapping[str, Any]], alone: Sequence[Phase]
) -> List[ObservedStage]:
    """Of each stage that has `inputs`; `alone`: its calls with nothing else going on, which tell how often it fits.

    A stage that cannot be timed has a complaint; a runner that times no layers gives nothing.
    """
    if not isinstance(runner, LayerClock):
        return []
    observed = []
    for stage, given in inputs.items():
        spans = [ms for phase in alone for ms in phase.spans_ms.get(f"stage:{stage}", [])]
        runs = min(MOST, max(LEAST, int(SECONDS * 1e3 / max(median(spans), 1e-3)) if spans else LEAST))
        try:
            timed = runner.layer_times(stage, given, runs)
        except EdgecvarError as error:
            observed.append(ObservedStage(stage=stage, complaint=printable(str(error))))
            continue
        layers = [
            ObservedLayer(
                name=printable(each.name),
                kind=printable(each.kind),
                precision=each.precision,
                tactic=each.tactic,
                nodes=[printable(node) for node in each.nodes],
                ms=each.ms,
            )
            for each in timed.layers
        ]
        observed.append(
            ObservedStage(stage=stage, runs=timed.runs, layers=layers, complaint=printable(timed.complaint))
        )
    return observed

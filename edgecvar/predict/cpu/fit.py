"""From what was measured to a machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, List, Sequence

from edgecvar.predict.cpu.machine import Machine, Sample, sizes_of
from edgecvar.predict.cpu.micro import Measured

LEAST = 0.05
"""Microseconds: what a kernel takes at least, whatever the noise says."""


@dataclass(frozen=True)
class Circumstances:
    """What no trial tells: whose machine it is, bytes of weights that stay near, microseconds of calls."""

    processor: str
    threads: int
    onnxruntime: str
    kept: int
    overhead: float
    tensor: float


def fit_machine(measured: Sequence[Measured], around: Circumstances) -> Machine:
    """The machine whose routines took what was measured."""
    by_compute = [each for each in measured if each.trial.layer.multiply_adds > 1e6]
    float_ = [_gops(each) for each in by_compute if each.trial.layer.precision == "fp32"]
    int8 = [_gops(each) for each in by_compute if each.trial.layer.precision == "int8"]
    views = sorted(1e6 * each.near for each in measured if each.trial.routine == "view")
    large = [each for each in measured if each.trial.routine in ("relu", "binary") and each.trial.layer.moved > 1 << 18]
    away = [each for each in measured if each.far and each.trial.layer.weights > 1 << 20]
    machine = Machine(
        **asdict(around),
        gops=max(float_, default=1.0),
        gops_int8=max(int8, default=max(float_, default=1.0)),
        gb_per_s=max((1e-9 * each.trial.layer.moved / max(each.near, 1e-7) for each in large), default=10.0),
        gb_per_s_far=max((1e-9 * each.trial.layer.weights / (each.far or 1) for each in away), default=10.0),
        floor=max(views[len(views) // 4], LEAST) if views else LEAST,
        routines={},
    )
    routines: Dict[str, List[Sample]] = {}
    for each in measured:
        near = max(each.near * 1e6, LEAST)
        sample = Sample(
            sizes=sizes_of(each.trial.layer),
            ideal=machine.ideal(each.trial.layer),
            near=near,
            far=None if each.far is None else max(each.far * 1e6, near),
        )
        routines.setdefault(each.trial.routine, []).append(sample)
    fitted = machine.model_copy(update={"routines": routines})
    return fitted.model_copy(update={"spread": fitted.residuals()})


def _gops(each: Measured) -> float:
    return 2e-9 * each.trial.layer.multiply_adds / max(each.near, 1e-7)

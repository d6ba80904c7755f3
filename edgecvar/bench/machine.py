"""The model of this machine held against it: stage calls alone, measured in turn, beside what was predicted."""

from __future__ import annotations

from statistics import median
from typing import Any, Dict, List, Literal, Sequence, Tuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.predict.cpu.machine import Machine
from edgecvar.predict.cpu.micro import Reference, clock_of
from edgecvar.predict.cpu.reckon import predict_stage_cpu
from edgecvar.progress import Progress, silent
from edgecvar.runners.onnx import OnnxRunner

JUDGED: Tuple[Precision, ...] = ("fp32", "int8")
BURST_SECONDS, MOST_CALLS = 0.05, 50
"""What a round spends on a stage, and calls at most."""


class JudgedStage(BaseModel):
    """Milliseconds of one call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    predicted_ms: float
    measured_ms: float


class JudgedBundle(BaseModel):
    """A bundle at a precision: one call of each stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: str
    model: str
    width: int
    height: int
    precision: Precision
    stages: List[JudgedStage]

    @property
    def predicted_ms(self) -> float:
        return sum(each.predicted_ms for each in self.stages)

    @property
    def measured_ms(self) -> float:
        return sum(each.measured_ms for each in self.stages)

    @property
    def error(self) -> float:
        """Of the prediction, as a share of what was measured."""
        return self.predicted_ms / self.measured_ms - 1


class MachineReport(BaseModel):
    """A machine and, where bundles were named, how well it predicts them.

    `reference_ms`: of the same small chain before each bundle, as quick as the machine was then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    machine: Machine
    judged: List[JudgedBundle] = Field(default_factory=list)
    reference_ms: List[float] = Field(default_factory=list)

    def errors(self) -> Dict[str, Dict[str, float]]:
        """By precision and over all: the median and the largest error, without their signs."""
        found: Dict[str, Dict[str, float]] = {}
        for name in (*JUDGED, "all"):
            errors = [abs(each.error) for each in self.judged if name in ("all", each.precision)]
            if errors:
                found[name] = {"median": median(errors), "worst": max(errors), "bundles": len(errors)}
        return found


def judge_machine(
    machine: Machine, bundles: Sequence[Bundle], rounds: int = 5, progress: Progress = silent
) -> MachineReport:
    """Predicts and measures every bundle in fp32 and int8, as far as it has them; raises BundleError."""
    judged: List[JudgedBundle] = []
    reference: List[float] = []
    chain = Reference(machine.threads)
    pairs = [(bundle, each) for bundle in bundles for each in JUDGED if each in bundle.precisions]
    for done, (bundle, precision) in enumerate(pairs):
        progress(done, len(pairs), f"measuring {bundle.name} {precision}")
        reference.append(1e3 * chain.seconds())
        judged.append(_judged(machine, bundle, precision, rounds))
    return MachineReport(machine=machine, judged=judged, reference_ms=reference)


def _judged(machine: Machine, bundle: Bundle, precision: Precision, rounds: int) -> JudgedBundle:
    stages = bundle.manifest.stages
    predicted = {
        stage.name: sum(
            each.ms
            for each in predict_stage_cpu(bundle.stage_file(stage.name, precision).read_bytes(), precision, machine)
        )
        for stage in stages
    }
    measured: Dict[str, List[float]] = {stage.name: [] for stage in stages}
    random = np.random.default_rng(1)
    with OnnxRunner(bundle, precision, machine.threads) as runner:
        for _ in range(rounds):
            for stage in stages:
                inputs = {
                    name: random.normal(0, 1, (1, *shape)).astype(np.float32) for name, shape in stage.takes.items()
                }
                measured[stage.name].append(_call_ms(runner, stage.name, inputs, machine.threads))
    spec = bundle.manifest.input
    return JudgedBundle(
        bundle=bundle.name,
        model=bundle.manifest.provenance.model,
        width=spec.width,
        height=spec.height,
        precision=precision,
        stages=[
            JudgedStage(stage=name, predicted_ms=predicted[name], measured_ms=median(each))
            for name, each in measured.items()
        ],
    )


def _call_ms(runner: OnnxRunner, stage: str, inputs: Dict[str, Any], threads: int) -> float:
    """The lower quartile of a round's calls, after one that does not count."""
    clock = clock_of(threads)
    runner.launch(stage, inputs)
    taken: List[float] = []
    while len(taken) < 3 or (sum(taken) < BURST_SECONDS and len(taken) < MOST_CALLS):
        begun = clock()
        runner.launch(stage, inputs)
        taken.append(clock() - begun)
    return 1e3 * sorted(taken)[len(taken) // 4]

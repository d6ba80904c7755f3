"""Plan to bundle: every stage in every precision, each compared with torch, then the folder appears."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Mapping, Optional

import onnx

from edgecvar.bundle.manifest import Bundle, open_bundle, write_manifest
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import clip_segments
from edgecvar.clips.samples import spread
from edgecvar.compile.draft import Draft
from edgecvar.compile.engines import build_engines_here
from edgecvar.compile.exits import find_exits
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.int8.data import Int8Data, read_int8_data
from edgecvar.compile.int8.predicted import PredictedClock
from edgecvar.compile.int8.search import Aim, make_int8
from edgecvar.compile.int8.typed import strongly_typed
from edgecvar.compile.onnx.export import export_stage
from edgecvar.compile.onnx.full_layers import full_layers
from edgecvar.compile.onnx.graph import element_types
from edgecvar.compile.onnx.half import to_half
from edgecvar.compile.onnx.magnitudes import largest_magnitudes
from edgecvar.compile.parity import StageCheck, check_stage, record_stages
from edgecvar.compile.plan import CompilePlan
from edgecvar.compile.provenance import describe_origin
from edgecvar.compile.subject import settle_norms
from edgecvar.errors import CompileError
from edgecvar.files import whole_folder
from edgecvar.judge.parity import Recording, record
from edgecvar.nets.network import Network
from edgecvar.predict.calibration import corrected
from edgecvar.predict.fitted import fitted_model
from edgecvar.progress import Progress, silent

MEASURED_SAMPLES = 32
"""Samples on which tensors are looked at for how large they get, where int8 has read so many."""

Magnitudes = Dict[str, Dict[str, float]]
"""By stage and tensor, the largest absolute value on real inputs."""


@dataclass(frozen=True)
class CompiledStage:
    """One finished stage in one precision: its file's size and how far it is from torch.

    `strongly_typed`: the second int8 file, for TensorRT 11.
    """

    precision: Precision
    check: StageCheck
    size_bytes: int
    strongly_typed: bool = False


@dataclass(frozen=True)
class Compiled:
    """A finished bundle, opened again from disk; the clips that it was checked with; its stages.

    `left_out`: see CompilePlan.
    """

    bundle: Bundle
    clips: List[Path]
    stages: List[CompiledStage]
    left_out: Optional[str] = None

    def size_bytes(self, precision: Precision) -> int:
        """Of all stages in one precision, without those for TensorRT 11 alone."""
        return sum(each.size_bytes for each in self.stages if each.precision == precision and not each.strongly_typed)


def compile_bundle(plan: CompilePlan, progress: Progress = silent) -> Compiled:
    """Write the bundle of `plan`; on any failure nothing is left and what was there stays.

    Raises CompileError where a clip cannot be read, and when a stage cannot be exported or differs from torch.
    """
    subject = plan.subject
    progress(0, 0, "read real inputs")
    inputs = read_inputs(plan.clips, subject)
    data = None if plan.int8 is None else read_int8_data(plan.int8, subject)
    if subject.untrained:
        settle_norms(subject.network, inputs.batch(clip_segments(subject.stages)))
    with whole_folder(plan.target) as folder:
        progress(0, 0, "run torch")
        reference = record_stages(subject.network, inputs)
        draft = Draft(folder, subject, describe_origin(subject))
        _export(draft, subject.network, progress)
        draft.checks["fp32"] = _compare(draft, "fp32", reference, progress, plan.batch)
        draft.exits = find_exits(plan.exits, draft, progress)
        largest: Magnitudes = {}
        if len(plan.precisions) > 1:
            largest = _magnitudes(draft, reference if data is None else _measured(draft, data), progress)
        if "fp16" in plan.precisions:
            _halve(draft, largest, plan.keep_fp32, progress)
            draft.checks["fp16"] = _compare(draft, "fp16", reference, progress, plan.batch)
        if data is not None:
            _quantise(draft, data, largest, plan.keep_fp32, progress)
            draft.checks["int8"] = _compare(draft, "int8", reference, progress, plan.batch)
            draft.typed = _compare(draft, "int8", reference, progress, plan.batch, typed=True)
        write_manifest(folder, draft.manifest)
    bundle = open_bundle(plan.target)
    build_engines_here(plan.engines, bundle, subject.network, reference, progress)
    forms = [(precision, False, checks) for precision, checks in draft.checks.items()]
    stages = [
        CompiledStage(precision, check, bundle.stage_file(check.stage, precision, typed).stat().st_size, typed)
        for precision, typed, checks in [*forms, ("int8", True, draft.typed)]
        for check in checks
    ]
    return Compiled(bundle, inputs.clips, stages, plan.left_out)


def _export(draft: Draft, network: Network, progress: Progress) -> None:
    """The stages in fp32, of which the others are made."""
    for spec in draft.stages:
        progress(0, 0, f"export {spec.name}")
        export_stage(network.stage(spec.name), spec, draft.file(spec.name, "fp32"))


def _magnitudes(draft: Draft, measured: Recording, progress: Progress) -> Magnitudes:
    """How large tensors get on real inputs."""
    progress(0, 0, "see how large tensors get")
    return {
        spec.name: largest_magnitudes(draft.file(spec.name, "fp32"), spec.name, measured.inputs[spec.name])
        for spec in draft.stages
    }


def _halve(draft: Draft, largest: Magnitudes, keep: Mapping[str, FrozenSet[str]], progress: Progress) -> None:
    """The stages in fp16; `keep`: as CompilePlan's."""
    for spec in draft.stages:
        progress(0, 0, f"convert {spec.name} to fp16")
        model = onnx.load(str(draft.file(spec.name, "fp32")))
        with _of_stage(spec.name):
            half = to_half(model, largest[spec.name], keep.get(spec.name, frozenset()))
        draft.save(half, spec.name, "fp16")


@contextmanager
def _of_stage(name: str) -> Iterator[None]:
    """A CompileError of the block names the stage."""
    try:
        yield
    except CompileError as error:
        raise CompileError(f"stage {name}: {error}") from error


def _measured(draft: Draft, data: Int8Data) -> Recording:
    """From as many clips as there are: others than those that check may have larger tensors."""
    with draft.runner("fp32") as runner:
        return record(runner, draft.stages, spread(data.calibration, MEASURED_SAMPLES))


def _quantise(
    draft: Draft, data: Int8Data, largest: Magnitudes, keep: Mapping[str, FrozenSet[str]], progress: Progress
) -> None:
    """The stages in int8, for engines that are strongly typed too, and the record of how they were made."""
    files, beyond = {spec.name: draft.file(spec.name, "fp32") for spec in draft.stages}, {}
    for name, file in files.items():
        model = onnx.load(str(file))
        with _of_stage(name):
            beyond[name] = full_layers(model, element_types(model), largest[name], keep.get(name, frozenset()))
    clock = None
    if data.fastest_on is not None:
        fitted, _ = corrected(fitted_model(), data.fastest_on)
        clock = PredictedClock(data.fastest_on, fitted, draft.stages, files, draft.input)
    aim = Aim(data.max_drop, clock)
    stages = make_int8(draft.stages, files, data.calibration, data.search, aim, progress, beyond)
    draft.int8 = data.record(stages)
    for name, model in stages.models.items():
        draft.save(model, name, "int8")
        with _of_stage(name):
            typed = strongly_typed(stages.full[name], largest[name], keep.get(name, frozenset()))
        draft.save(typed, name, "int8", strongly_typed=True)


def _compare(
    draft: Draft, precision: Precision, reference: Recording, progress: Progress, batch: int, typed: bool = False
) -> List[StageCheck]:
    """Every stage of one precision beside torch's; raises CompileError."""
    checks: List[StageCheck] = []
    with draft.runner(precision, typed) as runner:
        for spec in draft.stages:
            progress(0, 0, f"compare {spec.name} in {precision}")
            checks.append(check_stage(spec, reference, runner, precision, batch))
    return checks

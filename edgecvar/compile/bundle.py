"""Checkpoint to bundle: every stage in every precision, each compared with torch, then the folder appears."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import onnx

from edgecvar.bundle.devices import find_device, require_precision
from edgecvar.bundle.manifest import MANIFEST, SUFFIX, Bundle, Manifest, StageFile, open_bundle, write_manifest
from edgecvar.bundle.precision import PRECISIONS, Int8Record, Precision
from edgecvar.bundle.stages import StageSpec, clip_segments
from edgecvar.clips.samples import Sample, spread
from edgecvar.compile.engines import build_engines_here, check_engines_possible
from edgecvar.compile.inputs import RealInputs, read_inputs
from edgecvar.compile.int8.data import Int8Data, read_int8_data, why_no_int8
from edgecvar.compile.int8.search import Int8Stages, Progress, make_int8
from edgecvar.compile.onnx.export import export_stage
from edgecvar.compile.onnx.half import to_half
from edgecvar.compile.onnx.magnitudes import largest_magnitudes
from edgecvar.compile.parity import StageCheck, check_stage, record_stages
from edgecvar.compile.provenance import describe_origin
from edgecvar.compile.subject import CompileConfig, Subject, find_subject, settle_norms
from edgecvar.errors import CompileError
from edgecvar.files import whole_folder
from edgecvar.judge.parity import Recording, record
from edgecvar.runners.onnx import OnnxRunner

MEASURED_SAMPLES = 32


@dataclass(frozen=True)
class CompiledStage:
    """One finished stage in one precision: its file's size and how far it is from torch."""

    precision: Precision
    check: StageCheck
    size_bytes: int


@dataclass(frozen=True)
class Compiled:
    """A finished bundle, opened again from disk; the clips that it was checked with; its stages.

    `left_out`: why int8 was not made although the device has it and nobody refused it.
    """

    bundle: Bundle
    clips: List[Path]
    stages: List[CompiledStage]
    left_out: Optional[str] = None

    def size_bytes(self, precision: Precision) -> int:
        """Of all stages in one precision."""
        return sum(stage.size_bytes for stage in self.stages if stage.precision == precision)


def compile_bundle(config: CompileConfig, progress: Progress = lambda done, total, what: None) -> Compiled:
    """Write the bundle that `config` asks for; on any failure nothing is left and what was there stays.

    Raises ConfigError for a wrong request and CompileError when a stage cannot be exported or differs from torch.
    """
    subject = find_subject(config)
    precisions, left_out = choose_precisions(config, subject)
    on_device = check_engines_possible(config, precisions)
    target = bundle_path(config, subject.model)
    progress(0, 0, "read real inputs")
    inputs = read_inputs(config, subject)
    data = read_int8_data(config, subject) if "int8" in precisions else None
    if subject.untrained:
        settle_norms(subject.network, inputs.batch(clip_segments(subject.network.stages())))
    with whole_folder(target) as draft:
        making = _Making(subject, inputs, draft, progress)
        for precision in precisions:
            making.make(precision, data, config.max_drop)
        write_manifest(draft, making.manifest)
    bundle = open_bundle(target)
    build_engines_here(config, bundle, subject.network, making.recorded, on_device, progress)
    stages = [
        CompiledStage(precision, check, bundle.stage_file(check.stage, precision).stat().st_size)
        for precision, checks in making.checks.items()
        for check in checks
    ]
    return Compiled(bundle, inputs.clips, stages, left_out)


def choose_precisions(config: CompileConfig, subject: Subject) -> Tuple[List[Precision], Optional[str]]:
    """What to make, and why int8 is left out where nobody asked for it by name; raises ConfigError."""
    device = None if config.device is None else find_device(config.device)
    for precision in config.precision or ():
        if device is not None:
            require_precision(device, precision)
    if config.precision is not None:
        wanted = {"fp32", *config.precision}
        return [precision for precision in PRECISIONS if precision in wanted], None
    offered = PRECISIONS if device is None else device.precisions
    reason = why_no_int8(config, subject) if "int8" in offered else None
    return [each for each in offered if each != "int8" or reason is None], reason


def bundle_path(config: CompileConfig, model: str) -> Path:
    """Where the bundle goes; raises CompileError where something else would be overwritten."""
    target = config.output or Path(f"{model}{SUFFIX}")
    if target.suffix != SUFFIX:
        raise CompileError(f"{target}: a bundle's folder ends in {SUFFIX}; for example {target.name}{SUFFIX}")
    if target.exists() and not (target / MANIFEST).is_file():
        raise CompileError(f"{target}: exists and is no bundle, so it is left alone; name another output")
    return target


class _Making:
    """A bundle on its way: the stages of each precision are written, then compared with torch."""

    def __init__(self, subject: Subject, inputs: RealInputs, draft: Path, progress: Progress) -> None:
        self._subject = subject
        self._draft = draft
        self._progress = progress
        self._specs: Sequence[StageSpec] = subject.network.stages()
        self._int8: Optional[Int8Record] = None
        self._origin = describe_origin(subject)
        self.checks: Dict[Precision, List[StageCheck]] = {}
        progress(0, 0, "run torch")
        self.recorded: Recording = record_stages(subject.network, inputs)
        (draft / "onnx").mkdir()

    def make(self, precision: Precision, data: Optional[Int8Data], max_drop: Optional[float]) -> None:
        """Write and compare all stages in one precision; fp32 comes first, the others are made of it."""
        if precision == "fp32":
            for spec in self._specs:
                self._progress(0, 0, f"export {spec.name}")
                export_stage(self._subject.network.stage(spec.name), spec, self._file(spec.name, precision))
        elif precision == "fp16":
            measured = self._measured(data)
            for spec in self._specs:
                self._progress(0, 0, f"convert {spec.name} to fp16")
                self._save(_half(self._file(spec.name, "fp32"), spec.name, measured), spec.name, precision)
        else:
            assert data is not None
            files = {spec.name: self._file(spec.name, "fp32") for spec in self._specs}
            made = make_int8(self._specs, files, data.calibration, data.search, max_drop, self._progress)
            self._int8 = _record(made, data, max_drop)
            for stage, model in made.models.items():
                self._save(model, stage, precision)
        self._compare(precision)

    @property
    def manifest(self) -> Manifest:
        return self._manifest(self.checks)

    def _measured(self, data: Optional[Int8Data]) -> Recording:
        """Inputs of the stages from as many clips as there are, to see how large tensors get."""
        if data is None:
            return self.recorded
        checks: Dict[Precision, List[StageCheck]] = {"fp32": self.checks["fp32"]}
        with OnnxRunner(Bundle(self._draft, self._manifest(checks))) as runner:
            return record(runner, self._specs, spread(data.calibration, MEASURED_SAMPLES))

    def _compare(self, precision: Precision) -> None:
        pending = [StageCheck(spec.name, math.inf, 0.0, 0) for spec in self._specs]
        checks: List[StageCheck] = []
        with OnnxRunner(Bundle(self._draft, self._manifest({precision: pending})), precision) as runner:
            for spec in self._specs:
                self._progress(0, 0, f"compare {spec.name} in {precision}")
                checks.append(check_stage(spec, self.recorded, runner, precision))
        self.checks[precision] = checks

    def _manifest(self, checks: Dict[Precision, List[StageCheck]]) -> Manifest:
        return Manifest(
            labels=self._subject.labels,
            input=self._subject.input,
            stages=list(self._specs),
            files=[
                StageFile(
                    stage=check.stage,
                    precision=precision,
                    path=_name(check.stage, precision),
                    max_difference=check.max_difference,
                )
                for precision, of_precision in checks.items()
                for check in of_precision
            ],
            provenance=self._origin,
            int8=self._int8,
        )

    def _file(self, stage: str, precision: Precision) -> Path:
        return self._draft / _name(stage, precision)

    def _save(self, model: onnx.ModelProto, stage: str, precision: Precision) -> None:
        onnx.save(model, str(self._file(stage, precision)))


def _half(file: Path, stage: str, recorded: Recording) -> onnx.ModelProto:
    try:
        return to_half(onnx.load(str(file)), largest_magnitudes(file, stage, recorded.inputs[stage]))
    except CompileError as error:
        raise CompileError(f"stage {stage}: {error}") from error


def _record(made: Int8Stages, data: Int8Data, max_drop: Optional[float]) -> Int8Record:
    return Int8Record(
        data=data.name,
        clips=[clip.name for clip in data.clips],
        samples=len(data.calibration),
        inputs_sha256=hash_samples([*data.calibration, *data.search]),
        method=made.method,
        losses=made.losses,
        max_drop=max_drop,
        drop=made.drop,
        searched=made.searched,
        kept=made.kept,
    )


def hash_samples(samples: Sequence[Sample]) -> str:
    """sha256 of prepared inputs, in order."""
    digest = hashlib.sha256()
    for sample, neighbour in samples:
        arrays = [sample.current.image, neighbour.image, *(sample.inputs[name] for name in sorted(sample.inputs))]
        for array in arrays:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _name(stage: str, precision: Precision) -> str:
    return f"onnx/{stage}.{precision}.onnx"

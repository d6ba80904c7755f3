"""Checkpoint to bundle: export every stage, compare each with torch, then let the folder appear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Literal

from edgecvar.bundle.manifest import (
    MANIFEST,
    SUFFIX,
    Bundle,
    Manifest,
    StageFile,
    open_bundle,
    write_manifest,
    writing_folder,
)
from edgecvar.compile.export import export_stage
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.parity import StageCheck, check_stage, record_stages
from edgecvar.compile.provenance import describe_origin
from edgecvar.compile.subject import CompileConfig, Subject, find_subject, settle_norms
from edgecvar.errors import CompileError
from edgecvar.run.onnx_runner import OnnxRunner

PRECISION: Literal["fp32"] = "fp32"


@dataclass(frozen=True)
class CompiledStage:
    """One finished stage: its file's size and how far it is from torch."""

    check: StageCheck
    size_bytes: int


@dataclass(frozen=True)
class Compiled:
    """A finished bundle, opened again from disk; the clips that it was checked with; its stages."""

    bundle: Bundle
    clips: List[Path]
    stages: List[CompiledStage]


Step = Callable[[str], None]
"""Told what is being done, such as "export motion"."""


def compile_bundle(config: CompileConfig, step: Step = lambda what: None) -> Compiled:
    """Write the bundle that `config` asks for; on any failure nothing is left and what was there stays.

    Raises ConfigError for a wrong request and CompileError when a stage cannot be exported or differs from torch.
    """
    subject = find_subject(config)
    target = bundle_path(config, subject.model)
    step("read real inputs")
    inputs = read_inputs(config, subject)
    if subject.untrained:
        settle_norms(subject.network, inputs.batch())
    manifest = _manifest(subject)
    specs = manifest.stages
    with writing_folder(target) as draft:
        (draft / "onnx").mkdir()
        for spec in specs:
            step(f"export {spec.name}")
            export_stage(subject.network.stage(spec.name), spec, draft / _file(spec.name))
        step("run torch")
        recorded = record_stages(subject.network, inputs)
        checks: List[StageCheck] = []
        with OnnxRunner(Bundle(draft, manifest), PRECISION) as runner:
            for spec in specs:
                step(f"compare {spec.name}")
                checks.append(check_stage(spec, recorded, runner))
        write_manifest(draft, manifest.model_copy(update={"files": _files(checks)}))
    bundle = open_bundle(target)
    sizes = [bundle.stage_file(check.stage, PRECISION).stat().st_size for check in checks]
    return Compiled(bundle, inputs.clips, [CompiledStage(*pair) for pair in zip(checks, sizes)])


def bundle_path(config: CompileConfig, model: str) -> Path:
    """Where the bundle goes; raises CompileError where something else would be overwritten."""
    target = config.output or Path(f"{model}{SUFFIX}")
    if target.suffix != SUFFIX:
        raise CompileError(f"{target}: a bundle's folder ends in {SUFFIX}; for example {target.name}{SUFFIX}")
    if target.exists() and not (target / MANIFEST).is_file():
        raise CompileError(f"{target}: exists and is no bundle, so it is left alone; name another output")
    return target


def _manifest(subject: Subject) -> Manifest:
    """The manifest of a bundle whose stages are still to be compared."""
    stages = subject.network.stages()
    pending = [StageCheck(spec.name, math.inf, 0.0, 0) for spec in stages]
    return Manifest(
        labels=subject.labels,
        input=subject.input,
        stages=stages,
        files=_files(pending),
        provenance=describe_origin(subject),
    )


def _files(checks: List[StageCheck]) -> List[StageFile]:
    return [
        StageFile(
            stage=check.stage,
            precision=PRECISION,
            path=_file(check.stage),
            max_difference=check.max_difference,
        )
        for check in checks
    ]


def _file(stage: str) -> str:
    return f"onnx/{stage}.{PRECISION}.onnx"

"""What a compilation comes to: every choice made and every clip named, before a picture is read or a file written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import AbstractSet, Dict, FrozenSet, List, Optional, Sequence, Tuple

from edgecvar.bundle.devices import Device, find_device, require_precision
from edgecvar.bundle.exits import exits_of
from edgecvar.bundle.manifest import MANIFEST, SUFFIX
from edgecvar.bundle.precision import PRECISIONS, Precision
from edgecvar.clips.samples import spread
from edgecvar.compile.clips import choose_clips, validating_clips
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.engines import choose_engines
from edgecvar.compile.exits import ExitPlan
from edgecvar.compile.inputs import SAMPLES
from edgecvar.compile.subject import Subject, find_subject
from edgecvar.errors import CompileError, ConfigError, unknown_name
from edgecvar.files import check_writable
from edgecvar.judge.evaluate import find_clips
from edgecvar.predict.hardware import gpu_of
from edgecvar.runners.choice import RunnerChoice

CHECKING_CLIPS = 3
CALIBRATING_CLIPS = 64
EXIT_CLIPS = 512


@dataclass(frozen=True)
class Int8Plan:
    """The clips that give int8 its ranges, and those that judge it; `name` is what the user called the data.

    `search_samples`: pictures of the latter that judge. `max_drop`, `fastest_on`: see CompileConfig.
    """

    name: str
    calibrate: List[Path]
    judge: List[Path]
    search_samples: int
    max_drop: Optional[float]
    fastest_on: Optional[Device] = None


@dataclass(frozen=True)
class CompilePlan:
    """A compilation, all of it decided.

    `precisions`: what is written, fp32 first. `left_out`: why int8 is not, where the device has it and nobody refused
    it. `clips`: they check every stage. `int8`: None where it is not written. `target`: the bundle's folder.
    `engines`: those that TensorRT builds here. `keep_fp32`: by stage, the names of layers that fp16 keeps in fp32.
    `batch`: samples that stages are compared with at once. `exits`: how early exits are set, where there are some.
    """

    subject: Subject
    precisions: List[Precision]
    left_out: Optional[str]
    clips: List[Path]
    int8: Optional[Int8Plan]
    target: Path
    engines: Dict[Precision, RunnerChoice]
    keep_fp32: Dict[str, FrozenSet[str]] = field(default_factory=dict)
    batch: int = SAMPLES
    exits: ExitPlan = field(default_factory=ExitPlan)


def plan_compilation(config: CompileConfig) -> CompilePlan:
    """Decide all that `config` leaves open; raises ConfigError, and CompileError where it cannot be done here."""
    subject = find_subject(config)
    clips = choose_clips(config.data, subject)
    device = None if config.device is None else find_device(config.device)
    precisions, left_out = _choose_precisions(config, device, clips.why_no_int8)
    fastest_on = _fastest_on(config.fastest_on, precisions, left_out)
    int8 = None
    if clips.halves is not None and "int8" in precisions:
        calibrate, judge = clips.halves
        int8 = Int8Plan(
            name=clips.name,
            calibrate=spread(calibrate, CALIBRATING_CLIPS),
            judge=spread(judge, max(CALIBRATING_CLIPS, config.search_samples)),
            search_samples=config.search_samples,
            max_drop=config.max_drop,
            fastest_on=fastest_on,
        )
    return CompilePlan(
        subject=subject,
        precisions=precisions,
        left_out=left_out,
        clips=spread(clips.check, CHECKING_CLIPS),
        int8=int8,
        target=_target(config.output, subject.model),
        engines=choose_engines(config, precisions),
        keep_fp32=_kept(config.keep_fp32, subject, precisions),
        batch=max(SAMPLES, config.max_batch),
        exits=_exits(config, subject),
    )


def _exits(config: CompileConfig, subject: Subject) -> ExitPlan:
    """How early exits are set; raises ConfigError where it is said and there are none, DatasetError for no clips."""
    if not exits_of(subject.stages):
        if config.exit_confidence is not None or config.exit_data is not None:
            raise ConfigError(
                f"--exit-confidence, --exit-data: this {subject.model} has no early exits; leave them out, or train it "
                "with network.exits=true (attp, coviar)"
            )
        return ExitPlan()
    if config.exit_confidence is not None:
        return ExitPlan(config.exit_confidence)
    if config.exit_data is not None:
        clips = find_clips(config.exit_data, subject.labels)
        return ExitPlan(None, str(config.exit_data), clips, config.exit_drop)
    return ExitPlan(None, str(subject.data), spread(validating_clips(subject), EXIT_CLIPS), config.exit_drop)


def _choose_precisions(
    config: CompileConfig, device: Optional[Device], why_no_int8: Optional[str]
) -> Tuple[List[Precision], Optional[str]]:
    """What to make, and why int8 is left out where nobody asked for it by name; raises ConfigError."""
    if config.precision is None:
        offered = PRECISIONS if device is None else device.precisions
        left_out = why_no_int8 if "int8" in offered else None
        return [each for each in offered if each != "int8" or left_out is None], left_out
    for precision in config.precision:
        if device is not None:
            require_precision(device, precision)
    if "int8" in config.precision and why_no_int8 is not None:
        raise ConfigError(f"int8: {why_no_int8}, or leave int8 out with --precision fp32,fp16")
    return [each for each in PRECISIONS if each in {"fp32", *config.precision}], None


def _fastest_on(name: Optional[str], precisions: Sequence[Precision], left_out: Optional[str]) -> Optional[Device]:
    """The device whose time is weighed; raises ConfigError where nothing is to be weighed, or nothing known of it."""
    if name is None:
        return None
    device = find_device(name)
    if "int8" not in device.precisions:
        raise ConfigError(
            f"--for {name}: {device.title} has no INT8 path in TensorRT, so it runs fp16; leave --for out"
        )
    gpu_of(device)
    if "int8" not in precisions:
        why = f" ({left_out})" if left_out else ""
        raise ConfigError(f"--for {name}: it chooses the layers of int8, and no int8 is made here{why}; leave it out")
    return device


def _kept(names: AbstractSet[str], subject: Subject, precisions: Sequence[Precision]) -> Dict[str, FrozenSet[str]]:
    """Layers by stage; raises ConfigError where there is no stage of a name, or none in fp16."""
    if names and "fp16" not in precisions:
        raise ConfigError(
            "--keep-fp32: for fp16 stages, and none are made here; leave it out, or name fp16 in --precision"
        )
    kept: Dict[str, FrozenSet[str]] = {}
    stages = [spec.name for spec in subject.stages]
    for name in names:
        stage, colon, layer = name.partition(":")
        if not colon or not layer:
            raise ConfigError(f"--keep-fp32 {name!r}: expected STAGE:LAYER, such as {stages[0]}:LAYER")
        if stage not in stages:
            raise unknown_name("stage", stage, stages, " in --keep-fp32")
        kept[stage] = kept.get(stage, frozenset()) | {layer}
    return kept


def _target(output: Optional[Path], model: str) -> Path:
    """Where the bundle goes; raises CompileError where something else would be overwritten."""
    target = output or Path(f"{model}{SUFFIX}")
    if target.suffix != SUFFIX:
        raise CompileError(f"{target}: a bundle's folder ends in {SUFFIX}; for example {target.name}{SUFFIX}")
    if target.exists() and not (target / MANIFEST).is_file():
        raise CompileError(f"{target}: exists and is no bundle, so it is left alone; name another output")
    check_writable(target.parent)
    return target

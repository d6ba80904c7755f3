"""Every runner and precision of a bundle beside a reference, on real prepared clips."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgecvar.bundle.default import default_clip
from edgecvar.bundle.devices import detect_device, find_device
from edgecvar.bundle.engines import Converter
from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import has_state, takes_frames
from edgecvar.clips.labelled import find_videos
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import read_samples, spread
from edgecvar.errors import ConfigError, EdgecvarError, need_extra, unknown_name
from edgecvar.files import sha256_of
from edgecvar.judge.comparison import TOLERANCES
from edgecvar.judge.layers import LayerFault, find_faults
from edgecvar.judge.parity import Recording, StageRun, WholeRun, compare_stage, compare_whole, record
from edgecvar.judge.slowest import SlowLayer, slowest_layers
from edgecvar.progress import Progress, silent
from edgecvar.runners.choice import (
    LARGEST_BATCH,
    Engine,
    RunnerChoice,
    engine_precisions,
    make_runner,
    missing_for_tensorrt,
    refuse_tensorrt_options,
    require_tensorrt,
)
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.runner import Runner

NAMES = ("torch", "onnx", "trt")
CHECKPOINTS = "*/*/*.pt"
"""Where training leaves checkpoints in its folder of runs."""

PER_CLIP = 8
"""Samples of one clip before another is taken: enough to reach its second window, few enough for many clips."""

TorchReference = Callable[[Path], Runner]
"""Makes the torch runner of a checkpoint whose hash has been compared."""


class VerifyConfig(BaseModel):
    """What to compare. `runners`: of NAMES, those that this machine has unless given. `data`: a clip or a folder.

    `checkpoint`: what the bundle was compiled from, looked for under `runs` unless given. `layers`: say where in
    a stage things go wrong. `max_batch`: of a stage, so many pictures go through as one. The rest: see RunnerChoice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runners: Optional[Tuple[str, ...]] = None
    data: Optional[Path] = None
    samples: int = Field(64, ge=1, le=100_000)
    checkpoint: Optional[Path] = None
    runs: Path = Path("runs")
    threads: Optional[int] = Field(None, ge=1, le=1024)
    device: Optional[str] = None
    dla: Optional[int] = Field(None, ge=0)
    converter: Converter = "onnx"
    layers: bool = False
    max_batch: Optional[int] = Field(None, ge=1, le=LARGEST_BATCH)

    @field_validator("runners", mode="before")
    @classmethod
    def _named(cls, value: Optional[str]) -> Optional[Tuple[str, ...]]:
        if value is None:
            return None
        names = tuple(name.strip() for name in value.split(","))
        for name in names:
            if name not in NAMES:
                raise unknown_name("runner", name, NAMES)
        return names

    def choice(self, engine: Engine, precision: Precision) -> RunnerChoice:
        shared = {"runner": engine, "precision": precision}
        if engine == "onnx":
            return RunnerChoice.model_validate({**shared, "threads": self.threads, "max_batch": self.max_batch})
        fields = {"device": self.device, "dla": self.dla, "converter": self.converter, "max_batch": self.max_batch}
        return RunnerChoice.model_validate({**shared, **fields})


@dataclass(frozen=True)
class RunnerResult:
    """One runner at one precision: its stages and its whole walks, and why there are no more of them.

    `layers`: of the stages that go wrong inside, where. `slowest`: layers of a device's engines.
    """

    runner: str
    precision: Precision
    stages: List[StageRun] = field(default_factory=list)
    whole: Optional[WholeRun] = None
    error: Optional[str] = None
    layers: List[LayerFault] = field(default_factory=list)
    slowest: List[SlowLayer] = field(default_factory=list)

    def failures(self, untrained: bool) -> List[str]:
        """What passes its tolerance, stage by stage; decisions of untrained weights mean nothing and cannot."""
        tolerance = TOLERANCES[self.precision]
        failures = [f"stage {run.stage}: {why}" for run in self.stages for why in run.comparison.exceeds(tolerance)]
        failures += [fault.text for fault in self.layers]
        if self.whole is not None:
            # A difference that stages have handed on is judged by what it does to the scores' direction.
            whole = self.whole.comparison.exceeds(replace(tolerance, relative=None))
            decided = [] if untrained else self.whole.decisions.exceeds(tolerance)
            failures += [f"end to end: {why}" for why in (*whole, *decided)]
        return failures if self.error is None else [*failures, self.error]


@dataclass(frozen=True)
class Verification:
    """What was compared with what. `notes`: what was left out, and why; `unreadable`: clips with their error."""

    bundle: Bundle
    reference: Recording
    clips: List[Path]
    samples: int
    unreadable: List[Tuple[Path, str]]
    results: List[RunnerResult]
    notes: List[str]

    @property
    def untrained(self) -> bool:
        return self.bundle.manifest.provenance.untrained

    @property
    def passed(self) -> Optional[bool]:
        """None where there was nothing to compare."""
        if not self.results:
            return None
        return not any(result.failures(self.untrained) for result in self.results)


@dataclass
class _Plan:
    """What will run, and what will not."""

    checkpoint: Optional[Path] = None
    choices: List[RunnerChoice] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)


def verify(bundle: Bundle, config: VerifyConfig, torch: TorchReference, progress: Progress = silent) -> Verification:
    """Compare; raises EdgecvarError where there is no reference or nothing to read, not where a runner fails."""
    plan = _plan(bundle, config)
    progress(0, 0, "reading samples")
    videos = find_videos([config.data]) if config.data is not None else [default_clip()]
    if config.data is None:
        plan.notes.append("compared on the clip that the package ships; clips of your own (--data) say more")
    clips = spread(videos, -(-config.samples // PER_CLIP))
    unreadable: List[Tuple[Path, str]] = []
    samples = read_samples(
        clips,
        bundle.manifest.input,
        config.samples,
        lambda clip, error: unreadable.append((clip, str(error))),
        frames=takes_frames(bundle.manifest.stages),
        remembering=has_state(bundle.manifest.stages),
    )
    if not samples:
        why = unreadable[0][1] if unreadable else f"{clips[0]}: no {bundle.manifest.input.kinds_named} picture"
        raise ConfigError(f"no sample in {len(clips)} clips ({why}); name others with --data")
    with ExitStack() as stack:
        reference = torch(plan.checkpoint) if plan.checkpoint is not None else _onnx_reference(bundle, config)
        runner = stack.enter_context(reference)
        progress(0, 0, f"{runner.name}: the reference")
        recording = record(runner, bundle.manifest.stages, samples)
    results = [_compare(bundle, choice, samples, recording, progress) for choice in plan.choices]
    if config.layers:
        progress(0, 0, "looking at layers")
        looked = zip(plan.choices, results)
        results = [_look_inside(bundle, choice, result, recording) for choice, result in looked]
    return Verification(bundle, recording, clips, len(samples), unreadable, results, plan.notes)


def find_checkpoint(bundle: Bundle, config: VerifyConfig) -> Path:
    """The checkpoint that the bundle was compiled from, by its hash and without reading it; raises ConfigError."""
    expected = bundle.manifest.provenance.checkpoint_sha256
    if expected is None:
        raise ConfigError(f"torch needs the checkpoint, and {bundle.path} was compiled from none (untrained weights)")
    if config.checkpoint is not None:
        if not config.checkpoint.is_file():
            raise ConfigError(f"--checkpoint {config.checkpoint}: no such file")
        got = sha256_of(config.checkpoint)
        if got != expected:
            raise ConfigError(
                f"--checkpoint {config.checkpoint}: not what the bundle was compiled from "
                f"(sha256 {got[:12]}, expected {expected[:12]})"
            )
        return config.checkpoint
    for file in sorted(config.runs.glob(CHECKPOINTS)):
        if sha256_of(file) == expected:
            return file
    raise ConfigError(
        f"torch needs the checkpoint (sha256 {expected[:12]}), and none under {config.runs} is it; name it with "
        "--checkpoint"
    )


def _plan(bundle: Bundle, config: VerifyConfig) -> _Plan:
    """Raises ConfigError where a runner that was asked for is not there; of those that were not, leaves a note."""
    plan = _Plan()
    named = config.runners or ()
    if "torch" in named or config.checkpoint is not None or config.runners is None:
        try:
            need_extra("train", "comparing with torch", "torch")
            plan.checkpoint = find_checkpoint(bundle, config)
        except ConfigError as error:
            if "torch" in named or config.checkpoint is not None:
                raise
            plan.notes.append(f"without torch: {error}")
    if config.runners is None or "onnx" in named:
        plan.choices += [
            config.choice("onnx", precision)
            for precision in bundle.precisions
            if precision != "fp32" or plan.checkpoint is not None
        ]
    if "trt" in named:
        require_tensorrt()
    missing = missing_for_tensorrt()
    if missing and config.runners is None:
        plan.notes.append(f"without TensorRT: {' and '.join(missing)} cannot be imported here")
    elif "trt" in named or config.runners is None:
        _plan_tensorrt(bundle, config, plan)
    if all(choice.runner != "trt" for choice in plan.choices):
        refuse_tensorrt_options(RunnerChoice(device=config.device, dla=config.dla, converter=config.converter))
    if not plan.choices:
        nothing = "nothing to compare: no other runner, and no other precision in this bundle"
        if config.runners is not None:
            raise ConfigError(f"--runners {','.join(config.runners)}: {nothing}")
        plan.notes.append(nothing)
    return plan


def _plan_tensorrt(bundle: Bundle, config: VerifyConfig, plan: _Plan) -> None:
    device = detect_device() if config.device is None else find_device(config.device)
    able = engine_precisions(bundle.precisions, config.dla, config.converter)
    for precision in bundle.precisions:
        if precision not in able:
            by = "torch2trt" if config.dla is None else "the DLA"
            plan.notes.append(f"without {precision} on TensorRT: {by} cannot")
        elif precision in device.precisions:
            plan.choices.append(config.choice("trt", precision))
        else:
            plan.notes.append(f"without {precision} on TensorRT: {device.title} has no path for it")


def _onnx_reference(bundle: Bundle, config: VerifyConfig) -> Runner:
    return OnnxRunner(bundle, "fp32", threads=config.threads)


def _look_inside(bundle: Bundle, choice: RunnerChoice, result: RunnerResult, reference: Recording) -> RunnerResult:
    """The result with the layers at which its stages go wrong."""
    try:
        return replace(result, layers=find_faults(bundle, choice, result.stages, reference))
    except EdgecvarError as error:
        return replace(result, error=str(error))


def _compare(
    bundle: Bundle, choice: RunnerChoice, samples: Sequence[SampledPicture], reference: Recording, progress: Progress
) -> RunnerResult:
    """Whatever a runner fails with is its result, so that the others are still compared."""
    precision = choice.precision or "fp32"
    stages, runs = bundle.manifest.stages, []
    name = f"{choice.runner}-{precision}"
    try:
        progress(0, 0, f"{name}: loading")
        with make_runner(bundle, choice) as runner:
            name = runner.name
            for spec in stages:
                progress(0, 0, f"{name}: {spec.name}")
                runs.append(compare_stage(spec.name, reference, runner, choice.max_batch or 1))
            progress(0, 0, f"{name}: end to end")
            whole = compare_whole(runner, stages, samples, reference, TOLERANCES[precision].tie)
            slow = slowest_layers(runner, reference) if choice.runner == "trt" else []
    except EdgecvarError as error:
        return RunnerResult(name, precision, runs, error=str(error))
    return RunnerResult(name, precision, runs, whole, slowest=slow)

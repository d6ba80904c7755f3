"""A bundle's stages to TensorRT engines, kept in the bundle."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, Optional, Sequence, TextIO

from edgecvar.bundle.built_here import require_list
from edgecvar.bundle.engines import BuiltStage, read_timings, require_writable, write_engines, write_timings
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import CompileError, ConfigError
from edgecvar.interrupts import held_interrupt
from edgecvar.runners.tensorrt.log import BuildLog, logger_into
from edgecvar.runners.tensorrt.options import Build, check_options
from edgecvar.runners.tensorrt.stage_build import StageBuild
from edgecvar.terminal import printable

if TYPE_CHECKING:
    import tensorrt as trt


def build_engines(build: Build, why: str, progress: Optional[TextIO] = None) -> Path:
    """Build every stage's engine and put them into the bundle whole; the folder. Raises CompileError, BundleError."""
    check_options(build.key.tensorrt, build.options)
    require_writable(build.bundle.path)
    own = build.bundle.signed_by is not None
    if own:
        require_list()
    progress = progress or sys.stderr
    root, key, stages = build.bundle.path, build.key, build.bundle.manifest.stages
    print(printable(f"{why}: building {len(stages)} for {key.folder}; minutes each on a small device"), file=progress)
    log = BuildLog()
    logger = logger_into(log)
    builder: trt.Builder = _builder(build, logger, log)
    timings = read_timings(root, key.sm, key.tensorrt, own)
    engines: Dict[str, BuiltStage] = {}
    for number, stage in enumerate(stages, 1):
        print(printable(f"  {number}/{len(stages)} {stage.name}"), file=progress, flush=True)
        one = StageBuild(build, stage, builder, log, progress)
        with _late_interrupt(progress):
            engines[stage.name] = one.run(logger, timings)
        timings = one.timings
    folder = write_engines(root, key, engines, log.text, build.options.max_batch)
    if timings:
        write_timings(root, key.sm, key.tensorrt, timings)
    print(printable(f"  kept in {folder}"), file=progress)
    return folder


def build_marked(build: Build, stage: StageSpec, marked: Sequence[str], log: BuildLog) -> bytes:
    """An engine of one stage with more of its tensors as outputs, kept nowhere; raises CompileError, BundleError."""
    logger = logger_into(log)
    builder: trt.Builder = _builder(build, logger, log)
    own = build.bundle.signed_by is not None
    timings = read_timings(build.bundle.path, build.key.sm, build.key.tensorrt, own)
    with _late_interrupt(sys.stderr):
        return StageBuild(build, stage, builder, log, sys.stderr).run(logger, timings, marked).engine


def _builder(build: Build, logger: trt.ILogger, log: BuildLog) -> trt.Builder:
    import tensorrt as trt

    try:
        builder: trt.Builder = trt.Builder(logger)
    except (TypeError, RuntimeError) as error:
        version = build.key.tensorrt
        raise CompileError(f"TensorRT {version} cannot start its builder: {log.last_error()} ({error})") from error
    _check_dla(builder, build.options.dla)
    return builder


def _check_dla(builder: trt.Builder, core: Optional[int]) -> None:
    if core is not None and core >= builder.num_DLA_cores:
        raise ConfigError(
            f"no DLA core {core}: this device has {builder.num_DLA_cores} that this TensorRT can use; leave --dla out"
        )


@contextmanager
def _late_interrupt(progress: TextIO) -> Iterator[None]:
    """Ctrl-C waits for the end of the block, and a second one for nothing.

    TensorRT calls the logger, where Python would raise KeyboardInterrupt, and swallows what a logger raises.
    """

    def react() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("      stopping when this engine is built; Ctrl-C again: at once", file=progress, flush=True)

    with held_interrupt(react):
        yield

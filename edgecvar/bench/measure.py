"""One measurement: warm-up, the recogniser as it runs, then the same stage calls with nothing else going on."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgecvar.bench.clock import SpanClock
from edgecvar.bench.session import Phase, Session, merged
from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError, StreamError
from edgecvar.judge.machine import device_facts, machine_facts, package_versions
from edgecvar.progress import Progress, silent
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.runners.runner import Runner
from edgecvar.stream.reader import Extraction, open_stream
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, read_once, source_name
from edgecvar.stream.types import StreamInfo
from edgecvar.terminal import printable

WARM_UP_DECISIONS = 8
"""Decisions before anything counts: sessions allocate and caches fill in the first few."""


class BenchConfig(RunnerChoice):
    """`seconds`: the source is run again and again until it has run for this long. `timeout`: seconds without data.

    Stages do not overlap, so that each one's span is its own.
    """

    overlap: bool = False
    source: Optional[str] = None
    bundle: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    seconds: float = Field(10.0, gt=0, le=86_400)
    extraction: Extraction = "auto"
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)


class _Recorder:
    """A runner that keeps the newest inputs of each stage, to make the same calls again."""

    name = "recorder"

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.inputs: Dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *exc: object) -> None:
        """The runner belongs to whoever entered it."""

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        self.inputs[stage] = inputs
        return self._runner.launch(stage, inputs)

    def fetch(self, value: Any) -> NDArray[np.float32]:
        return self._runner.fetch(value)


class _Bench:
    """A bundle, its runner and a source, run over and over."""

    def __init__(self, bundle: Bundle, runner: Runner, source: str, config: BenchConfig) -> None:
        self._bundle, self._source = bundle, source
        self._config = config
        self._runner = runner
        self.recorder = _Recorder(runner)
        self.info: Optional[StreamInfo] = None

    def run(self, seconds: float, decisions: Optional[int] = None) -> Phase:
        """One pass over the source, or `seconds` of it, or at most `decisions`."""
        clock = SpanClock()
        latency: List[float] = []
        start = time.perf_counter()
        frames = takes_frames(self._bundle.manifest.stages)
        with open_stream(self._source, self._config.extraction, frames, self._config.timeout) as stream:
            self.info = stream.info
            options = RunOptions(every=self._config.every, release=stream.leave, clock=clock)
            with recognize(stream, self._bundle.manifest, self.recorder, options) as run:
                for decision in run:
                    latency.append(decision.latency_ms)
                    if len(latency) == decisions or time.perf_counter() - start >= seconds:
                        break
        if not latency:
            raise StreamError(f"{source_name(self._source)}: {run.summary.note}; there is nothing to measure")
        return Phase(
            wall_seconds=time.perf_counter() - start,
            pictures=run.summary.pictures,
            sampled=run.summary.sampled,
            decisions=len(latency),
            spans_ms=clock.spans_ms(),
            latency_ms=latency,
        )

    def stages_alone(self, run: Phase) -> Phase:
        """The run's stage calls again, one after the other, on inputs that it had."""
        calls = {name[6:]: len(spans) for name, spans in run.spans_ms.items() if name.startswith("stage:")}
        last = self._bundle.manifest.stages[-1].name
        clock = SpanClock()
        start = time.perf_counter()
        done: Counter[str] = Counter()
        for sample in range(1, run.sampled + 1):
            for stage, count in calls.items():
                while done[stage] * run.sampled < count * sample:
                    with clock.span(f"stage:{stage}"):
                        launched = self._runner.launch(stage, self.recorder.inputs[stage])
                        if stage == last:  # the one that a run fetches
                            self._runner.fetch(launched)
                    done[stage] += 1
        return run.model_copy(
            update={"wall_seconds": time.perf_counter() - start, "spans_ms": clock.spans_ms(), "latency_ms": []}
        )


def measure(config: BenchConfig, progress: Progress = silent) -> Session:
    """Run a measurement; raises EdgecvarError where the bundle or the source cannot be used."""
    bundle = open_bundle(config.bundle or default_bundle())
    source = config.source or str(default_clip())
    if read_once(source):
        raise ConfigError(f"{source}: a source is measured several times, and this one can be read once; give a file")
    _, precision = resolve(bundle, config)
    with make_runner(bundle, config) as runner:
        bench = _Bench(bundle, runner, source, config)
        progress(0, 0, "warming up")
        warm_up = bench.run(config.seconds, WARM_UP_DECISIONS)
        progress(0, round(config.seconds), "measuring, seconds")
        # In turn, so that a machine whose speed drifts is as fast for the one as for the other.
        runs = [bench.run(config.seconds)]
        alone = [bench.stages_alone(runs[0])]
        while (spent := sum(run.wall_seconds for run in runs)) < config.seconds:
            progress(round(spent), round(config.seconds), "measuring, seconds")
            runs.append(bench.run(config.seconds))
            alone.append(bench.stages_alone(runs[-1]))
    assert bench.info is not None
    return Session(
        bundle=printable(str(bundle.path)),
        untrained=bundle.manifest.provenance.untrained,
        runner=runner.name,
        precision=precision,
        source=printable(source_name(source)),
        width=bench.info.width,
        height=bench.info.height,
        stream_fps=float(bench.info.fps),
        every=config.every or bundle.manifest.input.stride,
        extraction=bench.info.extraction,
        machine=_machine(),
        warm_up=warm_up,
        run=merged(runs),
        stages_alone=merged(alone),
    )


def _machine() -> Dict[str, str]:
    versions = package_versions()
    engines: Dict[str, str] = {name: versions[name] for name in ("onnxruntime", "tensorrt", "av") if name in versions}
    return {**machine_facts(), **device_facts(), **engines}

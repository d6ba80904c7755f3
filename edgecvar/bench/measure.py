"""One measurement: the recogniser as it runs, its stage calls alone, and what it is to be compared with, in turn."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Generator, List, Literal, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgecvar.bench.board.watch import NoBoard, Watch, board_watch
from edgecvar.bench.clock import SpanClock
from edgecvar.bench.decoding import Decoding, Look, look_of
from edgecvar.bench.layers import observed_layers
from edgecvar.bench.observed import MOMENTS, Moment
from edgecvar.bench.session import Against, Phase, Session, Turn, merged
from edgecvar.bench.turns import in_turns
from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.exits import ExitChoice, ExitShares
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError, StreamError
from edgecvar.judge.machine import device_facts, machine_facts, package_versions
from edgecvar.predict.multiply_adds import stage_multiply_adds
from edgecvar.progress import Progress, silent
from edgecvar.run.exit_counts import ExitCounts, added
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.run.trace import NOBODY, Observers
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.runners.onnx import usable_cores
from edgecvar.runners.runner import Runner, Step
from edgecvar.stream.container import open_video
from edgecvar.stream.reader import Extraction, open_stream
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, read_once, source_name
from edgecvar.stream.types import StreamInfo
from edgecvar.terminal import printable

WARM_UP_DECISIONS = 8
"""Decisions before anything counts: sessions allocate and caches fill in the first few."""
SETTLING_SECONDS = 1.0
"""Of a run from one reading of the clocks to the next."""
TURNS = 5
"""Of a comparison at least: medians of fewer would follow what else the machine does."""
Measuring = Generator[None, None, Session]


class BenchConfig(RunnerChoice):
    """`seconds`: the source is run again and again until it has run for this long. `timeout`: seconds without data.
    `exits`: how sure an early exit must be. `trust`: keys, one of which must have signed the bundle.

    `against`: "decode" also measures, in turn, the pipeline that decodes every picture. Stages do not overlap, so that
    each one's span is its own.
    """

    overlap: bool = False
    source: Optional[str] = None
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    seconds: float = Field(10.0, gt=0, le=86_400)
    extraction: Extraction = "auto"
    against: Optional[Literal["decode"]] = None
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)
    exits: ExitChoice = "auto"


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

    def __init__(self, bundle: Bundle, runner: Runner, source: str, config: BenchConfig, observers: Observers) -> None:
        self._bundle, self._source, self._observers = bundle, source, observers
        self.config = config
        self._runner = runner
        self.recorder = _Recorder(runner)
        self.every = 0
        """Of the last run: what a spec's rate comes to depends on the stream."""
        self.info: Optional[StreamInfo] = None
        self.clock = SpanClock()
        """Of the last run."""
        self.watch: Watch = NoBoard()
        self.exits: List[ExitCounts] = []
        """Of the runs that count."""

    def run(self, seconds: float, decisions: Optional[int] = None, part: str = "run") -> Phase:
        """One pass over the source, or `seconds` of it, or at most `decisions`."""
        clock = self.clock = SpanClock(self._observers, part)
        latency: List[float] = []
        decided = 0
        start, cpu = time.perf_counter(), time.process_time()
        frames = takes_frames(self._bundle.manifest.stages)
        config = self.config
        with open_stream(self._source, config.extraction, frames, config.timeout, on_demand=True) as stream:
            self.info = stream.info
            self.every = config.every or self._bundle.manifest.input.every(stream.info.fps)
            options = RunOptions(every=self.every, release=stream.leave, clock=clock, exits=config.exits)
            with recognize(stream, self._bundle.manifest, self.recorder, options) as run:
                for decision in run:
                    latency.append(decision.latency_ms)
                    decided = max(decided, decision.decode_index + 1)
                    if len(latency) == decisions or time.perf_counter() - start >= seconds:
                        break
        if part == "run" and run.summary.exits is not None:
            self.exits.append(run.summary.exits)
        if not latency:
            raise StreamError(f"{source_name(self._source)}: {run.summary.note}; there is nothing to measure")
        whole = run.summary.complete  # else the reader was ahead of what was decided on
        return Phase(
            wall_seconds=time.perf_counter() - start,
            cpu_seconds=time.process_time() - cpu,
            pictures=run.summary.pictures if whole else decided,
            sampled=run.summary.sampled if whole else len(latency),
            decisions=len(latency),
            spans_ms=clock.spans_ms(),
            latency_ms=latency,
        )

    def decode_all(self, look: Look, pictures: int) -> Phase:
        """The first `pictures` of the source, all decoded, and one stage shown as many of them as a run samples."""
        clock = SpanClock(self._observers, "decoding all")
        latency: List[float] = []
        shown = 0
        start, cpu = time.perf_counter(), time.process_time()
        with open_video(self._source, self.config.timeout) as video:
            for picture in Decoding(self._runner, look, self.every, usable_cores(), clock).pictures(video):
                shown += 1
                if picture.looked:
                    latency.append((time.monotonic() - picture.arrived) * 1e3)
                if shown == pictures:
                    break
        if not latency:
            raise StreamError(f"{source_name(self._source)}: FFmpeg decodes no picture in it; there is no comparison")
        return Phase(
            wall_seconds=time.perf_counter() - start,
            cpu_seconds=time.process_time() - cpu,
            pictures=shown,
            sampled=len(latency),
            decisions=0,
            spans_ms=clock.spans_ms(),
            latency_ms=latency,
        )

    def stages_alone(self, run: Phase) -> Phase:
        """The run's stage calls again, one after the other, on inputs that it had."""
        calls = {name[6:]: len(spans) for name, spans in run.spans_ms.items() if name.startswith("stage:")}
        last = self._bundle.manifest.stages[-1].name
        clock = SpanClock(self._observers, "stages alone")
        start = time.perf_counter()
        done: Counter[str] = Counter()
        for sample in range(1, run.sampled + 1):
            for stage, count in calls.items():
                while done[stage] * run.sampled < count * sample:
                    with clock.span(f"stage:{stage}"):
                        launched = self._runner.launch(stage, self.recorder.inputs[stage])
                        if stage == last:  # the one that a run fetches, without its state
                            self._runner.fetch(launched.output if isinstance(launched, Step) else launched)
                    done[stage] += 1
        return run.model_copy(
            update={"wall_seconds": time.perf_counter() - start, "spans_ms": clock.spans_ms(), "latency_ms": []}
        )


def measure(config: BenchConfig, progress: Progress = silent, observers: Observers = NOBODY) -> Session:
    """Run a measurement; raises EdgecvarError where the bundle or the source cannot be used."""
    return in_turns([measuring(config, progress, observers)])[0]


def measuring(
    config: BenchConfig, progress: Progress = silent, observers: Observers = NOBODY, least: int = 1
) -> Measuring:
    """A measurement in `least` turns at least, which pauses before each of them; raises as `measure` does."""
    bundle = open_bundle(config.bundle or default_bundle(), config.trust)
    source = config.source or str(default_clip())
    if read_once(source):
        name = source_name(source)
        raise ConfigError(f"{name}: a source is measured several times, and this one can be read once; give a file")
    _, precision = resolve(bundle, config)
    look = look_of(bundle.manifest) if config.against == "decode" else None
    with board_watch() as watch, make_runner(bundle, config) as runner:
        bench = _Bench(bundle, runner, source, config, observers)
        bench.watch = watch
        warm_up, turns = yield from _in_turn(bench, look, progress, least if look is None else max(least, TURNS))
        progress(0, 0, "timing layers")
        layers = observed_layers(runner, bench.recorder.inputs, turns.alone)
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
        every=bench.every,
        extraction=bench.info.extraction,
        machine=_machine(),
        warm_up=warm_up,
        run=merged(turns.runs),
        stages_alone=merged(turns.alone),
        against=None if look is None else turns.against(look),
        moments=turns.moments,
        seal=bundle.manifest.seal,
        flow={each.name: [tensor.source for tensor in each.inputs] for each in bundle.manifest.stages},
        layers=layers,
        board=watch.board(sum(run.decisions for run in turns.runs)),
        exits=_exit_shares(bench.exits, bundle),
        exit_record=bundle.manifest.exits,
    )


def _exit_shares(counts: List[ExitCounts], bundle: Bundle) -> Optional[ExitShares]:
    return added(counts).shares(stage_multiply_adds(bundle), bundle.manifest.stages) if counts else None


def _in_turn(
    bench: _Bench, look: Optional[Look], progress: Progress, least: int
) -> Generator[None, None, Tuple[Phase, _Turns]]:
    """The warm-up, and then all that is measured: a machine whose speed drifts is as fast for each part of it."""
    seconds = bench.config.seconds
    progress(0, 0, "warming up")
    warm_up = _until_settled(bench, bench.run(seconds, WARM_UP_DECISIONS, "warm-up"))
    if look is not None:
        bench.decode_all(look, warm_up.pictures)
    turns = _Turns(seconds / least)
    while turns.seconds < seconds or len(turns.runs) < least:
        if turns.over():
            yield
        progress(round(turns.seconds), round(seconds), "measuring, seconds")
        since_ms = turns.seconds * 1e3
        with bench.watch.loaded():
            turns.runs.append(bench.run(turns.limit))
        turns.moments += bench.clock.moments(since_ms, MOMENTS - len(turns.moments))
        turns.alone.append(bench.stages_alone(turns.runs[-1]))
        if look is not None:
            turns.decoded.append(bench.decode_all(look, turns.runs[-1].pictures))
    return warm_up, turns


def _until_settled(bench: _Bench, warm_up: Phase) -> Phase:
    """The warm-up with what it took until the clocks stood still, where they can be read."""
    more = [warm_up]
    bench.watch.settle(lambda: more.append(bench.run(SETTLING_SECONDS, part="warm-up")))
    return merged(more)


@dataclass
class _Turns:
    """What was measured so far, in turn; a run may take `limit` seconds, or one pass over the source.

    `taken` of the turns that others wait for have begun: each is as many runs as take `limit` seconds.
    """

    limit: float
    runs: List[Phase] = field(default_factory=list)
    alone: List[Phase] = field(default_factory=list)
    decoded: List[Phase] = field(default_factory=list)
    moments: List[Moment] = field(default_factory=list)
    taken: int = 0

    @property
    def seconds(self) -> float:
        return sum(run.wall_seconds for run in self.runs)

    def over(self) -> bool:
        """Whether the turn is over, and the next one begins."""
        over = self.seconds >= self.taken * self.limit
        self.taken += over
        return over

    def against(self, look: Look) -> Against:
        turns = [
            Turn(
                pictures=run.pictures,
                seconds=run.wall_seconds,
                cpu_seconds=run.cpu_seconds,
                decode_seconds=decoded.wall_seconds,
                decode_cpu_seconds=decoded.cpu_seconds,
            )
            for run, decoded in zip(self.runs, self.decoded)
        ]
        return Against(stage=look.stage, threads=usable_cores(), turns=turns, decode=merged(self.decoded))


def _machine() -> Dict[str, str]:
    versions = package_versions()
    engines: Dict[str, str] = {name: versions[name] for name in ("onnxruntime", "tensorrt", "av") if name in versions}
    return {**machine_facts(), **device_facts(), **engines}

"""How many cameras of one kind this machine takes in real time, by both ways in turn."""

from __future__ import annotations

import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from pydantic import Field

from edgecvar.bench.decoding import look_of
from edgecvar.bench.streams.pace import Period
from edgecvar.bench.streams.search import Search
from edgecvar.bench.streams.session import Camera, StreamsSession, Trial, Way, WayName, drift_of
from edgecvar.bench.streams.worker import Feed, Played, Share, enter_worker, load_share, play_share
from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.clips.labelled import find_videos
from edgecvar.clips.spec import LARGEST_STRIDE, InputSpec
from edgecvar.errors import ConfigError, DeviceError, StreamError
from edgecvar.judge.machine import device_facts, machine_facts
from edgecvar.progress import Progress, silent
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.runners.onnx import usable_cores
from edgecvar.stream.container import open_video
from edgecvar.stream.reader import Extraction, open_stream
from edgecvar.terminal import printable
from edgecvar.workers import starting, stop_signal, worker_pool

LOOKED_INTO = 600
"""Packets of a file in which its second keyframe is looked for."""
READY = 0.2
"""Seconds from the moment when all processes are told to begin."""


class StreamsConfig(RunnerChoice):
    """`seconds`: what a trial measures. `most`: streams at a time. `processes`: that share them, by default one a core,
    and one with TensorRT, whose device they would share. `threads`: of ONNX Runtime, by default the cores that there
    are for a stream, which is also what decoding gets. `trust`: keys, one of which must have signed the bundle.
    """

    paths: Tuple[Path, ...]
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    seconds: float = Field(8.0, gt=0, le=86_400)
    most: int = Field(256, ge=1, le=4096)
    processes: Optional[int] = Field(None, ge=1, le=1024)
    extraction: Extraction = "auto"


@dataclass
class _Course:
    """One way's search and its trials."""

    name: WayName
    search: Search
    trials: List[Trial] = field(default_factory=list)
    ended: str = ""

    def way(self) -> Way:
        ended = f"--most {self.search.holding}, which hold" if self.search.capped else self.ended
        return Way(name=self.name, trials=self.trials, ended=ended)


def measure_streams(config: StreamsConfig, progress: Progress = silent) -> StreamsSession:
    """Find both numbers, a trial of one way and a trial of the other in turn.

    Raises ConfigError, DatasetError, BundleError or StreamError where something cannot be used, DeviceError where a
    process dies.
    """
    bundle = open_bundle(config.bundle or default_bundle(), config.trust)
    trials = _Trials(bundle, config)
    courses = [_Course(name, Search(trials.processes, config.most)) for name in ("reading", "decoding")]
    while open_ones := [course for course in courses if course.search.next is not None]:
        for course in open_ones:
            _try_next(course, trials, progress)
    return StreamsSession(
        bundle=printable(str(bundle.path)),
        untrained=bundle.manifest.provenance.untrained,
        runner=make_runner(bundle, config).name,
        precision=resolve(bundle, config)[1],
        stage=trials.look.stage,
        seconds=config.seconds,
        cores=trials.cores,
        cameras=trials.cameras,
        machine={**machine_facts(), **device_facts()},
        reading=courses[0].way(),
        decoding=courses[1].way(),
    )


def _try_next(course: _Course, trials: _Trials, progress: Progress) -> None:
    streams = course.search.next
    assert streams is not None
    if course.trials and not _room_for(streams, course.trials):
        course.ended = f"memory: {streams} streams may not fit into what is free"
        course.search.end()
        return
    what = {"reading": "reading the compressed video", "decoding": "decoding all"}[course.name]
    progress(0, 0, f"{what}: {streams} stream{'s' * (streams > 1)} at a time")
    trial = trials.run(course.name, streams)
    course.trials.append(trial)
    course.search.tried(trial.holds)


class _Trials:
    """Plays so many cameras at a time, by the one way or the other."""

    def __init__(self, bundle: Bundle, config: StreamsConfig) -> None:
        self._bundle, self._config = bundle, config
        self._paths = find_videos(config.paths)
        self._on_cpu = resolve(bundle, config)[0] == "onnx"
        if not self._on_cpu and (config.processes or 1) > 1:
            raise ConfigError(f"--processes {config.processes}: TensorRT's device takes one process; leave it out")
        self.look = look_of(bundle.manifest)
        self.cores = usable_cores()
        self.processes = config.processes or (self.cores if self._on_cpu else 1)
        self.cameras = [_camera(path, config, bundle.manifest.input) for path in self._paths]

    def run(self, way: WayName, streams: int) -> Trial:
        """One trial; raises what a camera fails with, and DeviceError where a process dies."""
        shares = self._shares(way, streams)
        stop = stop_signal()
        with ExitStack() as stack:
            pools = [stack.enter_context(worker_pool(1, enter_worker, (stop,))) for _ in shares]
            try:
                with starting():
                    loading = [pool.submit(load_share, share) for pool, share in zip(pools, shares)]
                loaded = sum(each.result() for each in loading)
                begin, period = self._period()
                before = processor_times()
                with starting():
                    playing = [pool.submit(play_share, begin, period) for pool in pools]
                played = [each.result() for each in playing]
                busy = _busy_since(before)
            except BrokenProcessPool as error:
                raise DeviceError(
                    f"a process died that was to play its part of {streams} streams (out of memory?); "
                    "ask for fewer with --most"
                ) from error
            finally:
                stop.set()
        return self._trial(streams, loaded, played).model_copy(update={"machine_busy": busy})

    def _shares(self, way: WayName, streams: int) -> List[Share]:
        """The cameras dealt out; they are out of step, as cameras are, by as much as lies between keyframes."""
        config, processes = self._config, min(self.processes, streams)
        threads = max(1, self.cores // streams)
        choice = config.model_copy(update={"threads": config.threads or threads if self._on_cpu else None})
        feeds = []
        for number, (path, camera) in zip(range(streams), cycle(zip(self._paths, self.cameras))):
            feeds.append(Feed(path, camera.fps, camera.every, self._spread * number / streams))
        return [
            Share(way, self._bundle, choice, config.extraction, threads, tuple(feeds[part::processes]))
            for part in range(processes)
        ]

    @property
    def _spread(self) -> float:
        return min(max(camera.gop_seconds for camera in self.cameras), self._config.seconds / 2)

    def _period(self) -> Tuple[float, Period]:
        """When the first camera begins, and from when to when is measured: not before each has begun its windows."""
        begin = time.monotonic() + READY
        window = self._bundle.manifest.input.gop_length / min(camera.fps for camera in self.cameras)
        first = begin + self._spread + window
        return begin, Period(first, first + self._config.seconds)

    def _trial(self, streams: int, loaded: int, played: Sequence[Played]) -> Trial:
        seconds = max(each.seconds for each in played)
        lateness = [pair for each in played for pair in each.lateness]
        left_out = sum(each.left_out for each in played)
        if not lateness and not left_out:
            raise StreamError(
                f"{self._paths[0]}: no decision in {self._config.seconds:g} s of it, so there is nothing to measure; "
                "try a longer --seconds, or a file with P-pictures"
            )
        return Trial(
            streams=streams,
            processes=len(played),
            seconds=seconds,
            decisions=len(lateness),
            latest_seconds=max((late for _, late in lateness), default=0.0),
            drift=drift_of(lateness, seconds),
            left_out=left_out,
            cpu_seconds=sum(each.cpu_seconds for each in played),
            loaded_bytes=loaded,
            resident_bytes=sum(each.resident_bytes for each in played),
        )


def _room_for(streams: int, trials: Sequence[Trial]) -> bool:
    """Whether so many streams fit into the memory that is free, as far as the trials before them tell."""
    newest = max(trials, key=lambda trial: trial.streams)
    return streams * newest.bytes_per_stream + newest.loaded_bytes < available_bytes()


def processor_times() -> Optional[Tuple[int, int]]:
    """Ticks of all the machine's cores so far: those that somebody took, and all; None where it does not tell."""
    try:
        ticks = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    idle = sum(ticks[3:5])  # idle, and waiting for a disk
    return sum(ticks) - idle, sum(ticks)


def _busy_since(before: Optional[Tuple[int, int]]) -> Optional[float]:
    now = processor_times()
    if before is None or now is None or now[1] <= before[1]:
        return None
    return (now[0] - before[0]) / (now[1] - before[1])


def available_bytes() -> float:
    """Memory that can be had without swapping; without end where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float("inf")


def _camera(path: Path, config: StreamsConfig, spec: InputSpec) -> Camera:
    with open_stream(path, config.extraction) as stream:
        info = stream.info
    fps, every = float(info.fps), config.every or spec.every(info.fps)
    with open_video(path) as video:
        packets = islice(video.input.packets(video.stream), LOOKED_INTO)
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    gop = keys[1] - keys[0] if len(keys) > 1 else LOOKED_INTO
    return Camera(
        path=printable(str(path)), width=info.width, height=info.height, fps=fps, every=every, gop_seconds=gop / fps
    )

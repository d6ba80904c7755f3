"""Streams that run at the same time on one station: in batches, then one by one, with what each of them waits."""

from __future__ import annotations

import os
import resource
import threading
import time
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Dict, List, Optional, Sequence, Tuple, Union, cast

import numpy as np
from pydantic import Field

from edgecvar.bench.streams.camera import CodedFile, LiveCamera, read_coded
from edgecvar.bench.streams.measure import processor_times
from edgecvar.bench.streams.together_session import TogetherSession, TogetherTrial, WayTogether
from edgecvar.bench.streams.worker import resident_bytes
from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import DeviceError, StreamError
from edgecvar.judge.machine import device_facts, machine_facts
from edgecvar.progress import Progress, silent
from edgecvar.run.decisions import Decision
from edgecvar.run.model import RunSettings
from edgecvar.run.station import SourceState, Station
from edgecvar.run.trace import NOBODY, Observers
from edgecvar.runners.choice import LARGEST_BATCH, RunnerChoice, make_runner, resolve
from edgecvar.runners.onnx import usable_cores
from edgecvar.runners.shared import MAX_BATCH
from edgecvar.synth.classes import LABELS
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import Canvas, Encoding, draw_sequence
from edgecvar.synth.render import render
from edgecvar.terminal import printable

CLIP_SECONDS = 12
"""Of the clip that is made where none is given."""
CLIP_GOP_SECONDS = 2
OPENING = 60.0
"""Seconds that a source may take to be open."""


class TogetherConfig(RunnerChoice):
    """`sources`: files with H.264 or HEVC, played as live cameras over and over, or URLs; without any an H.264 clip of
    `width`, `height` and `rate` is made. `streams` of them run at a time, each trial for `seconds` after `warm_up`,
    and `rounds` of both ways. `trust`: keys, one of which must have signed the bundle.
    """

    sources: Tuple[str, ...] = ()
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    streams: int = Field(16, ge=1, le=256)
    width: int = Field(640, ge=32, le=4096)
    height: int = Field(360, ge=32, le=4096)
    rate: int = Field(15, ge=1, le=120)
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    seconds: float = Field(60.0, gt=0, le=86_400)
    warm_up: float = Field(5.0, ge=0, le=86_400)
    rounds: int = Field(1, ge=1, le=100)
    max_batch: Optional[int] = Field(MAX_BATCH, ge=2, le=LARGEST_BATCH)


def measure_together(
    config: TogetherConfig, progress: Progress = silent, observers: Observers = NOBODY
) -> TogetherSession:
    """Each way in turn, as often as `rounds` says; raises EdgecvarError where a source or the bundle cannot be used."""
    bundle = open_bundle(config.bundle or default_bundle(), config.trust)
    with TemporaryDirectory() as folder:
        if not config.sources:
            progress(0, 0, "make a clip")
        files = _files(config, Path(folder))
    trials: List[TogetherTrial] = []
    ways: Sequence[WayTogether] = ("batches", "one by one")
    for _ in range(config.rounds):
        for way in ways:
            done, total = len(trials), config.rounds * len(ways)
            progress(done, total, f"{config.streams} streams, {way}")
            trials.append(_Trial(bundle, config, files, way).run(replace(observers, subject=way)))
    return TogetherSession(
        bundle=printable(str(bundle.path)),
        untrained=bundle.manifest.provenance.untrained,
        runner=make_runner(bundle, config).name,
        precision=resolve(bundle, config)[1],
        sources=[printable(each) for each in config.sources] or [f"{config.width} x {config.height}, {config.rate}/s"],
        streams=config.streams,
        max_batch=config.max_batch or MAX_BATCH,
        cores=usable_cores(),
        machine={**machine_facts(), **device_facts()},
        trials=trials,
    )


def _files(config: TogetherConfig, folder: Path) -> List[Union[str, CodedFile]]:
    if config.sources:
        return [each if "://" in each else read_coded(Path(each)) for each in config.sources]
    pictures = CLIP_SECONDS * config.rate
    coding = Encoding("h264", "mp4", CLIP_GOP_SECONDS * config.rate, 0, 26)
    canvas = Canvas(config.width, config.height, Fraction(config.rate))
    plan = draw_sequence(LABELS[:4], pictures // 4, np.random.default_rng(0))
    plan = replace(plan, canvas=canvas, encoding=coding)
    encode(folder / "clip.mp4", render(plan), canvas, coding)
    return [read_coded(folder / "clip.mp4")]


class _Waited:
    """What decisions of one source waited, in milliseconds: since its packet was read, and since it was sent."""

    def __init__(self, camera: Optional[LiveCamera]) -> None:
        self.since_read, self.since_sent = array("f"), array("f")
        self.measuring = False
        self.failed = ""
        self._camera = camera

    def decision(self, name: str, decision: Decision) -> None:
        if not self.measuring:
            return
        self.since_read.append(decision.latency_ms)
        if self._camera is not None:
            sent = self._camera.moment(decision.decode_index)
            self.since_sent.append((time.perf_counter() - sent) * 1000)

    def state(self, name: str, state: SourceState) -> None:
        if state.phase == "failed":
            self.failed = state.reason


class _Trial:
    """One way, from loading to the last stream's end."""

    def __init__(
        self, bundle: Bundle, config: TogetherConfig, files: Sequence[Union[str, CodedFile]], way: WayTogether
    ) -> None:
        self._bundle, self._config, self._files, self._way = bundle, config, files, way
        self._cameras: List[LiveCamera] = []
        self._waited: Dict[str, _Waited] = {}

    def run(self, observers: Observers) -> TogetherTrial:
        config = self._config
        choice = config.model_copy(update={"max_batch": config.max_batch if self._way == "batches" else 1})
        before = threading.active_count()
        try:
            with Station(self._bundle, choice) as station:
                self._begin(station, observers)
                self._wait(station)
                time.sleep(config.warm_up)
                return self._measure(station, before)
        finally:
            for camera in self._cameras:
                camera.close()

    def _begin(self, station: Station, observers: Observers) -> None:
        """Out of step, as cameras are."""
        config, settings = self._config, RunSettings(every=self._config.every, top=1, observers=observers)
        for number in range(config.streams):
            name, file = f"stream {number}", self._files[number % len(self._files)]
            camera = LiveCamera(file, name) if isinstance(file, CodedFile) else None
            self._waited[name] = _Waited(camera)
            self._cameras += [] if camera is None else [camera]
            source = file if isinstance(file, str) else cast(BinaryIO, camera)
            station.add(name, source, settings, [self._waited[name]])
            time.sleep(CLIP_GOP_SECONDS / config.streams)

    def _wait(self, station: Station) -> None:
        until = time.monotonic() + OPENING
        while any(state.phase == "waiting" for state in station.states().values()):
            if time.monotonic() > until:
                raise StreamError(f"not all of {self._config.streams} streams are open after {OPENING:g} s; take fewer")
            time.sleep(0.1)

    def _measure(self, station: Station, threads_before: int) -> TogetherTrial:
        resident, machine = resident_bytes(), processor_times()
        sizes, cpu, begin = station.batches, time.process_time(), time.monotonic()
        for each in self._waited.values():
            each.measuring = True
        time.sleep(self._config.seconds)
        for each in self._waited.values():
            each.measuring = False
        seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
        threads, after, now = threading.active_count() - threads_before, resident_bytes(), processor_times()
        failed = [each.failed for each in self._waited.values() if each.failed]
        if failed:
            raise DeviceError(f"{len(failed)} of {len(self._waited)} streams failed: {failed[0]}")
        launched = {size: count - sizes.get(size, 0) for size, count in station.batches.items()}
        read = np.concatenate([np.frombuffer(each.since_read, np.float32) for each in self._waited.values()])
        sent = np.concatenate([np.frombuffer(each.since_sent, np.float32) for each in self._waited.values()])
        counts = [len(each.since_read) for each in self._waited.values()]
        if not len(read):
            raise StreamError(f"no decision in {seconds:.0f} s; measure for longer, with --seconds")
        busy = None if machine is None or now is None else (now[0] - machine[0]) / max(1, now[1] - machine[1])
        return TogetherTrial(
            way=self._way,
            seconds=seconds,
            decisions=len(read),
            fewest=min(counts),
            most=max(counts),
            read_ms=_quantiles(read),
            sent_ms=_quantiles(sent) if len(sent) else None,
            batches=sum(launched.values()),
            launches=sum(size * count for size, count in launched.items()),
            cpu_seconds=cpu,
            machine_busy=busy,
            load=os.getloadavg()[0],
            resident_bytes=(resident, after),
            peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            threads=threads,
        )


def _quantiles(values: np.ndarray) -> Tuple[float, float, float]:
    """p50, p90 and p99."""
    low, high, highest = (float(each) for each in np.percentile(values, (50, 90, 99)))
    return low, high, highest

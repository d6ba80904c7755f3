"""A bundle on this machine's own engine, predicted from micro-benchmarks of it alone."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Dict, List, Optional, Tuple

from edgecvar.bundle.devices import find_device
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.precision import Precision
from edgecvar.bundle.stages import StageSpec
from edgecvar.predict.case import HOST_PARTS, longest_stage
from edgecvar.predict.cpu.machine import Machine
from edgecvar.predict.cpu.measure import load_machine
from edgecvar.predict.cpu.reckon import predict_stage_cpu
from edgecvar.predict.host.scale import Host, host_ms, host_part, host_time, on_cores
from edgecvar.predict.prediction import HostTime, Interval, LayerTime, Prediction, StageTime
from edgecvar.predict.predictor import CAMERA_FPS, PredictConfig, counted_stream
from edgecvar.runners.onnx import WEIGHT_BYTES, threads_for, usable_cores
from edgecvar.terminal import printable

SPREAD = 1.15
"""The factor, either way, within which 41 of 49 measurements lay on one thread (docs/measured.md)."""


def predict_here(config: PredictConfig, threads: Optional[int] = None) -> Prediction:
    """What `bench` would measure here; raises ConfigError where this machine was not measured yet.

    `threads`: of each stage, by default as the runner chooses them.
    """
    bundle = open_bundle(config.folder)
    precision: Precision = config.precision or "fp32"
    counts = counted_stream(config.source)
    every = config.every or bundle.manifest.input.every(Fraction(counts.fps))
    stages, machine = _stages(bundle, precision, every / counts.gop, threads)
    most = machine.threads
    host = host_time(counts, bundle.manifest.input, bundle.manifest.stages, every, Host(usable_cores(), 1.0, None))
    sample_ms = reduce(Interval.plus, (each.ms.times(each.per_sample) for each in stages))
    rate = _rate(sample_ms, host, every, most, config.streams)
    return Prediction(
        bundle=printable(str(bundle.path)),
        device="cpu",
        title=machine.processor or find_device("cpu").title,
        precision=precision,
        typing="none",
        streams=config.streams,
        stream=counts.shape(every),
        stages=stages,
        host=host,
        sample_ms=sample_ms,
        pictures_per_second=rate,
        cameras=_rate(sample_ms, host, every, most, 1024).likely / CAMERA_FPS,
        bottleneck=_bottleneck(stages, sample_ms, host, every, config.streams),
        peak_gops=machine.gops_int8 if precision == "int8" else machine.gops,
        bandwidth_gb_per_s=machine.gb_per_s_far,
        notes=_notes(machine),
    )


def _stages(
    bundle: Bundle, precision: Precision, windows: float, threads: Optional[int]
) -> Tuple[List[StageTime], Machine]:
    """Each stage, and the machine on as many threads as the largest takes; `windows`: I-pictures a sampled picture."""
    machines: Dict[int, Machine] = {}
    stages = []
    for spec in bundle.manifest.stages:
        model = bundle.stage_file(spec.name, precision).read_bytes()
        count = threads or threads_for(spec, len(model) // WEIGHT_BYTES[precision])
        if count not in machines:
            machines[count] = load_machine(threads=count)
        shared = min(1.0, windows) if spec.cadence == "gop" else 1.0
        stages.append(_stage(spec, predict_stage_cpu(model, precision, machines[count]), shared))
    return stages, machines[max(machines)]


def _stage(spec: StageSpec, layers: List[LayerTime], per_sample: float) -> StageTime:
    likely = sum(layer.ms for layer in layers)
    ms = Interval(low=likely / SPREAD, likely=likely, high=likely * SPREAD)
    return StageTime(stage=spec.name, cadence=spec.cadence, per_sample=per_sample, ms=ms, layers=layers)


def _rate(sample_ms: Interval, host: HostTime, every: int, threads: int, streams: int) -> Interval:
    """Stages and reading share the cores; the stages of all streams take turns."""
    engine, reading, busy = sample_ms.times(1 / every), host_ms(host, streams), on_cores(host)
    together = engine.times(threads).plus(busy).times(1 / host.cores)
    return Interval(
        low=max(engine.low, reading.low, together.low),
        likely=max(engine.likely, reading.likely, together.likely),
        high=max(engine.high, reading.high, together.high),
    ).rate()


def _bottleneck(stages: List[StageTime], sample_ms: Interval, host: HostTime, every: int, streams: int) -> str:
    if host_ms(host, streams).likely > sample_ms.likely / every:
        return HOST_PARTS[host_part(host, streams)]
    return longest_stage(stages)


def _notes(machine: Machine) -> List[str]:
    return [
        f"predicted from micro-benchmarks of this machine on {machine.threads} thread(s): no network was run",
        "reading, preparing and decoding are those of the core that came with the package, not measured here",
    ]

"""A session with everything in it that a session may have; all of its figures are invented."""

from __future__ import annotations

import math
from typing import Any, Dict, List

from edgecvar.bench.observed import Board, Moment, ObservedLayer, ObservedStage, Reading
from edgecvar.bench.session import Against, Phase, Session, Turn
from edgecvar.predict.prediction import HostTime, Interval, LayerTime, Prediction, Remedy, StageTime, StreamShape

FLOW = {
    "appearance": ["image"],
    "motion": ["motion"],
    "residual": ["residual"],
    "fuse": ["appearance", "appearance", "motion", "residual"],
}
STAGE_MS = {"appearance": 11.0, "motion": 8.5, "residual": 9.0, "fuse": 0.9}
KINDS = ("dense", "depthwise", "pointwise")


def about(likely: float) -> Interval:
    return Interval(low=0.8 * likely, likely=likely, high=1.3 * likely)


def spans(ms: float, count: int) -> List[float]:
    return [ms * (1 + 0.1 * math.sin(number)) for number in range(count)]


def layer_time(stage: str, number: int, ms: float) -> LayerTime:
    kind = "elementwise" if number % 10 == 9 else KINDS[number % 3]
    adds = 0 if kind == "elementwise" else (6_000_000 if kind == "depthwise" else 90_000_000 + 1_000_000 * number)
    moved = 400_000 + 9_000 * number if kind != "depthwise" else 1_900_000
    return LayerTime(
        name=f"/{stage}/features/{number}/conv/Conv",
        kind=kind,
        precision="fp16",
        nodes=[f"/{stage}/features/{number}/conv/Conv", f"/{stage}/features/{number}/act/Clip"],
        multiply_adds=adds,
        bytes=moved,
        ms=ms,
        bound="launch" if kind == "elementwise" else "memory" if kind == "depthwise" else "compute",
    )


def layer_times(stage: str, layers: int) -> List[LayerTime]:
    weights = [1 / (1 + number) for number in range(layers)]
    total = sum(weights)
    return [layer_time(stage, number, 0.9 * STAGE_MS[stage] * each / total) for number, each in enumerate(weights)]


def prediction(many: int = 30, **changes: Any) -> Prediction:
    """ATTP on a TX2 that nobody has asked."""
    fields: Dict[str, Any] = {
        "bundle": "attp.edgecvar",
        "device": "tx2",
        "title": "Jetson TX2",
        "precision": "fp16",
        "typing": "weak",
        "streams": 1,
        "stream": StreamShape(name="camera", width=320, height=240, fps=25, gop=12, every=2, megabits_per_second=0.8),
        "stages": [
            StageTime(
                stage=stage,
                cadence="gop" if stage == "appearance" else "picture",
                per_sample=1 / 6 if stage == "appearance" else 1.0,
                ms=about(0.9 * ms),
                layers=layer_times(stage, 3 if stage == "fuse" else many),
            )
            for stage, ms in STAGE_MS.items()
        ],
        "host": HostTime(read=about(0.8), prepare=about(0.4), image=about(0.3), decoder="hardware", cores=6),
        "sample_ms": about(18.2),
        "pictures_per_second": Interval(low=75.0, likely=104.0, high=130.0),
        "cameras": 4.1,
        "bottleneck": "the stage residual (45% of the engine's time)",
        "watts": 9.5,
        "watts_source": "published with MAX-N",
        "peak_gops": 1330.0,
        "bandwidth_gb_per_s": 59.7,
        "remedies": [
            Remedy(change="train on inputs of 84 x 84", kind="size", pictures_per_second=130.0, gain=1.25),
            Remedy(change="sample every 4th picture (--every 4)", kind="stride", pictures_per_second=198.0, gain=1.9),
        ],
        "enough": [Remedy(change="sample every 4th picture", kind="stride", pictures_per_second=198.0, gain=1.9)],
        "goal": 160.0,
        "calibrated": ["tx2-2026-11-30.json"],
        "fitted_on": 41,
        "notes": ["What the web page costs is left out."],
        "median_error": 0.18,
    }
    return Prediction(**{**fields, **changes})


def observed(layers: int) -> List[ObservedStage]:
    """Two predicted layers of motion run as one; appearance could not be measured."""
    found = []
    for stage in ("motion", "residual", "fuse"):
        times = layer_times(stage, 3 if stage == "fuse" else layers)
        made = [
            ObservedLayer(
                name=" + ".join(each.nodes),
                kind="Convolution",
                precision="fp16",
                nodes=each.nodes,
                ms=1.15 * each.ms,
                tactic="maxwell_fp16x2_scudnn_fp16x2_128x32_relu_small_nn_v0",
            )
            for each in times
        ]
        if stage == "motion":
            made[:2] = [made[0].model_copy(update={"nodes": times[0].nodes + times[1].nodes, "ms": 1.5})]
        found.append(ObservedStage(stage=stage, runs=50, layers=made))
    return [ObservedStage(stage="appearance", complaint="the engine has no inspector"), *found]


def moments(samples: int = 40) -> List[Moment]:
    """Three threads of one stream."""
    found = []
    for number in range(samples):
        at = 22.0 * number
        for name, thread, start, ms in (
            ("read", "reader", 0.0, 0.7), ("parse", "reader", 1.0, 0.6), ("prepare", "reader", 1.8, 0.8),
            ("stage:motion", "engine", 2.6, 8.5), ("stage:residual", "engine", 11.2, 9.0),
            ("stage:fuse", "engine", 20.3, 0.9), ("decide", "engine", 21.2, 0.3),
        ):  # fmt: skip
            found.append(Moment(name=name, thread=thread, start_ms=at + start, ms=ms, picture=2 * number))
        if number % 6 == 0:
            found.append(Moment(name="image", thread="I-pictures", start_ms=at + 1, ms=4.0, picture=2 * number))
            found.append(Moment(name="stage:appearance", thread="engine", start_ms=at - 9, ms=11.0, picture=2 * number))
    return found


def board() -> Board:
    def reading(at: float, load: float) -> Reading:
        return Reading(
            at_seconds=at,
            clocks_mhz={"gpu": 1300 * load, "cpu0": 2035 * load, "memory": 1866},
            celsius={"gpu": 38 + 10 * load + at / 4, "cpu": 40 + 8 * load + at / 5},
            watts={"total": 3 + 8 * load, "gpu": 5.5 * load},
            load={"gpu": load},
        )

    return Board(
        power_mode="MAXN",
        clocks_locked=False,
        settled_seconds=6.5,
        idle=[reading(float(at), 0.1) for at in range(5)],
        loaded=[reading(float(at), 0.9 if at < 30 else 0.7) for at in range(5, 40)],
        throttled="the GPU went from 1170 to 910 MHz after 30 s",
        joules_per_decision=0.152,
        advice=["Lock the clocks with `jetson_clocks` before measuring."],
    )


def session(many: int = 30, **changes: Any) -> Session:
    """240 pictures in 2.5 s, every second one sampled."""
    samples, images = 120, 20
    run = Phase(
        wall_seconds=2.5, cpu_seconds=2.0, pictures=240, sampled=samples, decisions=samples,
        spans_ms={
            "read": spans(0.5, 240), "parse": spans(0.6, samples), "prepare": spans(0.8, samples),
            "image": spans(4.0, images), "stage:appearance": spans(11.0, images),
            **{f"stage:{name}": spans(STAGE_MS[name], samples) for name in ("motion", "residual", "fuse")},
            "decide": spans(0.3, samples),
        },
        latency_ms=spans(60.0, samples),
    )  # fmt: skip
    alone = run.model_copy(update={"wall_seconds": 2.2, "latency_ms": []})
    decode = Phase(
        wall_seconds=4.0, pictures=240, sampled=samples, decisions=0,
        spans_ms={"decode": spans(9.0, 240), "scale": spans(2.0, samples), "stage:appearance": spans(11.0, samples)},
    )  # fmt: skip
    turn = Turn(pictures=48, seconds=0.5, cpu_seconds=0.4, decode_seconds=0.8, decode_cpu_seconds=2.1)
    fields: Dict[str, Any] = {
        "bundle": "/opt/bundles/attp.edgecvar", "untrained": True, "runner": "tensorrt-8.2", "precision": "fp16",
        "source": "rtsp://camera/stream", "width": 320, "height": 240, "stream_fps": 25.0, "every": 2,
        "extraction": "native", "machine": {"device": "Jetson TX2", "cores": "6", "tensorrt": "8.2.1"},
        "warm_up": run, "run": run, "stages_alone": alone,
        "against": Against(stage="appearance", threads=6, turns=[turn] * 5, decode=decode),
        "moments": moments(), "layers": observed(many), "board": board(), "prediction": prediction(many),
        "flow": FLOW,
    }  # fmt: skip
    return Session(**{**fields, **changes})

"""A bundle on a device that is not here: from its graphs, a stream and data sheets to a prediction."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import List, Optional

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bundle.default import default_bundle
from edgecvar.bundle.devices import DEVICES, Device, find_device
from edgecvar.bundle.exits import exits_of
from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.precision import Precision
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import StreamError
from edgecvar.predict.calibration import corrected
from edgecvar.predict.case import Case
from edgecvar.predict.engines import default_precision, stage_works, target_of
from edgecvar.predict.fitted import UNSEEN, fitted_model
from edgecvar.predict.hardware import predicted_devices
from edgecvar.predict.host.counts import CAMERAS, StreamCounts, counts_of
from edgecvar.predict.hosts import host_of, watts_of
from edgecvar.predict.prediction import Prediction
from edgecvar.predict.remedies import enough, remedies
from edgecvar.stream.sources.opening import path_of, read_once, without_password
from edgecvar.terminal import printable

CAMERA_FPS = 25.0
DEFAULT_STREAM = "720p camera"
MANY = 64
"""Streams that are as many as there can be, for what a device serves at most."""


class PredictConfig(BaseModel):
    """`source`: a file whose pictures are counted, or the name of a camera of no kind in particular (see CAMERAS).

    `every`: sampled is one of so many pictures, by default as the bundle says. `goal`: pictures of the stream a
    second; where none is set and the streams send more than that, what they send.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    bundle: Optional[Path] = None
    source: str = DEFAULT_STREAM
    precision: Optional[Precision] = None
    streams: int = Field(1, ge=1, le=1024)
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    goal: Optional[float] = Field(40.0, ge=0.001, le=100_000)

    @property
    def folder(self) -> Path:
        """Of the bundle."""
        return self.bundle or default_bundle()


def counted_stream(source: str) -> StreamCounts:
    """The counts of a camera by name ("720p" is enough), or of a file; raises EdgecvarError where it cannot be read."""
    camera = CAMERAS.get(source) or CAMERAS.get(f"{source} camera")
    if camera is not None:
        return camera
    path = None if not source or read_once(source) else path_of(source)
    if path is None or not os.path.lexists(path):
        cameras = ", ".join(f'"{name}"' for name in CAMERAS)
        name = without_password(source) or "SOURCE"
        raise StreamError(f"{name}: no file whose pictures can be counted; give one, or {cameras}")
    return counts_of(path)


def case_of(config: PredictConfig) -> Case:
    """The case that a configuration asks for; raises EdgecvarError."""
    device = find_device(config.device)
    bundle = open_bundle(config.folder)
    return _case(bundle, device, config, counted_stream(config.source))


def predict(config: PredictConfig) -> Prediction:
    """The prediction for one device; raises EdgecvarError where bundle, stream or device cannot be used."""
    case, goal = case_of(config), config.goal
    if goal is not None and "goal" not in config.model_fields_set:
        goal = max(goal, case.streams * case.counts.fps)
    return prediction_of(case, goal)


def prediction_for_each(bundle: Path, source: str = DEFAULT_STREAM) -> List[Prediction]:
    """The prediction for every device that has a data sheet, in each of the bundle's precisions that it has.

    Without remedies; raises EdgecvarError.
    """
    opened, counts = open_bundle(bundle), counted_stream(source)
    found = []
    for name in predicted_devices():
        there: List[Optional[Precision]] = [each for each in DEVICES[name].precisions if each in opened.precisions]
        for precision in there or [None]:
            config = PredictConfig(device=name, bundle=bundle, source=source, precision=precision)
            found.append(prediction_of(_case(opened, DEVICES[name], config, counts), None))
    return found


def prediction_of(case: Case, goal: Optional[float]) -> Prediction:
    """A case as plain data; remedies where there is a goal."""
    device, model = case.target.device, case.model
    rate = case.rate()
    most = replace(case, streams=max(case.streams, MANY))
    least, most_watts, watts_source = watts_of(device.name)
    return Prediction(
        bundle=printable(str(case.bundle.path)),
        device=device.name,
        title=device.title,
        precision=case.precision,
        typing=case.target.typing(case.precision),
        streams=case.streams,
        stream=case.counts.shape(case.every),
        stages=case.stages,
        host=case.host_ms(),
        sample_ms=case.engine_ms(),
        pictures_per_second=rate,
        cameras=most.rate().likely / CAMERA_FPS,
        bottleneck=case.bottleneck(),
        watts=most_watts,
        least_watts=least,
        watts_source=watts_source,
        peak_gops=case.target.gpu.matrix[case.precision],
        bandwidth_gb_per_s=case.target.gpu.bandwidth,
        remedies=[] if goal is None else remedies(case),
        enough=[] if goal is None else enough(case, goal),
        goal=goal,
        calibrated=list(case.corrected_by),
        fitted_on=model.fitted_on,
        notes=_notes(case),
        median_error=model.median_error,
    )


def _case(bundle: Bundle, device: Device, config: PredictConfig, counts: StreamCounts) -> Case:
    target = target_of(device)
    precision = config.precision or default_precision(bundle)
    every = config.every or bundle.manifest.input.every(Fraction(counts.fps))
    works = tuple(stage_works(bundle, precision, target))
    model, sessions = corrected(fitted_model(), device)
    host, assumed = host_of(device.name, counts.codec)
    return Case(
        bundle=bundle,
        precision=precision,
        works=works,
        target=target,
        model=model,
        counts=counts,
        host=host,
        assumed=tuple(assumed),
        every=every,
        streams=config.streams,
        corrected_by=tuple(sessions),
    )


def _notes(case: Case) -> List[str]:
    notes = ["a prediction, not a measurement: nothing of it was run on a device", *case.assumed]
    notes.append("what Python takes beside it to launch a stage is not in it")
    if case.counts.codec != "h264":
        notes.append(
            "of HEVC, reading, parsing and preparing were taken to cost what the same bits and blocks of H.264 do"
        )
    if exits_of([work.spec for work in case.works]):
        notes.append("every picture was taken to go through all stages; early exits save a part of that")
    if len(case.works) > 1:
        notes.append("likely and high: the stages run one after the other; low: those that may do so run side by side")
    if case.precision not in case.bundle.precisions:
        notes.append(f"the bundle has no {case.precision} files; its fp32 files were counted as {case.precision}")
    if case.target.device.name in UNSEEN and not case.corrected_by:
        notes.append(f"no published figure of {case.target.device.title} was at hand: its bounds are those of others")
    return notes

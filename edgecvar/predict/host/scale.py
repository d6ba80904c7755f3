"""A reader's work on the cores of a device that is not here, by published scores of both cores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.predict.host.cost import (
    Features,
    Reference,
    Wanted,
    decode_features,
    load_reference,
    parse_features,
    prepare_features,
    read_features,
    scale_features,
    trace_features,
)
from edgecvar.predict.host.counts import KINDS, StreamCounts
from edgecvar.predict.prediction import HostTime, Interval

CORE_SPREAD = 1.3
"""How far a core's speed at one kind of work lies from the ratio of published scores, as a factor either way.

Assumed, as no device was at hand: the tests that such a score is the mean of differ by about as much, one from another,
when those of two cores are divided.
"""
PIXEL_SPREAD = 1.5
"""The same of work that goes over all pixels: there the width of vectors and of memory decides, which scores hide."""
OVER_PIXELS = frozenset(("trace", "prepare", "decode", "scale", "frame"))
DECODER_SPREAD = 2.0
"""Upwards of a decoder in hardware. Its rate is published for whole streams, whose pictures have fewer bits than
I-pictures alone, and are handed over several at a time."""


@dataclass(frozen=True)
class Host:
    """A device beside its GPU.

    `score`: of one of its cores, over that of the reference's core by the same benchmark: 7-Zip's MIPS over
    `Reference.mips`. `decoder_pixels_per_second`: luma samples that its decoder in hardware gives, None without one.
    `measured`: the reference was measured on this very device, so that no score is relied on.
    """

    cores: int
    score: float
    decoder_pixels_per_second: Optional[float]
    measured: bool = False

    def __post_init__(self) -> None:
        rate = self.decoder_pixels_per_second
        if self.cores < 1 or not 0 < self.score < math.inf or (rate is not None and not 0 < rate < math.inf):
            raise ValueError(f"{self}: expected at least one core, a score and a decoder's rate above 0")


@dataclass(frozen=True)
class Rates:
    """Of one picture of the stream, how many are sampled, parsed by kind, and shown as images: 0 to 1."""

    sampled: float
    parsed: Dict[str, float]
    images: float


def rates(counts: StreamCounts, wanted: Wanted, every: int, adjacent: bool) -> Rates:
    """What of a stream is looked into where one of `every` pictures is sampled, of the kinds that the spec samples.

    Parsing a B-picture takes the P-picture that it is co-located with. Traced are all that others refer to.
    """
    p, b = (counts.pictures.get(kind, 0) / counts.total for kind in "PB")
    of_p, of_b = (kind in wanted.spec.kinds for kind in "PB")
    fitting = p * of_p + b * of_b
    sampled = min(1 / every, fitting)
    share = sampled / fitting if fitting else 0.0
    p_share = 1.0 if wanted.spec.accumulate else 1 - (1 - share) ** (of_p + of_b * b / p) if p else 0.0
    images = min(1 / counts.gop, sampled * (2 if adjacent else 1)) if "image" in wanted.sources else 0.0
    return Rates(sampled, {"P": p * p_share, "B": b * of_b * share}, images)


def host_time(
    counts: StreamCounts,
    spec: InputSpec,
    stages: Sequence[StageSpec],
    every: int,
    host: Host,
    reference: Optional[Reference] = None,
) -> HostTime:
    """Milliseconds a picture of the stream on that device, one of `every` sampled; `reference`: the package's, or one
    of this machine."""
    plan = plan_stages(stages)
    wanted = Wanted(spec, plan.sources)
    rate = rates(counts, wanted, every, plan.adjacent)
    on = _Core(host, reference or load_reference())
    read = on.took("read", 1, read_features(counts))
    for kind, share in rate.parsed.items():
        read = read.plus(on.took("parse", share, parse_features(counts, kind)))
        if spec.accumulate:
            features = trace_features(counts, "residual" in wanted.sources)
            read = read.plus(on.took("trace", share, features))
    prepare = on.took("prepare", rate.sampled, prepare_features(counts, wanted))
    if "frame" in wanted.sources:
        read = read.plus(on.took("frame", 1, decode_features(counts, KINDS)))
        prepare = prepare.plus(on.took("scale", rate.sampled, scale_features(counts, spec)))
    scale = on.took("scale", rate.images, scale_features(counts, spec))
    if not rate.images:
        return HostTime(read=read, prepare=prepare, image=scale, decoder="none", cores=host.cores)
    if host.decoder_pixels_per_second is None:
        image = on.took("decode", rate.images, decode_features(counts)).plus(scale)
        return HostTime(read=read, prepare=prepare, image=image, decoder="software", cores=host.cores)
    ms = rate.images * counts.pixels / host.decoder_pixels_per_second * 1e3
    image = Interval(low=ms, likely=ms, high=ms * DECODER_SPREAD)
    # The reader takes whole pictures of a decoder, and makes images of them itself.
    return HostTime(read=read, prepare=prepare.plus(scale), image=image, decoder="hardware", cores=host.cores)


def on_cores(time: HostTime) -> Interval:
    """Milliseconds a picture that the cores are busy; what a decoder in hardware does is none of them."""
    busy = time.read.plus(time.prepare)
    return busy if time.decoder == "hardware" else busy.plus(time.image)


def host_ms(time: HostTime, streams: int = 1) -> Interval:
    """Milliseconds a picture of all streams together.

    A stream is read and prepared by one thread, its I-pictures are decoded by another; all streams share the cores, and
    a decoder in hardware.
    """
    low, likely, high = (max(_bounds(time, streams, bound))[0] for bound in ("low", "likely", "high"))
    return Interval(low=low, likely=likely, high=high)


def host_rate(time: HostTime, streams: int = 1) -> Interval:
    """Pictures a second of all streams together that the host allows; infinite where it has nothing to do."""
    return host_ms(time, streams).rate()


def host_part(time: HostTime, streams: int = 1) -> str:
    """Which of "read", "prepare" and "image" bounds `host_ms`: the longest of those that bound it together."""
    _, parts = max(_bounds(time, streams, "likely"))
    return max(parts, key=lambda name: float(getattr(time, name).likely))


def _bounds(time: HostTime, streams: int, bound: str) -> List[Tuple[float, Tuple[str, ...]]]:
    """Milliseconds a picture of all streams that each thing takes that runs beside the others, and its parts."""
    hardware = time.decoder == "hardware"
    ms = {name: float(getattr(getattr(time, name), bound)) for name in ("read", "prepare", "image")}
    reader = ("read", "prepare")
    busy = reader if hardware else (*reader, "image")
    return [
        (sum(ms[name] for name in reader) / streams, reader),
        (ms["image"] / (1 if hardware else streams), ("image",)),
        (sum(ms[name] for name in busy) / time.cores, busy),
    ]


@dataclass(frozen=True)
class _Core:
    host: Host
    reference: Reference

    def took(self, part: str, times: float, features: Features) -> Interval:
        """So many times that part: the fit's error and the scores' are independent of each other."""
        ms = times * self.reference.ms(part, features) / self.host.score
        fit = math.log(self.reference.errors[part])
        slower = PIXEL_SPREAD if part in OVER_PIXELS else CORE_SPREAD
        down, up = (
            math.exp(math.hypot(fit, 0.0 if self.host.measured else math.log(spread)))
            for spread in (CORE_SPREAD, slower)
        )
        return Interval(low=ms / down, likely=ms, high=ms * up)

"""Packets into an MP4 file as they are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Protocol, Sequence, Tuple

import av

from edgecvar.errors import StreamError, reason
from edgecvar.files import whole_file
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.nal.units import SYNTAX, configured_units, length_size_of, set_units, sets_among, split_units

if TYPE_CHECKING:
    from av.container import OutputContainer

TICKS = 90_000
"""Of a clip's clock, a second."""


class TimedPacket(Protocol):
    """A packet's bytes, whether it is an I-picture, and when it is displayed."""

    data: bytes
    keyframe: bool
    seconds: Any


@dataclass(frozen=True)
class TrackForm:
    """What a file says of a stream: a `stream` of a container that is never written, and how long a picture lasts.

    It outlives the source, and belongs to no thread that reads.
    """

    stream: Any
    container: Any
    codec: str
    extradata: bytes
    picture_seconds: float


def track_form(video: OpenVideo) -> TrackForm:
    """That of an open video, before its first packet is read; raises StreamError where MP4 has no place for it."""
    container = av.open(io.BytesIO(), mode="w", format="mp4")
    try:
        stream = _added(container, video.stream)
    except (av.error.FFmpegError, ValueError) as error:
        why = reason(error)
        raise StreamError(
            f"{video.name}: {video.codec} cannot be put into MP4 clips ({why}); leave out --clips"
        ) from error
    return TrackForm(stream, container, video.codec, bytes(video.context.extradata or b""), 1.0 / float(video.fps))


def write_mp4(target: Path, form: TrackForm, packets: Sequence[TimedPacket]) -> None:
    """Packets from an I-picture on, in decode order, as a file whose first picture is shown at 0; raises OSError.

    Raises StreamError where FFmpeg refuses them. The file is there whole, or not at all.
    """
    with whole_file(target) as draft:
        try:
            with av.open(str(draft), mode="w", format="mp4", options={"movflags": "faststart"}) as container:
                stream = _added(container, form.stream)
                extradata = _with_sets(form, packets[0].data)
                if extradata:
                    stream.codec_context.extradata = extradata
                if form.codec == "hevc" and _are_among(extradata, form, packets):
                    stream.codec_context.codec_tag = "hvc1"  # Apple's players take no hev1, FFmpeg's choice
                _mux(container, stream, form, packets)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError) and error.errno:
                raise OSError(error.errno, error.strerror, str(target)) from error
            raise StreamError(f"{target}: the packets make no MP4 file ({reason(error)})") from error


def _added(container: Any, template: Any) -> Any:
    if hasattr(container, "add_stream_from_template"):
        return container.add_stream_from_template(template)
    return container.add_stream(template=template)  # PyAV before 14


def _mux(container: OutputContainer, stream: Any, form: TrackForm, packets: Sequence[TimedPacket]) -> None:
    times = ticks([float(packet.seconds) for packet in packets])
    ends = [dts for _, dts in times[1:]] + [times[-1][1] + max(1, round(form.picture_seconds * TICKS))]
    for kept, (pts, dts), end in zip(packets, times, ends):
        packet = av.Packet(kept.data)
        packet.time_base = Fraction(1, TICKS)
        packet.pts, packet.dts, packet.duration = pts, dts, end - dts
        packet.is_keyframe = kept.keyframe
        packet.stream = stream
        container.mux(packet)


def ticks(seconds: Sequence[float]) -> List[Tuple[int, int]]:
    """(pts, dts) of packets in decode order that are displayed at so many seconds; the first displayed is at 0.

    Decode times are the display times in their order, early enough for every picture to be there when it is shown.
    """
    order = sorted(range(len(seconds)), key=lambda at: (seconds[at], at))
    zero, last = seconds[order[0]], -1
    shown = [0] * len(seconds)
    rising = []
    for at in order:
        last = shown[at] = max(last + 1, round((seconds[at] - zero) * TICKS))
        rising.append(last)
    early = max(due - pts for due, pts in zip(rising, shown))
    return [(pts, due - early) for due, pts in zip(rising, shown)]


def _with_sets(form: TrackForm, first: bytes) -> bytes:
    """The extradata that a decoder of these packets needs: without a record the parameter sets in the stream."""
    if form.codec not in SYNTAX or length_size_of(form.extradata, form.codec) is not None:
        return form.extradata
    units = [*configured_units(form.extradata, form.codec), *split_units(first, None)]
    return set_units(sets_among(units, form.codec), None)


def _are_among(extradata: bytes, form: TrackForm, packets: Sequence[TimedPacket]) -> bool:
    """Whether the packets have no parameter sets but the extradata's, as hvc1 demands (ISO/IEC 14496-15, 8.4)."""
    known = sets_among(configured_units(extradata, form.codec), form.codec)
    length_size = length_size_of(form.extradata, form.codec)
    return bool(known) and all(
        sets_among(split_units(packet.data, length_size), form.codec).items() <= known.items() for packet in packets
    )

"""The packets of a video stream, numbered: every decoding of a source takes its pictures' numbers from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Generator, Iterable, Iterator, Optional, Tuple

import av

from edgecvar.errors import reason
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.ffmpeg.field_pairs import FieldPairs

if TYPE_CHECKING:
    from av.packet import Packet

MAX_REORDER = 18
"""Packets after which a picture that has not come out never will: H.264 delays by 16 frames at most."""


def coded_packets(video: OpenVideo, broke_off: Callable[[str], None]) -> Generator[Packet[Any], None, None]:
    """Packets that carry data, one picture each, with the container's own times; two fields of a frame are one picture.

    A container that breaks off ends them, and `broke_off` is called with the reason.
    """
    packets = _demuxed(video, broke_off)
    try:
        yield from FieldPairs(video.context.extradata).joined(packets) if video.codec == "h264" else packets
    finally:
        packets.close()


def _demuxed(video: OpenVideo, broke_off: Callable[[str], None]) -> Generator[Packet[Any], None, None]:
    stream = video.stream
    unpack = av.bitstream.BitStreamFilterContext("mpeg4_unpack_bframes", stream) if video.codec == "mpeg4" else None
    try:
        for packet in video.input.packets(stream):
            for whole in unpack.filter(packet if packet.size else None) if unpack else [packet]:
                if whole.size:
                    if unpack and whole.time_base is None:  # older PyAV filters leave it out
                        whole.time_base = stream.time_base
                    yield whole
    except (av.error.FFmpegError, ValueError, OSError) as error:
        broke_off(reason(error))


def to_decode(packet: Packet[Any], number: int) -> Packet[Any]:
    """The packet as a decoder is given it: both its times are `number`, and no edit list hides it."""
    # libavcodec drops what an edit list hides after decoding it, so the flag must not reach it
    bare = av.Packet(bytes(packet)) if getattr(packet, "is_discard", False) else packet
    bare.pts = bare.dts = number
    return bare


def numbered_packets(
    packets: Iterable[Packet[Any]], clock: DisplayClock, patience: Optional[int] = MAX_REORDER
) -> Iterator[Tuple[int, Packet[Any]]]:
    """Decode numbers and packets to decode; both times of a packet are its number, `clock` has its own ones.

    A picture that is not shown `patience` packets after its own is lost to `clock`; with None the caller says so.
    """
    number = 0
    for packet in packets:
        if patience is not None:
            clock.lost(number - patience - 1)
        clock.packet(number, packet)
        yield number, to_decode(packet, number)
        number += 1
    if patience is not None:
        clock.lost(number - patience - 1)

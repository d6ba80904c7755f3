"""The packets of a video stream, numbered: every decoding of a source takes its pictures' numbers from here."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    cast,
)

import av

from edgecvar.errors import reason
from edgecvar.stream.clock import MAX_REORDER, DisplayClock, Moment
from edgecvar.stream.container import OpenVideo
from edgecvar.stream.h264.field_pairs import FieldPairs
from edgecvar.stream.nal.composed import ComposedPacket
from edgecvar.stream.nal.pieces import Pieces
from edgecvar.stream.nal.units import SYNTAX, configured_units, length_size_of, set_units, sets_among
from edgecvar.stream.sources.seeking import Stretch

if TYPE_CHECKING:
    from av.packet import Packet


class PacketTap(Protocol):
    """Sees a stream as it is read, from the thread that reads it: packets as they came, and when each is displayed.

    Packets are numbered from 0 in decode order.
    """

    def opened(self, video: OpenVideo) -> None:
        """Before the first packet."""
        ...

    def packet(self, number: int, packet: Packet[Any]) -> None:
        """The next packet; it is not to be kept, as a decoder gives it other times."""
        ...

    def shown(self, number: int, moment: Moment) -> None:
        """When the picture of a packet that came before is displayed; told in display order."""
        ...

    def broke(self, pts_seconds: float) -> None:
        """The stream breaks: the picture displayed then is the first, in decode order, of what follows."""
        ...


def tapped(packets: Iterable[Packet[Any]], tap: PacketTap) -> Iterator[Packet[Any]]:
    """The packets, each of which the tap has seen before."""
    for number, packet in enumerate(packets):
        tap.packet(number, packet)
        yield packet


def coded_packets(
    video: OpenVideo, broke_off: Callable[[str], None], stretches: Optional[Sequence[Stretch]] = None
) -> Generator[Packet[Any], None, None]:
    """Packets that carry data, one picture each, with the container's own times; those of AVI are decode times alone.

    Two fields of a frame are one picture, and so are the pieces that FFmpeg has cut one into. With `stretches` it is
    those packets alone, one after the other. A container that breaks off, or does not lead to a stretch, ends them, and
    `broke_off` is called with the reason.
    """
    packets = _unbroken(_demuxed(video) if stretches is None else _sought(video, stretches), broke_off)
    try:
        yield from _pictures(packets, video.codec, video.context.extradata)
    finally:
        packets.close()


def _pictures(packets: Iterable[Packet[Any]], codec: str, extradata: Optional[bytes]) -> Iterable[Packet[Any]]:
    whole = Pieces(extradata, codec).joined(packets) if codec in SYNTAX else packets
    return FieldPairs(extradata).joined(whole) if codec == "h264" else whole


def _unbroken(
    packets: Generator[Packet[Any], None, None], broke_off: Callable[[str], None]
) -> Generator[Packet[Any], None, None]:
    try:
        yield from packets
    except (av.error.FFmpegError, ValueError, OSError) as error:
        broke_off(reason(error))


def _sought(video: OpenVideo, stretches: Sequence[Stretch]) -> Generator[Packet[Any], None, None]:
    for stretch in stretches:
        stretch.entry.seek(video.container, video.stream)
        with closing(_demuxed(video)) as packets:
            first = next(filter(stretch.entry.is_of, packets), None)
            if first is None:
                raise ValueError(f"packet {stretch.entry.number} is not found again")
            yield first
            yield from islice(packets, stretch.packets - 1)


def _demuxed(video: OpenVideo) -> Generator[Packet[Any], None, None]:
    stream = video.stream
    decode_times_alone = video.container.format.name == "avi"
    unpack = av.bitstream.BitStreamFilterContext("mpeg4_unpack_bframes", stream) if video.codec == "mpeg4" else None
    for packet in video.input.packets(stream):
        for whole in unpack.filter(packet if packet.size else None) if unpack else [packet]:
            if whole.size:
                if unpack and whole.time_base is None:  # older PyAV filters leave it out
                    whole.time_base = stream.time_base
                if decode_times_alone:
                    whole.pts = None  # libavformat makes some up, as if no picture were reordered
                yield _with_sets(whole, video.codec) if video.codec in SYNTAX else whole


def _with_sets(packet: Packet[Any], codec: str) -> Packet[Any]:
    """The packet, led by the parameter sets that FLV or MP4 has sent beside it, where an encoder was set anew."""
    if not getattr(packet, "has_sidedata", lambda kind: False)("new_extradata"):  # older PyAV does not tell
        return packet
    extradata = bytes(packet.get_sidedata("new_extradata"))
    sets = set_units(sets_among(configured_units(extradata, codec), codec), length_size_of(extradata, codec))
    return cast("Packet[Any]", ComposedPacket(packet, sets + bytes(packet), keyframe=True)) if sets else packet


def to_decode(packet: Packet[Any], number: int) -> Packet[Any]:
    """The packet as a decoder is given it: both its times are `number`, and no edit list hides it."""
    # libavcodec drops what an edit list hides after decoding it, so the flag must not reach it
    hidden = getattr(packet, "is_discard", False) and not isinstance(packet, ComposedPacket)
    bare = av.Packet(bytes(packet)) if hidden else packet
    bare.pts = bare.dts = number
    return bare


def numbered_packets(
    packets: Iterable[Packet[Any]], clock: DisplayClock, patience: int = MAX_REORDER
) -> Iterator[Tuple[int, Packet[Any]]]:
    """Decode numbers and packets to decode; both times of a packet are its number, `clock` has its own ones.

    A picture that is not shown `patience` packets after its own is lost to `clock`.
    """
    number = 0
    for packet in packets:
        clock.lost(number - patience - 1)
        clock.packet(number, packet)
        yield number, to_decode(packet, number)
        number += 1
    clock.lost(number - patience - 1)

"""Twelve ways to break a video file; each takes its bytes and a source of chance, and nothing else."""

from __future__ import annotations

import io
from dataclasses import dataclass
from random import Random
from typing import Callable, Dict, List, Optional, Tuple

import av
from av.container import InputContainer

from edgecvar.stream.nal.units import SYNTAX, configured_units, kind_of, length_size_of, split_units
from tests.stream.known_clips import stream_like

CONTAINERS = ("mp4", "matroska", "mpegts", "avi", "flv", "mov")
MOST_PACKETS = 40


@dataclass(frozen=True)
class CodedPacket:
    """A packet of the video stream with its container's times."""

    data: bytes
    pts: Optional[int]
    dts: Optional[int]


def bits(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10, 50))):
        place = _place(len(data), chance)
        changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 40))):
        changed[_place(len(data), chance)] = chance.choice((0, 0xFF, 0x80, chance.randrange(256)))
    return bytes(changed)


def cut(data: bytes, chance: Random) -> bytes:
    place = _place(len(data), chance)
    return chance.choice((data[:place], data[place:], data[:place] + data[place + chance.randrange(1, 5000) :]))


def spliced(data: bytes, chance: Random) -> bytes:
    """A range of the file itself, written over or in between."""
    place, origin, size = _place(len(data), chance), _place(len(data), chance), chance.choice((4, 60, 1000, 20000))
    return data[:place] + data[origin : origin + size] + data[place + chance.choice((0, size)) :]


def zeroed(data: bytes, chance: Random) -> bytes:
    place, size = _place(len(data), chance), chance.choice((1, 4, 100, 3000))
    return data[:place] + bytes(len(data[place : place + size])) + data[place + size :]


def boxes(data: bytes, chance: Random) -> bytes:
    """Sizes, types and first fields of MP4's boxes; heads of the packets of other containers."""
    heads = _box_heads(data) or list(range(0, min(len(data), 188 * 200), 188))
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 6))):
        place = chance.choice(heads) + chance.choice((0, 1, 2, 3, 3, *range(4, 48)))
        if place < len(data):
            changed[place] = chance.choice((0, 1, 0xFF, changed[place] ^ 1 << chance.randrange(8)))
    return bytes(changed)


def dropped(data: bytes, chance: Random) -> bytes:
    def without(packets: List[CodedPacket]) -> List[CodedPacket]:
        share = chance.choice((0.03, 0.1, 0.5))
        return [packet for packet in packets if chance.random() > share]

    return _with_packets(data, chance, without)


def duplicated(data: bytes, chance: Random) -> bytes:
    def twice(packets: List[CodedPacket]) -> List[CodedPacket]:
        return [each for packet in packets for each in [packet] * chance.choice((1, 1, 1, 1, 2, 3))]

    return _with_packets(data, chance, twice)


def swapped(data: bytes, chance: Random) -> bytes:
    def moved(packets: List[CodedPacket]) -> List[CodedPacket]:
        for _ in range(chance.randrange(1, 6)):
            one, other = chance.randrange(len(packets)), chance.randrange(len(packets))
            packets[one], packets[other] = packets[other], packets[one]
        return packets

    return _with_packets(data, chance, moved)


def timestamps(data: bytes, chance: Random) -> bytes:
    kind = chance.randrange(5)
    jump = chance.choice((-1, 1)) * chance.choice((1, 3, 1000, 90_000 * 3600, 1 << 33, 1 << 50))

    def moved(packet: CodedPacket, place: int) -> CodedPacket:
        if kind == 0:
            return CodedPacket(packet.data, 0, 0)
        if kind == 1:
            return CodedPacket(packet.data, None, packet.dts)
        if kind == 2:
            return CodedPacket(packet.data, chance.randrange(-(1 << 40), 1 << 40), packet.dts)
        if packet.pts is None or packet.dts is None or (kind == 3 and place < 10):
            return packet
        return CodedPacket(packet.data, packet.pts + jump, packet.dts + jump * (kind == 3))

    return _with_packets(data, chance, lambda packets: [moved(packet, place) for place, packet in enumerate(packets)])


def headers(data: bytes, chance: Random) -> bytes:
    """Bits of parameter sets, slice and picture headers."""

    def flipped(unit: bytes) -> bytes:
        changed = bytearray(unit)
        for _ in range(chance.choice((1, 1, 2, 5))):
            changed[min(len(unit) - 1, chance.randrange(1, 30))] ^= 1 << chance.randrange(8)
        return bytes(changed)

    return _with_units(data, chance, flipped)


def unit_types(data: bytes, chance: Random) -> bytes:
    """The byte that says what a NAL unit, or another start code, begins."""
    return _with_units(data, chance, lambda unit: bytes([unit[0] ^ 1 << chance.randrange(8)]) + unit[1:])


MUTATORS: Dict[str, Callable[[bytes, Random], bytes]] = {
    each.__name__: each
    for each in (bits, overwritten, cut, spliced, zeroed, boxes, dropped, duplicated, swapped, timestamps, headers)
}
MUTATORS["unit_types"] = unit_types


def shortened(data: bytes) -> bytes:
    """The first packets alone, in the container it came in where that can be written."""
    codec, _, packets = _packets(data)
    with _opened(data) as container:
        name = container.format.name.split(",")[0]
    written = _written(data, packets[:MOST_PACKETS], name if name in CONTAINERS else "matroska")
    return data[:150_000] if codec == "raw" or written is None else written


def _opened(data: bytes) -> InputContainer:
    return av.open(io.BytesIO(data), metadata_errors="replace")


def _place(size: int, chance: Random) -> int:
    """Anywhere, or near the start, where headers are."""
    return chance.randrange(min(size, chance.choice((64, 2000, 40_000, size))))


def _box_heads(data: bytes) -> List[int]:
    names = (
        b"moov trak mdia minf stbl stsd avc1 avcC mp4v esds stts ctts stsc stsz stco co64 stss elst edts tkhd "
        b"mdhd hdlr moof traf tfhd trun tfdt sidx ftyp mdat mvex trex sgpd sbgp"
    ).split()
    return [found - 4 for name in names if (found := data.find(name)) >= 4]


def _packets(data: bytes) -> Tuple[str, bytes, List[CodedPacket]]:
    with _opened(data) as container:
        stream = container.streams.video[0]
        raw = container.format.name in ("h264", "m4v", "mpegvideo", "h263", "hevc")
        packets = [CodedPacket(bytes(packet), packet.pts, packet.dts) for packet in container.demux(stream)]
        return "raw" if raw else "", stream.codec_context.extradata or b"", [each for each in packets if each.data]


def _with_packets(data: bytes, chance: Random, change: Callable[[List[CodedPacket]], List[CodedPacket]]) -> bytes:
    """The file with other packets, in a container at random; a raw stream where they are set one after the other."""
    raw, _, packets = _packets(data)
    packets = change(packets[: 2 * MOST_PACKETS])
    if raw and chance.random() < 0.5:
        return b"".join(packet.data for packet in packets)
    return _written(data, packets, chance.choice(CONTAINERS)) or b"".join(packet.data for packet in packets)


def _written(data: bytes, packets: List[CodedPacket], container_name: str) -> Optional[bytes]:
    target = io.BytesIO()
    try:
        with _opened(data) as source, av.open(target, "w", format=container_name) as container:
            template = source.streams.video[0]
            stream = stream_like(container, template)
            for each in packets:
                packet = av.Packet(each.data)
                packet.pts, packet.dts = each.pts, each.dts
                packet.stream, packet.time_base = stream, template.time_base
                try:
                    container.mux(packet)
                except (av.error.FFmpegError, ValueError, OverflowError):
                    continue  # what the muxer refuses is left out
    except (av.error.FFmpegError, ValueError):
        pass
    return target.getvalue() or None


def _with_units(data: bytes, chance: Random, change: Callable[[bytes], bytes]) -> bytes:
    """The file with some of its NAL units, or start codes, changed where they stand."""
    _, extradata, packets = _packets(data)
    with _opened(data) as container:
        name = container.streams.video[0].codec_context.name
    codec = name if name in SYNTAX else "h264"
    size = length_size_of(extradata, codec)
    changed = bytearray(data)
    units = [unit for packet in packets[:MOST_PACKETS] for unit in split_units(packet.data, size) if len(unit) > 1]
    kinds = SYNTAX[codec].sets
    sets = [unit for unit in split_units(data, None) if kind_of(unit, codec) in kinds and 4 < len(unit) < 100]
    sets += [unit for unit in configured_units(extradata, codec) if size is not None and kind_of(unit, codec) in kinds]
    for unit in chance.sample(units, min(len(units), chance.choice((1, 2, 6)))) + chance.sample(
        sets, min(len(sets), chance.choice((0, 1, 1, 3)))
    ):
        place = data.find(unit[:200], chance.choice((0, len(data) // 2)))
        if place >= 0 and len(unit) > 1:
            fresh = change(unit)
            changed[place : place + len(fresh)] = fresh
    return bytes(changed)

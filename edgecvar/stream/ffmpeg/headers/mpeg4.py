"""Video object layers and planes of MPEG-4 part 2 (ISO/IEC 14496-2, 6.2.3, 6.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from edgecvar.stream.ffmpeg.headers.mpeg4_macroblocks import CodedPlane
from edgecvar.stream.ffmpeg.references import PredictionStyle
from edgecvar.stream.nal.bits import BitReader, HeaderEnded

_START = b"\x00\x00\x01"
_KINDS = "IPBS"
_HEADER_BYTES = 64


@dataclass(frozen=True)
class _Layer:
    """A video object layer; `plain`: progressive, whole pixels blocks; `walkable`: its macroblocks can be read."""

    resolution: int = 1
    quarter: bool = False
    plain: bool = False
    walkable: bool = False
    precision: int = 5
    columns: int = 0
    rows: int = 0

    @property
    def time_bits(self) -> int:
        return max(1, (self.resolution - 1).bit_length())


class Mpeg4Headers:
    """Reads the header of each VOP, and keeps the layer and the time base that it depends on."""

    def __init__(self, extradata: Optional[bytes]) -> None:
        self._layer = _Layer()
        self._base = self._last_base = 0
        if extradata:
            self.read(extradata)

    def read(self, packet: bytes) -> PredictionStyle:
        """The style of the packet's VOP; not coded where there is none."""
        start = packet.find(_START)
        while 0 <= start < len(packet) - 4:
            code = packet[start + 3]
            try:
                if 0x20 <= code <= 0x2F:
                    self._layer = _read_layer(BitReader(packet[start + 4 : start + 260]))
                elif code == 0xB6:
                    return self._plane(packet, start + 4)
            except HeaderEnded:
                break
            start = packet.find(_START, start + 3)
        return PredictionStyle(self._interpolation(), certain=False, coded=False)

    def _interpolation(self) -> str:
        return "mpeg4-qpel" if self._layer.quarter else "mpeg4"

    def _plane(self, packet: bytes, start: int) -> PredictionStyle:
        reader = BitReader(packet[start : start + _HEADER_BYTES])
        whole = reader.left
        layer = self._layer
        kind = _KINDS[reader.bits(2)]
        time = self._time(reader, kind)
        if not reader.flag():  # vop_coded
            return PredictionStyle(self._interpolation(), certain=False, coded=False)
        rounding = reader.bits(1) if kind in "PS" else 0
        certain = layer.plain and kind != "S"
        plane = None
        if layer.walkable and certain:
            threshold, quantiser = reader.bits(3), reader.bits(layer.precision)
            forward = reader.bits(3) if kind != "I" else 1
            backward = reader.bits(3) if kind == "B" else 1
            plane = CodedPlane(
                data=packet,
                start=8 * start + whole - reader.left,
                kind=kind,
                time=time,
                columns=layer.columns,
                rows=layer.rows,
                quarter=layer.quarter,
                quantiser=quantiser,
                dc_threshold=threshold,
                forward_code=max(1, forward),
                backward_code=max(1, backward),
            )
        return PredictionStyle(self._interpolation(), rounding, certain, plane=plane)

    def _time(self, reader: BitReader, kind: str) -> int:
        """When the VOP is shown, in ticks of the layer; any but a B-VOP moves the base on."""
        seconds = 0
        while reader.flag():
            seconds += 1
        reader.skip(1)
        increment = reader.bits(self._layer.time_bits)
        reader.skip(1)
        if kind == "B":
            return (self._last_base + seconds) * self._layer.resolution + increment
        self._last_base = self._base
        self._base += seconds
        return self._base * self._layer.resolution + increment


def _read_layer(reader: BitReader) -> _Layer:
    version = _version(reader)
    shape = reader.bits(2)
    reader.skip(1)
    resolution = max(1, reader.bits(16))
    reader.skip(1)
    if reader.flag():
        reader.skip(max(1, (resolution - 1).bit_length()))
    if shape:
        return _Layer(resolution)
    reader.skip(1)
    width = reader.bits(13)
    reader.skip(1)
    height = reader.bits(13)
    reader.skip(1)
    interlaced, plain_blocks = reader.flag(), reader.flag()
    sprite = reader.bits(1 if version == 1 else 2)
    if sprite:
        reader.skip(9 if sprite == 2 else 9 + 56 + 1)
    precision = _precision(reader)
    if reader.flag():
        for _ in range(2):
            if reader.flag():
                _quantiser_matrix(reader)
    quarter = version != 1 and reader.flag()
    simple_costs = reader.flag()
    reader.skip(1)
    partitioned = reader.flag()
    plain = not interlaced and plain_blocks
    return _Layer(
        resolution=resolution,
        quarter=quarter,
        plain=plain,
        walkable=plain and not sprite and simple_costs and not partitioned,
        precision=precision,
        columns=-(-width // 16),
        rows=-(-height // 16),
    )


def _version(reader: BitReader) -> int:
    """video_object_layer_verid, and on past aspect ratio and buffer sizes."""
    reader.skip(9)
    version = 1
    if reader.flag():
        version = reader.bits(4)
        reader.skip(3)
    if reader.bits(4) == 15:
        reader.skip(16)
    if reader.flag():
        reader.skip(3)
        if reader.flag():
            reader.skip(79)
    return version


def _precision(reader: BitReader) -> int:
    """Bits of a quantiser."""
    if not reader.flag():
        return 5
    precision = reader.bits(4)
    reader.skip(4)
    return precision


def _quantiser_matrix(reader: BitReader) -> None:
    for _ in range(64):
        if reader.bits(8) == 0:
            return

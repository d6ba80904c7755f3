"""Picture headers of MPEG-1, MPEG-2, MPEG-4 part 2, H.263 and FLV1, as far as prediction depends on them."""

from __future__ import annotations

from typing import Optional

from edgecvar.stream.bits import BitReader, HeaderEnded
from edgecvar.stream.references import CodedHeaderReader, PredictionStyle

_START = b"\x00\x00\x01"


def header_reader(codec: str, extradata: Optional[bytes]) -> CodedHeaderReader:
    """The reader for one of mpeg4, mpeg2video, mpeg1video, h263, h263p, flv1."""
    if codec == "mpeg4":
        return Mpeg4Headers(extradata)
    if codec in ("mpeg1video", "mpeg2video"):
        return Mpeg12Headers()
    return FlvHeaders() if codec == "flv1" else H263Headers()


class Mpeg4Headers:
    """Video object layers and planes (ISO/IEC 14496-2, sections 6.2.3 and 6.2.5)."""

    def __init__(self, extradata: Optional[bytes]) -> None:
        self._time_bits = 1
        self._quarter = False
        self._plain = False
        if extradata:
            self.read(extradata)

    def read(self, packet: bytes) -> PredictionStyle:
        style = PredictionStyle(self._interpolation(), certain=False, coded=False)
        start = packet.find(_START)
        while 0 <= start < len(packet) - 4:
            code = packet[start + 3]
            try:
                if 0x20 <= code <= 0x2F:
                    self._layer(BitReader(packet[start + 4 : start + 260]))
                elif code == 0xB6:
                    return self._plane(BitReader(packet[start + 4 : start + 64]))
            except HeaderEnded:
                return style
            start = packet.find(_START, start + 3)
        return style

    def _interpolation(self) -> str:
        return "mpeg4-qpel" if self._quarter else "mpeg4"

    def _layer(self, reader: BitReader) -> None:
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
        shape = reader.bits(2)
        reader.skip(1)
        self._time_bits = max(1, (reader.bits(16) - 1).bit_length())
        reader.skip(1)
        if reader.flag():
            reader.skip(self._time_bits)
        if shape:
            self._quarter = self._plain = False
            return
        reader.skip(29)
        interlaced, plain_blocks = reader.flag(), reader.flag()
        sprite = reader.bits(1 if version == 1 else 2)
        self._plain = not interlaced and plain_blocks
        if sprite:
            reader.skip(9 if sprite == 2 else 9 + 56 + 1)
        if reader.flag():
            reader.skip(8)
        if reader.flag():
            for _ in range(2):
                if reader.flag():
                    _quantiser_matrix(reader)
        self._quarter = version != 1 and reader.flag()

    def _plane(self, reader: BitReader) -> PredictionStyle:
        kind = reader.bits(2)
        while reader.flag():
            pass
        reader.skip(1 + self._time_bits + 1)
        coded = reader.flag()
        rounding = reader.bits(1) if coded and kind in (1, 3) else 0
        return PredictionStyle(self._interpolation(), rounding, self._plain and kind != 3, coded)


def _quantiser_matrix(reader: BitReader) -> None:
    for _ in range(64):
        if reader.bits(8) == 0:
            return


class Mpeg12Headers:
    """Picture headers and picture coding extensions (ISO/IEC 13818-2, sections 6.2.3 and 6.2.3.1)."""

    def read(self, packet: bytes) -> PredictionStyle:
        certain, coded = False, False
        start = packet.find(_START)
        while 0 <= start < len(packet) - 8:
            code = packet[start + 3]
            if code == 0:
                reader = BitReader(packet[start + 4 : start + 16])
                reader.skip(10)
                kind = reader.bits(3)
                reader.skip(16)
                certain = kind == 1 or not reader.flag()
                if kind == 3:
                    reader.skip(3)
                    certain = certain and not reader.flag()
                coded = True
            elif code == 0xB5 and packet[start + 4] >> 4 == 8:
                reader = BitReader(packet[start + 4 : start + 16])
                reader.skip(22)
                whole_frame = reader.bits(2) == 3
                reader.skip(1)
                certain = whole_frame and reader.flag()
            elif 1 <= code <= 0xAF:
                break
            start = packet.find(_START, start + 3)
        return PredictionStyle("mpeg1", 0, certain, coded)


class H263Headers:
    """Picture headers (ITU-T H.263, section 5.1); advanced prediction and the deblocking filter are not certain."""

    def read(self, packet: bytes) -> PredictionStyle:
        reader = BitReader(packet[:32])
        try:
            reader.skip(22 + 8 + 5)
            source = reader.bits(3)
            if source != 7:
                reader.skip(3)
                overlapped, joined = reader.flag(), reader.flag()
                return PredictionStyle("h263", 0, not (overlapped or joined))
            return self._plus(reader)
        except HeaderEnded:
            return PredictionStyle("h263", certain=False, coded=False)

    @staticmethod
    def _plus(reader: BitReader) -> PredictionStyle:
        special = False
        if reader.bits(3) == 1:
            reader.skip(6)
            overlapped = reader.flag()
            reader.skip(1)
            special = reader.flag() or overlapped
            reader.skip(9)
        kind = reader.bits(3)
        resampled = reader.bits(2) > 0
        return PredictionStyle("h263", reader.bits(1), not special and not resampled and kind < 2)


class FlvHeaders:
    """Sorenson H.263 picture headers; disposable pictures are no reference."""

    def read(self, packet: bytes) -> PredictionStyle:
        reader = BitReader(packet[:16])
        try:
            reader.skip(17 + 5 + 8)
            size = reader.bits(3)
            reader.skip({0: 16, 1: 32}.get(size, 0))
            kind = reader.bits(2)
        except HeaderEnded:
            return PredictionStyle("h263", certain=False, coded=False)
        return PredictionStyle("h263", 0, True, reference=kind != 2)

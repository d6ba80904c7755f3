"""Picture headers of MPEG-1, MPEG-2, H.263 and FLV1, as far as prediction depends on them."""

from __future__ import annotations

from typing import Optional

from edgecvar.stream.ffmpeg.headers.mpeg4 import Mpeg4Headers
from edgecvar.stream.ffmpeg.references import CodedHeaderReader, PredictionStyle
from edgecvar.stream.nal.bits import BitReader, HeaderEnded

_START = b"\x00\x00\x01"


def header_reader(codec: str, extradata: Optional[bytes]) -> CodedHeaderReader:
    """The reader for one of mpeg4, mpeg2video, mpeg1video, h263, h263p, flv1."""
    if codec == "mpeg4":
        return Mpeg4Headers(extradata)
    if codec in ("mpeg1video", "mpeg2video"):
        return Mpeg12Headers()
    return FlvHeaders() if codec == "flv1" else H263Headers()


class Mpeg12Headers:
    """Picture headers and picture coding extensions (ISO/IEC 13818-2, sections 6.2.3 and 6.2.3.1)."""

    def read(self, packet: bytes) -> PredictionStyle:
        certain, coded, fields = False, False, False
        kind = 0
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
                fields = reader.bits(2) != 3
                reader.skip(1)
                certain = not fields and reader.flag()
            elif 1 <= code <= 0xAF:
                break
            start = packet.find(_START, start + 3)
        return PredictionStyle("mpeg1", 0, certain, coded, fields=fields, opens_intra=fields and kind == 1)


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

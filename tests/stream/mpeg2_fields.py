"""MPEG-2 in field pictures, written bit by bit: no encoder at hand codes them (ISO/IEC 13818-2, section 6.2)."""

from __future__ import annotations

from typing import List, Sequence, Tuple

WIDTH, HEIGHT = 64, 96
INNER = (slice(32, 64), slice(16, 48))
"""Rows and columns of the picture whose macroblocks have no side on its border, beyond which no vector may point."""
_TOP, _BOTTOM = 1, 2
_START = b"\0\0\1"
_DC_SIZE = ("100", "00", "01", "101", "110", "1110", "11110", "111110")
"""Of luma (table B-12)."""
_MOTION = {0: "1", 1: "010", -1: "011", 2: "0010", -2: "0011", 3: "00010", -3: "00011"}
"""Table B-10."""


def _bits(*fields: Tuple[int, int]) -> str:
    return "".join(format(value, f"0{count}b") for value, count in fields)


def _unit(code: int, bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return _START + bytes([code]) + bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _sequence() -> bytes:
    header = _bits((WIDTH, 12), (HEIGHT, 12), (1, 4), (3, 4), (0x3FFF, 18), (1, 1), (100, 10), (0, 3))
    # main profile and level, interlaced, 4:2:0, without B-pictures
    extension = _bits((1, 4), (0x48, 8), (0, 1), (1, 2), (0, 4), (0, 12), (1, 1), (0, 8), (1, 1), (0, 7))
    return _unit(0xB3, header) + _unit(0xB5, extension)


def _field(number: int, kind: int, structure: int, rows: Sequence[str]) -> bytes:
    header = _bits((number, 10), (kind, 3), (0xFFFF, 16)) + (_bits((0, 1), (7, 3)) if kind == 2 else "") + "0"
    ranges = _bits((1, 4), (1, 4)) if kind == 2 else _bits((15, 4), (15, 4))
    extension = _bits((8, 4)) + ranges + _bits((255, 8), (0, 2), (structure, 2), (0, 10))
    slices = [_unit(place, _bits((2, 5), (0, 1)) + row) for place, row in enumerate(rows, start=1)]
    return _unit(0, header) + _unit(0xB5, extension) + b"".join(slices)


def _intra(greys: Sequence[int]) -> str:
    """A row of macroblocks, each of one grey."""
    bits, before = "", 128
    for grey in greys:
        blocks = ""
        for value in (grey, grey, grey, grey):
            difference, before = value - before, value
            size = abs(difference).bit_length()
            coded = difference if difference > 0 else difference + (1 << size) - 1
            blocks += _DC_SIZE[size] + (format(coded, f"0{size}b") if size else "") + "10"
        bits += "11" + blocks + 2 * "0010"
    return bits


def _inter(bottom: bool, vectors: Sequence[Tuple[int, int]]) -> str:
    """A row of macroblocks without residual, predicted from the field of that parity."""
    bits, before = "", (0, 0)
    for vector in vectors:
        across, down = vector[0] - before[0], vector[1] - before[1]
        bits += "1" + "001" + "01" + str(int(bottom)) + _MOTION[across] + _MOTION[down]
        before = vector
    return bits


def _moving(bottom: bool, vector: Tuple[int, int]) -> List[str]:
    still = [(0, 0)] * 4
    return [_inter(bottom, row) for row in (still, [(0, 0), vector, vector, (0, 0)], still)]


def field_stream(vectors: Sequence[Tuple[int, int]], greys: Sequence[Sequence[int]]) -> bytes:
    """A picture whose top field is intra, of 3 x 4 macroblocks of those greys, and whose bottom field is the same by
    prediction; then one of two predicted fields for each of the vectors, which INNER has, in half samples and half
    lines of the field, from the field of the same parity.
    """
    stream = _sequence() + _field(0, 1, _TOP, [_intra(row) for row in greys])
    stream += _field(0, 2, _BOTTOM, _moving(False, (0, 0)))
    for number, vector in enumerate(vectors, start=1):
        stream += _field(number, 2, _TOP, _moving(False, vector)) + _field(number, 2, _BOTTOM, _moving(True, vector))
    return stream + _START + b"\xb7"

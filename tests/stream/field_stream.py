"""H.264 in field pairs, written bit by bit: no encoder at hand codes fields (sections 7.3.2, 7.3.3, 7.3.5)."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

WIDTH, HEIGHT = 48, 32
_MACROBLOCKS = WIDTH // 16 * HEIGHT // 32


class Bits:
    def __init__(self) -> None:
        self._bits = ""

    def u(self, value: int, count: int) -> Bits:
        self._bits += format(value, f"0{count}b")
        return self

    def ue(self, *values: int) -> Bits:
        for value in values:
            code = format(value + 1, "b")
            self._bits += "0" * (len(code) - 1) + code
        return self

    def samples(self, data: bytes) -> Bits:
        self._bits += "0" * (-len(self._bits) % 8) + "".join(format(byte, "08b") for byte in data)
        return self

    def unit(self, head: int) -> bytes:
        """The NAL unit, with its start code."""
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        payload = bytearray()
        for at in range(0, len(bits), 8):
            byte = int(bits[at : at + 8], 2)
            if byte <= 3 and payload[-2:] == b"\0\0":
                payload.append(3)
            payload.append(byte)
        return b"\0\0\0\1" + bytes([head]) + bytes(payload)


def _sets() -> bytes:
    sequence = Bits().u(77, 8).u(0, 8).u(30, 8).ue(0, 0, 0, 4, 2).u(0, 1)
    sequence.ue(WIDTH // 16 - 1, HEIGHT // 32 - 1).u(0b00100, 5)  # fields allowed, direct 8x8, no crop, no VUI
    picture = Bits().ue(0, 0).u(0b00, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(0b100, 3)
    return sequence.unit(0x67) + picture.unit(0x68)


def _slice(kind: int, idr: bool, frame_num: int, bottom: bool, order: int) -> Bits:
    bits = Bits().ue(0, kind, 0).u(frame_num, 4).u(1, 1).u(bottom, 1)
    if idr:
        bits.ue(0)
    bits.u(order, 8)
    if kind == 5:
        bits.u(0b00, 2)  # as many references as the parameter set says, in their usual order
    return bits.u(0, 1 + idr).ue(0, 1)  # marking as usual, slice_qp_delta, no deblocking


def intra_field(samples: np.ndarray, frame: int, bottom: bool, idr: bool = False) -> bytes:
    """A field of I_PCM macroblocks, grey; `samples` uint8 (HEIGHT / 2, WIDTH)."""
    bits = _slice(7, idr, frame % 16, bottom, (2 * frame + bottom) % 256)
    for index in range(_MACROBLOCKS):
        row, column = divmod(index, WIDTH // 16)
        luma = samples[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        bits.ue(25).samples(luma.tobytes() + bytes([128]) * 128)
    return bits.unit(0x65 if idr else 0x61)


def skipped_field(frame: int, bottom: bool) -> bytes:
    """A P field that repeats its nearest reference: of a frame's second field, after an IDR picture, the first one."""
    bits = _slice(5, False, frame % 16, bottom, (2 * frame + bottom) % 256).ue(_MACROBLOCKS)
    return bits.unit(0x61)


def moved_field(frame: int, bottom: bool, mv: Tuple[int, int]) -> bytes:
    """A P field of 16 x 16 blocks whose reference is the frame before's field of the same parity; `mv` in quarters."""
    bits = _slice(5, False, frame % 16, bottom, (2 * frame + bottom) % 256)
    for index in range(_MACROBLOCKS):
        # no skip run, P_L0_16x16, the difference to the vector of the block before, nothing coded
        differences = mv if index == 0 else (0, 0)
        bits.ue(0, 0, *(2 * abs(each) - (each > 0) for each in differences), 0)
    return bits.unit(0x61)


def field_stream(frames: int) -> Tuple[List[bytes], np.ndarray]:
    """Access units of one field each, the first an IDR field of noise and all others repeating it; and that field."""
    samples = np.random.RandomState(5).randint(1, 255, (HEIGHT // 2, WIDTH)).astype(np.uint8)
    delimiter = b"\0\0\0\1\x09\xf0"
    units = [delimiter + _sets() + intra_field(samples, 0, False, idr=True), delimiter + skipped_field(0, True)]
    for frame in range(1, frames):
        units += [delimiter + skipped_field(frame, bottom) for bottom in (False, True)]
    return units, samples

"""Walking the macroblocks of MPEG-4 part 2 P- and B-VOPs for what FFmpeg does not export (section 6.2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.stream.ffmpeg.headers.mpeg4_codes import (
    CHROMA_DC,
    ESCAPE,
    INTER_4V,
    INTER_COEFFICIENTS,
    INTER_Q,
    INTRA,
    INTRA_COEFFICIENTS,
    INTRA_Q,
    LUMA_DC,
    LUMA_PATTERNS,
    MACROBLOCK_TYPES,
    VECTOR_DIFFERENCES,
    Word,
)
from edgecvar.stream.nal.bits import HeaderEnded

DIRECT, BOTH, BACKWARD, FORWARD, SKIPPED = range(5)
_DC_LIMITS = (99, 13, 15, 17, 19, 21, 23, 0)
_STEPS = (-1, -2, 1, 2)


@dataclass(frozen=True)
class CodedPlane:
    """One VOP: its bytes, where its macroblocks begin (in bits), and what its header says of them.

    `time` counts the VOL's time increments; `columns` and `rows` are macroblocks.
    """

    data: bytes
    start: int
    kind: str
    time: int
    columns: int
    rows: int
    quarter: bool
    quantiser: int
    dc_threshold: int
    forward_code: int
    backward_code: int

    @cached_property
    def skipped(self) -> NDArray[np.bool_]:
        """Macroblocks (rows, columns) of a P-VOP that are not coded; none elsewhere. Raises HeaderEnded."""
        if self.kind != "P":
            return np.zeros((self.rows, self.columns), bool)
        return _InterWalk(self).skipped()

    def modes_and_vectors(self, skipped: NDArray[np.bool_]) -> Tuple[NDArray[np.int8], NDArray[np.int32]]:
        """Of a B-VOP: modes (rows, columns) and vectors (rows, columns, 2 lists, xy) in the VOP's own units.

        For DIRECT the vector of list 0 is the coded correction. `skipped` is that of the next anchor. Raises
        HeaderEnded where the bits are none of this syntax.
        """
        return _BidirectionalWalk(self).read(skipped)


class _Walk:
    """Bit position in a VOP, and the parts of the syntax that P- and B-VOPs share."""

    def __init__(self, plane: CodedPlane) -> None:
        padded = np.frombuffer(plane.data + bytes(8), np.uint8).astype(np.uint64)
        windows = np.zeros(len(padded) - 4, np.uint64)
        for byte in range(5):
            windows = (windows << np.uint64(8)) | padded[byte : byte + len(windows)]
        self._windows: List[int] = windows.tolist()
        self._end = 8 * len(plane.data)
        self._at = plane.start
        self._plane = plane

    def _peek(self, count: int) -> int:
        """The next bits, at most 32 of them."""
        return (self._windows[self._at >> 3] >> (40 - (self._at & 7) - count)) & ((1 << count) - 1)

    def _bits(self, count: int) -> int:
        value = self._peek(count)
        self._advance(count)
        return value

    def _advance(self, count: int) -> None:
        self._at += count
        if self._at > self._end:
            raise HeaderEnded("a macroblock goes on past the picture's bytes")

    def _word(self, table: List[Word], bits: int) -> int:
        length, value = table[self._peek(bits)]
        if not length:
            raise HeaderEnded("bits that are no word of MPEG-4's code")
        self._advance(length)
        return value

    def _component(self, code: int) -> int:
        """One vector component's difference to its prediction (section 7.6.3)."""
        size = self._word(VECTOR_DIFFERENCES, 12)
        if not size:
            return 0
        negative = self._bits(1)
        shift = code - 1
        value = ((size - 1) << shift) + (self._bits(shift) if shift else 0) + 1
        return -value if negative else value

    def _coefficients(self, table: List[Word]) -> None:
        """Passes over the coefficients of one block."""
        windows, at, end = self._windows, self._at, self._end
        while at < end:
            length, kind = table[(windows[at >> 3] >> (28 - (at & 7))) & 4095]
            if not length:
                raise HeaderEnded("bits that are no coefficient")
            at += length
            if kind == ESCAPE:
                mode = (windows[at >> 3] >> (38 - (at & 7))) & 3
                if mode == 3:
                    kind = (windows[at >> 3] >> (37 - (at & 7))) & 1
                    at += 23
                else:
                    at += 2 if mode == 2 else 1
                    length, kind = table[(windows[at >> 3] >> (28 - (at & 7))) & 4095]
                    at += length
                    if not length or kind == ESCAPE:
                        raise HeaderEnded("an escape within an escape")
            if kind:
                self._at = at
                self._advance(0)
                return
        raise HeaderEnded("a block without a last coefficient")


class _InterWalk(_Walk):
    def skipped(self) -> NDArray[np.bool_]:
        plane = self._plane
        skipped = np.zeros(plane.rows * plane.columns, bool)
        self._quantiser = plane.quantiser
        for index in range(len(skipped)):
            skipped[index] = self._macroblock()
        return skipped.reshape(plane.rows, plane.columns)

    def _macroblock(self) -> bool:
        """True for one that is not coded."""
        while True:
            if self._bits(1):
                return True
            kind, chroma = divmod(self._word(MACROBLOCK_TYPES, 9), 4)
            if kind >= 0:
                break
        intra = kind in (INTRA, INTRA_Q)
        if intra:
            self._advance(1)
        pattern = self._word(LUMA_PATTERNS, 6)
        coded = ((pattern if intra else pattern ^ 15) << 2) | chroma
        dc_apart = self._quantiser < _DC_LIMITS[self._plane.dc_threshold]
        if kind in (INTER_Q, INTRA_Q):
            self._quantiser = min(31, max(1, self._quantiser + _STEPS[self._bits(2)]))
        if not intra:
            for _ in range(8 if kind == INTER_4V else 2):
                self._component(self._plane.forward_code)
        for block in range(6):
            if intra and dc_apart:
                self._dc(LUMA_DC if block < 4 else CHROMA_DC)
            if coded & (32 >> block):
                self._coefficients(INTRA_COEFFICIENTS if intra else INTER_COEFFICIENTS)
        return False

    def _dc(self, table: List[Word]) -> None:
        size = self._word(table, 12)
        self._advance(size + (1 if size > 8 else 0))


class _BidirectionalWalk(_Walk):
    def read(self, skipped: NDArray[np.bool_]) -> Tuple[NDArray[np.int8], NDArray[np.int32]]:
        plane = self._plane
        modes = np.full((plane.rows, plane.columns), SKIPPED, np.int8)
        vectors = np.zeros((plane.rows, plane.columns, 2, 2), np.int32)
        for row in range(plane.rows):
            self._last = [[0, 0], [0, 0]]
            for column in range(plane.columns):
                if not skipped[row, column]:
                    mode, vector = self._macroblock()
                    modes[row, column] = mode
                    vectors[row, column] = vector
        if not 0 < self._end - self._at <= 8:
            raise HeaderEnded("the last macroblock does not end where the picture does")
        return modes, vectors

    def _macroblock(self) -> Tuple[int, List[List[int]]]:
        if self._bits(1):
            return DIRECT, [[0, 0], [0, 0]]
        bare = self._bits(1)
        mode = DIRECT
        while not self._bits(1):
            mode += 1
            if mode > FORWARD:
                raise HeaderEnded("a macroblock type that B pictures do not have")
        coded = 0 if bare else self._bits(6)
        if mode != DIRECT and coded and self._bits(1):
            self._advance(1)
        vector = [[0, 0], [0, 0]]
        if mode == DIRECT:
            vector[0] = [self._component(1), self._component(1)]
        if mode in (FORWARD, BOTH):
            vector[0] = self._vector(0, self._plane.forward_code)
        if mode in (BACKWARD, BOTH):
            vector[1] = self._vector(1, self._plane.backward_code)
        for block in range(6):
            if coded & (32 >> block):
                self._coefficients(INTER_COEFFICIENTS)
        return mode, vector

    def _vector(self, which: int, code: int) -> List[int]:
        """A vector predicted from the last one of its list in this row of macroblocks, wrapped to its range."""
        half = 16 << code
        last = self._last[which]
        self._last[which] = [(last[axis] + self._component(code) + half) % (2 * half) - half for axis in (0, 1)]
        return self._last[which]

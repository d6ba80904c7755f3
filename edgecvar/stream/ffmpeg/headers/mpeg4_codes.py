"""The prefix codes of MPEG-4 part 2 macroblocks (ISO/IEC 14496-2, annex B), as tables to look bits up in.

Each code is written as a walk: its words from the smallest to the largest, as (length, value) and how often in a row.
A walk fills the code space from its start to its end, which `lookup` checks.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

ESCAPE = 2
"""The value of the coefficient escape, beside 0 (more follow) and 1 (the block's last)."""

STUFFING = -1
INTER, INTRA, INTER_Q, INTRA_Q, INTER_4V = range(5)

Word = Tuple[int, int]
"""Length in bits and value; length 0 for bits that are no word."""


def lookup(bits: int, words: Sequence[Word]) -> List[Word]:
    """For every pattern of `bits` bits the word it begins with."""
    filled = [word for word in words for _ in range(1 << (bits - word[0]))]
    return [(0, 0)] * ((1 << bits) - len(filled)) + filled


def _coefficients(*runs: Tuple[int, int, int]) -> List[Word]:
    """Words (length + sign, kind) from runs (length, kind, count)."""
    return [(length + (kind != ESCAPE), kind) for length, kind, count in runs for _ in range(count)]


def _inner(bits: int, words: Sequence[Word]) -> List[Word]:
    """As `lookup` for coefficients, whose sign lies beyond the word itself."""
    filled = [word for word in words for _ in range(1 << (bits - word[0] + (word[1] != ESCAPE)))]
    return [(0, 0)] * ((1 << bits) - len(filled)) + filled


COEFFICIENT_BITS = 12
_INTER_RUNS = (
    *((11, 1, 2), (11, 0, 2), (10, 1, 4), (10, 0, 8), (11, 0, 4), (11, 1, 4), (12, 0, 8), (12, 1, 8)),
    *((7, ESCAPE, 1), (10, 0, 2), (9, 1, 9), (9, 0, 12), (8, 1, 8), (8, 0, 5), (7, 1, 4), (7, 0, 4)),
    *((6, 1, 4), (6, 0, 6), (5, 0, 3), (4, 1, 1), (2, 0, 1), (3, 0, 1), (4, 0, 2)),
)
_INTRA_RUNS = (
    *((11, 1, 2), (11, 0, 2), (10, 1, 3), (10, 0, 9), (11, 0, 4), (11, 1, 4), (12, 0, 9), (12, 1, 7)),
    *((7, ESCAPE, 1), (10, 0, 2), (9, 1, 7), (9, 0, 14), (8, 1, 4), (8, 0, 3), (8, 1, 1), (8, 0, 5)),
    *((7, 1, 2), (7, 0, 1), (7, 1, 1), (7, 0, 4), (6, 1, 1), (6, 0, 1), (6, 1, 2), (6, 0, 6)),
    *((5, 0, 3), (4, 1, 1), (2, 0, 1), (3, 0, 1), (4, 0, 2)),
)
INTER_COEFFICIENTS = _inner(COEFFICIENT_BITS, _coefficients(*_INTER_RUNS))
INTRA_COEFFICIENTS = _inner(COEFFICIENT_BITS, _coefficients(*_INTRA_RUNS))

VECTOR_BITS = 12
_VECTOR_LENGTHS = (1, 2, 3, 4, 6, 7, 7, 7, 9, 9, 9, *14 * (10,), *6 * (11,), 12, 12)
VECTOR_DIFFERENCES = lookup(VECTOR_BITS, [(_VECTOR_LENGTHS[size], size) for size in range(32, -1, -1)])

PATTERN_BITS = 6
_PATTERNS = (6, 9, 8, 4, 2, 1, 0, 12, 10, 14, 5, 13, 3, 11, 7, 15)
_PATTERN_LENGTHS = (6, 6, 5, 5, 5, 5, *9 * (4,), 2)
LUMA_PATTERNS = lookup(PATTERN_BITS, list(zip(_PATTERN_LENGTHS, _PATTERNS)))

MACROBLOCK_BITS = 9
_TYPES = (
    *((9, STUFFING, 0), (9, INTRA_Q, 3), (9, INTRA_Q, 2), (9, INTRA_Q, 1), (9, INTER_Q, 3), (8, INTRA, 2)),
    *((8, INTRA, 1), (8, INTER_4V, 3), (7, INTRA, 3), (7, INTER_4V, 2), (7, INTER_4V, 1), (7, INTER_Q, 2)),
    *((7, INTER_Q, 1), (6, INTRA_Q, 0), (6, INTER, 3), (5, INTRA, 0), (4, INTER, 2), (4, INTER, 1)),
    *((3, INTER_4V, 0), (3, INTER_Q, 0), (1, INTER, 0)),
)
MACROBLOCK_TYPES = lookup(MACROBLOCK_BITS, [(length, 4 * kind + chroma) for length, kind, chroma in _TYPES])

DC_BITS = 12
LUMA_DC = lookup(DC_BITS, [*((size - 1, size) for size in range(12, 3, -1)), (3, 3), (3, 0), (2, 2), (2, 1)])
CHROMA_DC = lookup(DC_BITS, [*((size, size) for size in range(12, 1, -1)), (2, 1), (2, 0)])

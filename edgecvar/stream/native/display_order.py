"""Display indices from picture order counts, each as early as it is certain (ITU-T H.264, C.4; H.265, C.5)."""

from __future__ import annotations

import heapq
from typing import List, Optional, Tuple

MOST_REORDER = 16
"""Frames that a decoded picture buffer holds at most (A.3.1)."""
GAPS_TO_TRUST = 8
"""Distances seen before the smallest of them is taken for the smallest there is: encoders may leave pictures out."""
FRAME_STEP = 2
"""Order counts of H.264 count fields: the usual distance between frames."""

Numbered = List[Tuple[int, int]]
"""(number, display index), in display order."""


class DisplayOrder:
    """Numbers the pictures of a stream in display order while they come in decode order.

    Order counts start anew with a picture that resets them: the pictures up to the next such one are an epoch,
    displayed by rising order count. A picture's index is certain when its epoch is over, when more pictures of the
    epoch wait than the stream reorders, or when its order count is the next one possible: one above the last
    numbered one, or as far above it as the closest two that were certain otherwise. The picture that resets them is
    first in its epoch once that was certain of another (pictures below it may follow: the count may be negative).
    `step` is the distance where it is known beforehand that the stream does not reorder; it is believed as long as
    all order counts are even. `leading_first`: in decode order what is below the picture that resets them precedes all
    that is above, as in HEVC (7.4.2.2), so that nothing else has to be learned of it.

    A picture that comes below one already numbered (a broken stream, or one that reorders more than it states) gets
    the next index; `misplaced` counts these.
    """

    def __init__(self, step: Optional[int] = None, leading_first: bool = False) -> None:
        self.misplaced = 0
        self._waiting: List[Tuple[int, int]] = []
        self._next = 0
        self._last: Optional[int] = None
        self._stated_step = step
        self._step: Optional[int] = None
        self._gaps = 0
        self._least_reorder = 0
        self._opening: Optional[int] = None
        self._opens = step is not None
        self._leading_first = leading_first

    def push(self, number: int, poc: int, resets_order: bool, max_reorder: int) -> Numbered:
        """The indices that the next picture in decode order makes certain.

        `max_reorder`: pictures that may precede one in decode order and follow it in display order, 0 where both
        orders are the same (pic_order_cnt_type 2).
        """
        numbered: Numbered = []
        if resets_order:
            numbered = self.end()
            self._last, self._opening = None, poc
        elif self._last is not None and poc <= self._last:
            return [self._misplace(number, max_reorder)]
        if poc & 1:
            self._stated_step = None
        heapq.heappush(self._waiting, (poc, number))
        if resets_order and self._opens:
            numbered.append(self._take())
        if self._leading_first and self._opening is not None and poc > self._opening:
            while self._waiting[0][0] <= self._opening:
                numbered.append(self._take())
            self._opening = None
        limit = max(max_reorder, self._least_reorder)
        while self._waiting and (len(self._waiting) > limit or self._follows(self._waiting[0][0])):
            numbered.append(self._take())
        return numbered

    def end(self) -> Numbered:
        """The indices of all that wait: the epoch, or the stream, is over."""
        return [self._take() for _ in range(len(self._waiting))]

    def renew(self) -> Numbered:
        """As `end`; what is pushed from here on has order counts of its own, and follows."""
        numbered = self.end()
        self._last = self._opening = None
        return numbered

    def _follows(self, poc: int) -> bool:
        if self._last is None:
            return False
        gap = poc - self._last
        trusted = self._step if self._gaps >= GAPS_TO_TRUST else self._stated_step
        return gap <= 1 or gap == trusted

    def _take(self) -> Tuple[int, int]:
        poc, number = heapq.heappop(self._waiting)
        gap = 0 if self._last is None else poc - self._last
        if self._last is None and self._waiting and not self._leading_first:
            self._opens = poc == self._opening
        if gap > 0:
            self._gaps += 1
            self._step = gap if self._step is None else min(self._step, gap)
        self._last = poc
        return number, self._index()

    def _misplace(self, number: int, max_reorder: int) -> Tuple[int, int]:
        self.misplaced += 1
        self._least_reorder = min(MOST_REORDER, max(self._least_reorder, max_reorder) + 1)
        self._step = self._stated_step = None
        self._gaps = 0
        self._opens = False
        return number, self._index()

    def _index(self) -> int:
        self._next += 1
        return self._next - 1

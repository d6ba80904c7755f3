"""The pieces of a long file put together: what is told twice is compared, and events are made of the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from edgecvar.run.decisions import softmax
from edgecvar.run.event_settings import EventSettings
from edgecvar.run.events import Event, EventTracker
from edgecvar.scan.cutting import CHECKED
from edgecvar.scan.table import event_rows, from_bytes, in_order, scores_of, to_bytes
from edgecvar.scan.values import Counts, Piece, PieceSeen, Seen

if TYPE_CHECKING:
    import pyarrow as pa


class Joining:
    """Takes the pieces of one file in their order; `next` is the number of the one that is due."""

    def __init__(self, pieces: Sequence[Piece], labels: Sequence[str], events: EventSettings) -> None:
        self.pieces = pieces
        self.next = 0
        self._classes = len(labels)
        self._tracker = EventTracker(labels, events)
        self._events: List[Event] = []
        self._tables: List[pa.Table] = []
        self._last: Optional[pa.Table] = None
        self._left = ""
        self._counts = Counts(pieces=len(pieces))

    def add(self, seen: PieceSeen) -> bool:
        """Whether the piece goes on where the one before ended; where it does not, nothing of the file holds."""
        import pyarrow.compute as pc

        piece, table = self.pieces[self.next], from_bytes(seen.rows)
        mine = pc.greater_equal(table["decoded"], piece.begin)
        own, overlap = table.filter(mine), table.filter(pc.invert(mine))
        if self._last is not None and not (_agrees(self._last, overlap) and seen.entered == self._left):
            return False
        for seconds, scores in zip(own["seconds"].to_pylist(), scores_of(own, self._classes)):
            self._tell(self._tracker.push(seconds, softmax(scores)))
        self._tables.append(own.drop_columns(["decoded", "scores"]))
        self._last, self._left = own.slice(max(0, len(own) - CHECKED)), seen.left
        self._count(piece, seen.counts, len(own))
        self.next += 1
        return True

    @property
    def complete(self) -> bool:
        return self.next == len(self.pieces)

    def seen(self) -> Seen:
        """The file as if it had been run whole."""
        self._tell(self._tracker.finish())
        table = in_order([*self._tables, event_rows(self._events)])
        return Seen(to_bytes(table), replace(self._counts, events=len(self._events)))

    def _tell(self, events: Sequence[Event]) -> None:
        self._events += [event for event in events if event.end_seconds is not None]

    def _count(self, piece: Piece, counts: Counts, own: int) -> None:
        before = piece.begin - piece.stretch.entry.number
        self._counts = replace(
            self._counts,
            pictures=self._counts.pictures + counts.pictures - before,
            sampled=self._counts.sampled + own,
            decisions=self._counts.decisions + own,
            first_seconds=min(self._counts.first_seconds, counts.first_seconds)
            if piece.number
            else counts.first_seconds,
            last_seconds=max(self._counts.last_seconds, counts.last_seconds),
        )


def _agrees(last: pa.Table, overlap: pa.Table) -> bool:
    """Whether the newest decisions of a piece are, bit for bit, those that the next one has before its own."""
    again = overlap.slice(max(0, len(overlap) - len(last)))
    return (
        len(last) > 0
        and all(
            np.array_equal(last[name].to_numpy(), again[name].to_numpy())
            for name in ("picture", "decoded", "seconds", "label", "score")
        )
        and last["scores"].combine_chunks().equals(again["scores"].combine_chunks())
    )

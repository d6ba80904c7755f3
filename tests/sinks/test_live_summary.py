"""What a live source has been through, at the end of a run: in words and in JSON."""

from __future__ import annotations

from edgecvar.run.decisions import RunSummary
from edgecvar.sinks.json_lines import summary_document
from edgecvar.sinks.table import summary_lines
from edgecvar.stream.types import LiveCounts


def summary(live: LiveCounts) -> RunSummary:
    return RunSummary(10, 5, 5, 0, {}, wall_seconds=1.0, stream_seconds=1.0, breaks={"reconnected": 2}, live=live)


def test_it_is_said_what_happened_and_nothing_where_nothing_did():
    live = LiveCounts(2, 12.34, {"the stream ended": 2, "refused": 1}, dropped=30, thinned=4)
    assert summary_lines(summary(live))[1] == (
        "away for 12.3 s, back 2 times (refused: 1, the stream ended: 2); "
        "4 pictures not sampled, as decisions came late; 30 packets dropped up to the next I-picture, as they came late"
    )
    assert len(summary_lines(summary(LiveCounts(away_seconds=0.5)))) == 1


def test_json_has_all_counts():
    live = LiveCounts(1, 0.12345, {"refused": 1}, 2, 3)
    assert summary_document(summary(live))["live"] == {
        "reconnections": 1,
        "away_seconds": 0.123,
        "failures": {"refused": 1},
        "dropped": 2,
        "thinned": 3,
    }

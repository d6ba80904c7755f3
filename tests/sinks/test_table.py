"""What is written for decisions, and that nothing grows with the stream."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from edgecvar.console import Console
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.csv_lines import CsvLines, EventRows
from edgecvar.sinks.json_lines import JsonLines, summary_document
from edgecvar.sinks.table import LIVE_EVENTS, LIVE_ROWS, LiveTable, PlainTable, summary_lines

SUMMARY = RunSummary(
    pictures=100,
    sampled=9,
    decisions=9,
    skipped=3,
    reasons={"before the first I-picture": 2, "packet that gave no picture": 1},
    wall_seconds=0.5,
    stream_seconds=4.0,
)


def decision(index: int, label: str, probability: float = 0.5) -> Decision:
    top = ((label, probability), ("other", 1 - probability))
    return Decision(index / 10, index, index, label, probability, top, 3.25, np.zeros(2, np.float32))


def lines(sink_of, decisions, summary=SUMMARY):
    out = io.StringIO()
    with sink_of(out) as sink:
        for each in decisions:
            sink.decision(each)
        sink.finish(summary)
    return out.getvalue().splitlines()


def test_json_lines_hold_what_the_issue_names():
    written = [
        json.loads(line) for line in lines(lambda out: JsonLines(out, "a.mp4", False), [decision(3, "naïve", 0.75)])
    ]
    assert written[0] == {
        "source": "a.mp4",
        "pts_seconds": 0.3,
        "display_index": 3,
        "label": "naïve",
        "probability": 0.75,
        "top": [{"label": "naïve", "probability": 0.75}, {"label": "other", "probability": 0.25}],
        "latency_ms": 3.25,
    }
    assert written[1] == {
        "source": "a.mp4",
        "summary": {
            "pictures": 100,
            "sampled": 9,
            "skipped": 3,
            "reasons": {"before the first I-picture": 2, "packet that gave no picture": 1},
            "decisions": 9,
            "stream_fps": 200.0,
            "stream_seconds": 4.0,
            "wall_seconds": 0.5,
        },
    }


def test_csv_has_a_header_once_and_a_row_a_decision():
    rows = lines(lambda out: CsvLines(out, "a,b.mp4"), [decision(3, 'say "naïve"', 0.75)])
    assert rows == [
        "source,pts_seconds,display_index,label,probability,latency_ms,break",
        '"a,b.mp4",0.3,3,"say ""naïve""",0.75,3.25,',
    ]
    assert lines(lambda out: CsvLines(out, "b.mp4", header=False), [decision(3, "x", 0.75)])[0].startswith("b.mp4,")


def test_every_json_line_of_an_untrained_bundle_says_so():
    written = [json.loads(line) for line in lines(lambda out: JsonLines(out, "a.mp4", True), [decision(1, "a")])]
    assert [line["untrained"] for line in written] == [True, True]


def test_an_interrupted_run_and_one_without_decisions_say_so():
    summary = RunSummary(5, 0, 0, 0, {}, 0.1, 0.2, ended="interrupted")
    (line,) = lines(lambda out: JsonLines(out, "a.mp4", False), [], summary)
    document = json.loads(line)["summary"]
    assert document["ended"] == "interrupted" and document["note"].startswith("no decision")
    text = "\n".join(lines(lambda out: PlainTable(out, ["a"], False), [], summary))
    assert "ended early: interrupted" in text and "no decision" in text


def test_the_reason_that_ended_a_run_cannot_move_the_terminals_cursor():
    text = lines(lambda out: PlainTable(out, ["a"], False), [], replace(SUMMARY, ended="a\x1b[2J: broken\n"))
    assert text[-1] == "ended early: a\\x1b[2J: broken\\n"


def test_damage_that_was_concealed_is_told_beside_what_was_skipped():
    summary = replace(SUMMARY, damaged=4, damage={"mb_type out of range": 3, "pictures missing before it": 1})
    (line,) = lines(lambda out: JsonLines(out, "a.mp4", False), [], summary)
    document = json.loads(line)["summary"]
    assert document["damaged"] == 4 and document["damage"]["mb_type out of range"] == 3
    text = lines(lambda out: PlainTable(out, ["a"], False), [], summary)[-1]
    assert "3 skipped (" in text and "4 damaged (mb_type out of range: 3, pictures missing before it: 1)" in text


def test_the_plain_table_merges_equal_labels_and_aligns():
    decisions = [decision(1, "left", 0.5), decision(3, "left", 0.7), decision(5, "clockwise"), decision(7, "left", 0.9)]
    header, *rows, summary = lines(lambda out: PlainTable(out, ["left", "clockwise"], False), decisions)
    assert [row.split() for row in rows] == [
        ["0.10s", "0.30s", "left", "60.0%", "2"],
        ["0.50s", "0.50s", "clockwise", "50.0%", "1"],
        ["0.70s", "0.70s", "left", "90.0%", "1"],
    ]
    assert len({len(row) for row in (header, *rows)}) == 1
    assert "100 pictures" in summary and "3 skipped (before the first I-picture: 2" in summary


def test_a_plain_row_is_written_as_soon_as_its_stretch_ends():
    out = io.StringIO()
    sink = PlainTable(out, ["a", "b"], False)
    sink.decision(decision(1, "a"))
    assert "0.10s" not in out.getvalue()
    sink.decision(decision(2, "b"))
    assert "0.10s" in out.getvalue()


def test_the_plain_table_of_an_untrained_bundle_says_so():
    assert lines(lambda out: PlainTable(out, ["a"], True), [decision(1, "a")])[-1].startswith("untrained")


def test_the_live_table_keeps_a_bounded_number_of_rows(monkeypatch):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr("edgecvar.sinks.table.Console", lambda: console)
    sink = LiveTable("[bold]source.mp4")
    with sink:
        for index in range(200):
            sink.decision(decision(index, f"label{index}"))
        sink.finish(SUMMARY)
    shown = out.getvalue()
    assert "label199" in shown and "label0 " not in shown
    assert shown.count("label") <= 2 * LIVE_ROWS * 3
    assert "9 decisions" in shown


@pytest.mark.parametrize("label", ["[red]", "a[/]b"])
def test_labels_are_never_markup(monkeypatch, label):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr("edgecvar.sinks.table.Console", lambda: console)
    with LiveTable("source") as sink:
        sink.decision(decision(1, label))
        sink.finish(SUMMARY)
    assert label in out.getvalue()


def test_a_break_ends_a_stretch_and_is_marked():
    seen = [decision(1, "a"), replace(decision(2, "a"), opens="timestamps went back"), decision(3, "a")]
    rows = lines(lambda out: PlainTable(out, ["a"], False), seen)
    assert [row.split()[:3] for row in rows[1:4]] == [
        ["0.10s", "0.10s", "a"],
        ["--", "timestamps", "went"],
        ["0.20s", "0.30s", "a"],
    ]
    documents = [json.loads(line) for line in lines(lambda out: JsonLines(out, "a.ts", False), seen)]
    assert [document.get("break") for document in documents[:3]] == [None, "timestamps went back", None]
    assert lines(lambda out: CsvLines(out, "a.ts"), seen)[2].endswith(",timestamps went back")


def test_breaks_and_hidden_pictures_are_counted_apart():
    summary = RunSummary(10, 2, 2, 0, {}, 1.0, 0.4, hidden=12, breaks={"picture size changed": 1})
    assert "12 hidden by an edit list or the stream" in summary_lines(summary)[0]
    assert "1 break (picture size changed: 1)" in summary_lines(summary)[0]
    document = summary_document(summary)
    assert "other_layers" not in document
    assert (document["hidden"], document["breaks"]) == (12, {"picture size changed": 1})


def test_other_layers_are_said_once():
    summary = RunSummary(10, 2, 2, 0, {}, 1.0, 0.4, other_layers=36)
    assert "36 units of other layers left out" in summary_lines(summary)[0]
    assert summary_document(summary)["other_layers"] == 36


EVENT = Event(4, "wave\x1b[2J", 1.25, None, 0.75, 2.0)


def events(sink_of):
    out = io.StringIO()
    with sink_of(out) as sink:
        sink.event(EVENT)
        sink.event(replace(EVENT, end_seconds=3.5))
    return out.getvalue().splitlines()


def test_an_event_in_each_form():
    (line,) = events(lambda out: PlainTable(out, ["a"], False))
    assert line.strip() == "-- event 4: wave\\x1b[2J, 1.25 s to 3.50 s, at most 75.0% at 2.00 s --"
    began, ended = map(json.loads, events(lambda out: JsonLines(out, "a.mp4", False)))
    same = {"number": 4, "label": "wave\x1b[2J", "start_seconds": 1.25, "peak": 0.75, "peak_seconds": 2.0}
    assert began == {"source": "a.mp4", "event": {"phase": "began", **same}}
    assert ended == {"source": "a.mp4", "event": {"phase": "ended", **same, "end_seconds": 3.5}}
    assert events(lambda out: EventRows(out, "a.mp4")) == [
        "source,event,label,start_seconds,end_seconds,peak,peak_seconds",
        "a.mp4,4,wave\\x1b[2J,1.25,3.5,0.75,2.0",
    ]


def test_the_live_table_shows_a_bounded_number_of_events(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr("edgecvar.sinks.table.Console", lambda: Console(file=out, force_terminal=True, width=100))
    sink = LiveTable("source.mp4")
    for number in range(50):
        sink.event(replace(EVENT, number=number))
        sink.event(replace(EVENT, number=number, end_seconds=3.0))
    with sink:
        sink.finish(SUMMARY)
    shown = out.getvalue()
    assert "event 49: wave\\x1b[2J, 1.25 s to 3.00 s" in shown and f"event {49 - LIVE_EVENTS}:" not in shown
    assert "\x1b[2J" not in shown

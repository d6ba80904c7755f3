"""Lines of the log: one each, whatever is in them."""

from __future__ import annotations

import io
import json

from edgecvar.serve.log import Log


def lines(form: str, journal: bool = False) -> list:
    out = io.StringIO()
    log = Log(form, out, journal)  # type: ignore[arg-type]
    log.info("stream added", stream='a "name"', source="rtsp://viewer:hunter2@camera/?token=abc", number=3, none=None)
    log.error("broken", why="two\nlines \u202e", seconds=1.23456789)
    assert "hunter2" not in out.getvalue() and "abc" not in out.getvalue()
    return out.getvalue().splitlines()


def test_json_has_an_object_a_line() -> None:
    first, second = map(json.loads, lines("json"))
    assert (first["level"], first["event"], first["stream"], first["number"]) == ("info", "stream added", 'a "name"', 3)
    assert first["source"] == "rtsp://viewer:***@camera/?token=***" and "none" not in first
    assert second["why"] == "two\nlines \u202e" and second["seconds"] == 1.234568


def test_plain_lines_have_keys_and_values() -> None:
    first, second = lines("plain")
    assert first.endswith(
        'level=info event="stream added" stream="a \\"name\\"" source="rtsp://viewer:***@camera/?token=***" number=3'
    )
    assert '"two\\nlines \\u202e"' in second and second.isprintable()


def test_the_journal_gets_the_gravity_and_has_the_time_itself() -> None:
    first, second = lines("plain", journal=True)
    assert first.startswith("<6>level=info") and second.startswith("<3>level=error")


def test_a_reader_that_went_away_ends_nothing() -> None:
    out = io.StringIO()
    out.close()
    Log("plain", out).info("start")

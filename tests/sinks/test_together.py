"""Sources that run at the same time write what each writes alone, and none ends another."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing

import pytest

from edgecvar.errors import ConfigError
from edgecvar.run.event_settings import EventSettings
from edgecvar.sinks.clips.event_clips import ClipSettings
from edgecvar.sinks.job import run_job
from edgecvar.sinks.json_lines import JsonLines
from edgecvar.sinks.settings import RunConfig
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("together")
    tiny_bundle(made)
    for name, shift in (("left", -2), ("right", 2)):
        moving_clip(made / f"{name}.mp4", pictures=40, shift=shift)
    return made


def ran(folder, *names, form, **options):
    output = folder / "out.txt"
    config = RunConfig(
        sources=tuple(str(folder / name) for name in names),
        bundle=folder / "tiny.edgecvar",
        output=output,
        form=form,
        runner="onnx",
        threads=1,
        **options,
    )
    return run_job(config), output.read_text()


def by_source(lines):
    said = {}
    for line in map(json.loads, lines.splitlines()):
        line.pop("latency_ms", None)
        for part in ("stream_fps", "wall_seconds"):
            line.get("summary", {}).pop(part, None)
        said.setdefault(line["source"], []).append(line)
    return said


@pytest.mark.parametrize("events", [None, EventSettings(on=0.5, hold=0.1, shortest=0.1)])
def test_each_has_the_lines_that_it_has_alone(folder, events):
    settings = {"form": "json", "events": events}
    together, alone = (ran(folder, "left.mp4", "right.mp4", together=each, **settings) for each in (True, False))
    assert together[0] and alone[0] and together[1].count('"began"') == (2 if events else 0)
    assert by_source(together[1]) == by_source(alone[1])
    assert {line["label"] for line in map(json.loads, together[1].splitlines()) if "label" in line} == {"left", "right"}


def test_each_has_its_clips_and_is_told_to_others(folder, tmp_path):
    (tmp_path / "clips").mkdir()
    options = {"clips": ClipSettings(clips=tmp_path / "clips"), "events": EventSettings(on=0.5)}
    options.update(to=(f"sqlite:{tmp_path}/log.db",), spool=tmp_path)
    assert ran(folder, "left.mp4", "right.mp4", form="table", together=True, **options)[0]
    with closing(sqlite3.connect(str(tmp_path / "log.db"))) as log:
        told = log.execute("select source, label from events order by label").fetchall()
    assert told == [(str(folder / f"{name}.mp4"), name) for name in ("left", "right")]
    assert [each.name.split("_")[0] for each in sorted((tmp_path / "clips").iterdir())] == ["left", "right"]


def test_a_table_says_of_which_source_a_line_is(folder):
    done, text = ran(folder, "left.mp4", "right.mp4", form="table", together=True)
    assert done
    for name in ("left", "right"):
        lines = [line for line in text.splitlines() if line.startswith(str(folder / f"{name}.mp4"))]
        assert lines[0].split()[1:4] == ["from", "to", "label"]
        assert any(f" {name} " in line for line in lines[1:-1]) and "40 pictures" in lines[-1]
    assert len(text.splitlines()) == 6


def test_rows_have_one_header(folder):
    done, text = ran(folder, "left.mp4", "right.mp4", form="csv", together=True)
    rows = list(csv.DictReader(text.splitlines()))
    assert done and text.count("pts_seconds") == 1
    assert {row["source"] for row in rows} == {str(folder / f"{name}.mp4") for name in ("left", "right")}


def test_what_cannot_be_run_is_named_and_the_others_go_on(folder, capsys):
    (folder / "no.mp4").write_bytes(b"no video")
    moving_clip(folder / "intra.mp4", pictures=10, g="1")
    done, text = ran(folder, "no.mp4", "left.mp4", "intra.mp4", form="json", together=True)
    lines = by_source(text)
    assert not done
    assert [set(line) for line in lines[str(folder / "no.mp4")]] == [{"source", "error"}]
    assert "no decision" in lines[str(folder / "intra.mp4")][-1]["error"]
    assert len(lines[str(folder / "left.mp4")]) > 5
    said = capsys.readouterr().err
    assert "error: " in said and "not a video" in said and "2 of 3 sources could not be run" in said


def test_what_breaks_in_writing_ends_all_and_is_raised(folder, monkeypatch):
    def broken(self, decision):
        raise BrokenPipeError("nobody reads")

    monkeypatch.setattr(JsonLines, "decision", broken)
    with pytest.raises(ConfigError, match="nobody reads"):
        ran(folder, "left.mp4", "right.mp4", form="json", together=True)


def test_an_overlay_is_refused(folder):
    with pytest.raises(ConfigError, match="it draws no --overlay"):
        ran(folder, "left.mp4", form="json", together=True, overlay=folder / "seen.mp4")

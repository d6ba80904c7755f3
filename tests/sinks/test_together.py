"""Sources that run at the same time write what each writes alone, and none ends another."""

from __future__ import annotations

import csv
import json

import pytest

from edgecvar.errors import ConfigError
from edgecvar.sinks.job import RunConfig, run_job
from edgecvar.sinks.json_lines import JsonLines
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


def test_each_has_the_lines_that_it_has_alone(folder):
    together, alone = (ran(folder, "left.mp4", "right.mp4", form="json", together=each) for each in (True, False))
    assert together[0] and alone[0]
    assert by_source(together[1]) == by_source(alone[1])
    assert {line["label"] for line in map(json.loads, together[1].splitlines()) if "label" in line} == {"left", "right"}


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

"""`edgecvar serve` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecvar.bundle.default import default_clip
from edgecvar.cli.main import main


def run(*arguments: object) -> int:
    try:
        main(["serve", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_example_is_printed_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    pytest.importorskip("aiohttp")
    assert run("--example") == 0
    file = tmp_path / "edge.yaml"
    text = capsys.readouterr().out
    file.write_text(text, encoding="utf-8")
    assert run("--check", file) == 0
    assert "1 sources, bundle motion; nothing is wrong" in capsys.readouterr().out
    sources, *rest = text.partition("\n# bundle")
    cameras = sources.replace("\n  # ", "\n  ").replace("lobby.mp4", "test://")
    file.write_text("".join([cameras, *rest]), encoding="utf-8")
    assert run("--check", file) == 1
    assert "${DOOR_PASSWORD} is not set in the environment" in capsys.readouterr().err
    monkeypatch.setenv("DOOR_PASSWORD", "hunter2")
    assert run("--check", file) == 0
    said = capsys.readouterr()
    assert "4 sources, bundle motion; nothing is wrong" in said.out and "hunter2" not in said.out + said.err


def test_all_that_is_wrong_is_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edge.yaml"
    file.write_text("page: {host: 0.0.0.0}\nsources: {a: {uri: x, evry: 2}}\n", encoding="utf-8")
    assert run("--check", file) == run(file) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and all(line.startswith(f"error: {file}: ") for line in lines)
    assert any("did you mean 'every'?" in line for line in lines) and any("token is missing" in line for line in lines)


def test_what_cannot_be_had_is_said_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edge.yaml"
    events = "events: {labels: {lft: {'on': 1}}}"
    text = f"page: false\nsources: {{a: '{default_clip()}', b: gone.mp4}}\nto: ['sqlte:log.db']\n{events}\n"
    file.write_text(text, encoding="utf-8")
    assert run(file) == 1
    said = capsys.readouterr().err
    assert "sources.b.uri: gone.mp4: no such file" in said and "to.0: unknown kind of sink 'sqlte'" in said
    assert "unknown label 'lft' in the events: did you mean 'left'?" in said and len(said.splitlines()) == 3


@pytest.mark.parametrize("arguments", [[], ["gone.yaml"]])
def test_without_a_configuration_it_says_how_to_have_one(arguments, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) != 0
    assert "--example" in capsys.readouterr().err

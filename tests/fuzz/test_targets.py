"""The targets take their seeds and what was once a fault, and see one where there is one."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fuzz import documents, extension
from tests.fuzz.__main__ import foreign
from tests.fuzz.streams import blocks, joined
from tests.fuzz.targets import TARGETS, target

HERE = [name for name in TARGETS if name != "recipe" or find_spec("torch")]
"""The device half has no recipes."""

FILES = sorted((Path(__file__).parent / "regressions").glob("*/*"))
REGRESSIONS = [file for file in FILES if file.parent.name in HERE]
READERS = {
    "container": "open_stream",
    "headers": "H264Model",
    "manifest": "open_bundle",
    "engines": "read_engine",
    "recipe": "load_recipe",
    "service": "load_config",
    "flags": "precision_list",
}


class Fault(Exception):
    """None that a target expects."""


def broken(*args: object, **named: object) -> Any:
    raise Fault


@pytest.mark.parametrize("name", HERE)
def test_seeds_are_read(name: str) -> None:
    seeds = target(name).seeds()
    assert seeds and all(seeds.values())
    for data in seeds.values():
        target(name).check(data)


@pytest.mark.parametrize("file", REGRESSIONS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_what_was_a_fault_is_none_now(file: Path) -> None:
    target(file.parent.name).check(file.read_bytes())


@pytest.mark.parametrize("name", [name for name in HERE if name in READERS])
def test_a_fault_comes_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = target(name)
    monkeypatch.setattr(module, READERS[name], broken)
    with pytest.raises(Fault):
        for data in module.seeds().values():
            module.check(data)


def test_a_fault_of_the_core_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension.NATIVE, "Parser", broken)
    with pytest.raises(Fault):
        extension.check(joined([b"\0", b"\0", b"", b""]))


def test_every_step_of_a_session_does_something() -> None:
    """A seed's own steps give pictures, vectors, residuals and weights, so mutation begins inside the core."""
    steps, *stream = blocks(next(iter(extension.seeds().values())))
    session = extension.Session(stream)
    for step in steps[:18]:
        session.take(step)
    assert session.number == 3 and len({array.shape for array in session.arrays}) >= 7


def test_blocks_are_what_was_joined() -> None:
    assert list(blocks(joined([b"", b"ab", b"c" * 300]))) == [b"", b"ab", b"c" * 300]
    assert list(blocks(b"\0\5ab")) == [b"ab"] and list(blocks(b"\0")) == []


@pytest.mark.parametrize(("name", "reason"), [("crash-1", "FFmpeg reads it"), ("timeout-1", "it is slow")])
def test_a_fault_is_ours_where_ffmpeg_alone_lives(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / name).write_bytes(target("container").seeds()["h264.ts"])
    assert not foreign("container", tmp_path), reason
    assert not foreign("headers", tmp_path)


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_mutated_document_keeps_its_syntax(kind: str) -> None:
    document = {"a": [1, {"b": "c"}], "d": None, "e": {"f": 0.5}}
    text = json.dumps(document) if kind == "json" else yaml.safe_dump(document)
    changed = [documents.mutated(text.encode() + b"\0rest", seed).split(b"\0") for seed in range(200)]
    read = [(json.loads if kind == "json" else yaml.safe_load)(data.decode("utf-8", "replace")) for data, _ in changed]
    assert {rest for _, rest in changed} == {b"rest"}
    assert sum(each != document for each in read) > 150 and len({repr(each) for each in read}) > 40
    assert documents.mutated(b"\xff{", 1) == b"\xff{"

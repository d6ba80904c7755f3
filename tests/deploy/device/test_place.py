"""The folder on a device: what is kept, what goes, and what is never touched."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgecvar.deploy import device
from edgecvar.deploy.connection import SENT
from edgecvar.deploy.device.main import _carry_engines
from edgecvar.deploy.device.peer import Failure
from edgecvar.deploy.device.place import INSTALLED, RECORD, Place, sha256_of, write_private, write_record


def release(place: Place, number: int, environment: str = "a", **files: str) -> None:
    folder = place.release(number)
    folder.mkdir(parents=True)
    hashes = {}
    for name, text in files.items():
        (folder / name).write_text(text)
        hashes[name] = sha256_of(folder / name)
    write_record(folder / RECORD, {"number": number, "environment": environment, "files": hashes})
    place.environment(environment).mkdir(parents=True, exist_ok=True)
    write_record(place.environment(environment) / INSTALLED, {})


def test_the_newest_stay_and_the_one_that_runs(tmp_path: Path) -> None:
    place = Place(tmp_path / "root")
    for number, environment in ((2, "a"), (3, "b"), (9, "c"), (10, "c")):
        release(place, number, environment)
    place.release(11).mkdir()  # never finished
    place.switch(2)
    assert place.next_number() == 11
    assert place.tidy(2) == [3, 11]
    assert [record["number"] for record in place.records()] == [2, 9, 10]
    assert place.environments() == ["a", "c"]
    assert os.readlink(place.root / "current") == "releases/2"


def test_what_a_process_may_have_found_as_the_current_one_stays(tmp_path: Path) -> None:
    place = Place(tmp_path / "root")
    for number in (1, 2, 3, 4, 5):
        release(place, number, "abcde"[number - 1])
        record = json.loads((place.release(number) / RECORD).read_text())
        write_record(place.release(number) / RECORD, {**record, "deployed": number * 1000.0})
    place.switch(5)
    assert place.tidy(1, 4, 2500.0) == [1]  # of 2500: it runs what came at 2000
    assert place.environments() == ["b", "c", "d", "e"]
    assert place.tidy(1, 4, None) == [2, 3]
    assert place.tidy(1) == [4]


def test_the_one_that_runs_is_known_without_its_record(tmp_path: Path) -> None:
    place = Place(tmp_path / "root")
    release(place, 1)
    release(place, 2)
    place.switch(2)
    (place.release(2) / RECORD).write_text("")
    assert place.leads_to(2) and not place.leads_to(1) and place.next_number() == 3


def test_records_are_their_owner_s_alone(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml").write_text("left by a power cut, for everybody")
    write_private(tmp_path / "config.yaml", "page: {token: secret}")
    write_record(tmp_path / RECORD, {"config": "secret"})
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "config.yaml": 0o600,
        RECORD: 0o600,
    }


def test_a_file_that_changed_there_is_sent_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "root")
    release(place, 1, one="1", two="2")
    (place.release(1) / "two").write_text("damaged")
    wanted = [hashlib.sha256(text.encode()).hexdigest() for text in ("1", "2", "3")]
    place.incoming.mkdir()
    (place.incoming / "0.part").write_text("of another deploy")
    assert place.missing(wanted) == wanted[1:]
    assert list(place.incoming.iterdir()) == []


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    with pytest.raises(Failure, match="there are other things in it"):
        Place(tmp_path).lock("me")
    Place(tmp_path / "new").lock("me")
    assert Place(tmp_path / "new").held_by() == "me"


def test_engines_come_along_where_they_are_as_they_were_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name, written in (("whole", "engine"), ("damaged", "another")):
        folder = old / "engines" / name
        folder.mkdir(parents=True)
        (folder / "a.engine").write_text("engine")
        digest = hashlib.sha256(written.encode()).hexdigest()
        (folder / "index.json").write_text(json.dumps({"sha256": {"a.engine": digest}}))
    for name, listed in (
        ("leads out", {"../whole/a.engine": sha256_of(old / "engines" / "whole" / "a.engine")}),
        ("nested", {"b/a.engine": ""}),
        ("numbers", {"a.engine": 1}),
        ("list", ["a.engine"]),
        ("null", None),
    ):
        (old / "engines" / name).mkdir()
        (old / "engines" / name / "index.json").write_text(json.dumps({"sha256": listed}))
    shutil.copytree(str(old / "engines" / "whole"), str(old / "engines" / "link"))
    (old / "engines" / "link" / "a.engine").unlink()
    (old / "engines" / "link" / "a.engine").symlink_to(old / "engines" / "whole" / "a.engine")
    (old / "engines" / "linked").symlink_to(old / "engines" / "whole")
    _carry_engines([tmp_path / "nothing", old], new)
    assert [folder.name for folder in (new / "engines").iterdir()] == ["whole"]
    assert (new / "engines" / "whole" / "a.engine").read_text() == "engine"


def test_what_runs_there_is_python_3_6_and_its_library(monkeypatch: Any) -> None:
    """JetPack 4.6 has no other; the order is that in which modules need each other."""
    folder = Path(device.__file__).parent
    assert {file.stem for file in folder.glob("*.py")} == {*SENT, "__init__"}
    known = set()
    for name in SENT:
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 6))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = str(node.module)
                assert module != "__future__" and "dataclass" not in module, name
                assert not module.startswith("edgecvar") or module.rpartition(".")[2] in known, (name, module)
        known.add(name)

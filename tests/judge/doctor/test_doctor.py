"""The check-up: what is broken is a line with its remedy, whatever a library does when it is imported."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgecvar.cli.main import main
from edgecvar.judge.doctor import libraries, places
from edgecvar.judge.doctor.child import looked
from edgecvar.judge.doctor.finding import Finding
from edgecvar.judge.doctor.libraries import EXTRAS, NEEDED, look_at, look_at_extra, look_at_tensorrt

ROOT = Path(__file__).resolve().parents[3]
OTHERWISE = Finding("extras", "flow: strange", "missing", "", "pip install 'edgecvar[flow]'")


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A library that does, when it is imported, what it is told."""

    def make(text, name="strange"):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    return make


@pytest.fixture
def doctor(capsys, monkeypatch):
    """Exit code and output; of extras and programs as few as can be."""
    monkeypatch.setattr("edgecvar.judge.doctor.checkup.EXTRAS", ["ray"])
    monkeypatch.setattr("edgecvar.judge.doctor.checkup._PROGRAMS", (("no-such-program", "nothing", "nothing"),))

    def run(*arguments):
        code = 0
        try:
            main(["doctor", *arguments])
        except SystemExit as stop:
            code = stop.code or 0
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def test_here_everything_that_is_needed_works(doctor):
    code, out, err = doctor("--json")
    document = json.loads(out)
    found = [Finding(**each) for each in document["findings"]]
    assert (code, document["runs"], err) == (0, True, "")
    needed = {each.name: each.state for each in found if each.needed}
    assert set(needed) >= {"numpy", "av", "onnxruntime", "h264", "run"} and set(needed.values()) == {"ok"}
    assert found[-1].name == "run" and re.match(r"[1-9]\d+ decisions by ", found[-1].detail)
    assert next(each.state for each in found if each.name == "no-such-program") == "optional"
    assert all(each.state == "ok" or each.remedy or each.group in ("cameras", "decoders") for each in found)


def test_a_broken_needed_library_is_told_and_so_is_what_comes_of_it(doctor, strange):
    strange("raise ImportError('libgomp.so.1: cannot allocate memory in static TLS block')", "onnxruntime")
    code, out, _ = doctor()
    assert code == 1
    assert re.search(r"broken +onnxruntime +cannot be imported: .*LD_PRELOAD=libgomp\.so\.1", out)
    assert re.search(r"broken +run +.*ONNX Runtime cannot be imported", out)
    assert out.splitlines()[-1] == "nothing runs here before this is mended: onnxruntime, run"
    assert re.search(r"ok +numpy", out)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process crashed (SIGSEGV)"),
        ("raise OSError('libcuda.so.1: cannot open shared object file')", "cannot be imported: libcuda.so.1"),
        ("import os; os._exit(7)", "exit code 7"),
        ("raise SystemExit('told to stop')", "told to stop"),
        ("print('noise'); print('[]', end='')", None),
    ],
)
def test_whatever_an_import_does_is_one_line(strange, text, detail):
    (found,) = look_at(strange(text), OTHERWISE)
    if detail is None:
        assert found.state == "ok"
    else:
        assert found.state == "broken" and found.detail.startswith(detail) and found.remedy == OTHERWISE.remedy


def test_a_file_of_the_current_folder_is_not_taken_for_a_library(tmp_path, monkeypatch):
    for name in ("numpy", "json", "runpy"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    (found,) = look_at("numpy", OTHERWISE)
    assert found.state == "ok" and not (tmp_path / "run").exists()


def test_what_hangs_is_left_behind(strange):
    words = ["library", strange("import time; time.sleep(60)"), "extras", "strange", "0", ""]
    (found,) = looked(words, OTHERWISE, seconds=0.5)
    assert (found.state, found.detail) == ("broken", "no answer within 0.5 s") and "less to do" in found.remedy


def test_an_extra_is_one_line_or_a_line_a_library(strange, monkeypatch):
    monkeypatch.setitem(EXTRAS, "odd", ("nothing", ("no_such_one", "no_such_two")))
    (found,) = look_at_extra("odd")
    assert (found.state, found.remedy) == ("optional", "pip install 'edgecvar[odd]'")
    monkeypatch.setitem(EXTRAS, "odd", ("nothing", ("no_such_one", strange("__version__ = '3'"))))
    assert [(each.name, each.state) for each in look_at_extra("odd")] == [
        ("odd: no_such_one", "missing"),
        ("odd: strange", "ok"),
    ]


def test_every_extra_and_dependency_of_the_package_is_looked_at():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(
        re.findall(r"^(\w+) = \[", text.split("[project.optional-dependencies]")[1].split("[project.")[0], re.M)
    )
    assert extras - set(EXTRAS) <= {"test", "dev", "docs", "gpu"}
    dependencies = re.search(r"^dependencies = \[(.*)\]", text, re.M).group(1)
    assert set(re.findall(r'"([A-Za-z]+)', dependencies)) == set(NEEDED.values())


def test_tensorrt_that_this_python_does_not_see_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "installed", lambda module: False)
    monkeypatch.setattr(libraries, "TENSORRT", tmp_path / "nothing")
    assert look_at_tensorrt()[0].state == "optional"
    monkeypatch.setattr(libraries, "TENSORRT", tmp_path)
    (found,) = look_at_tensorrt()
    assert found.state == "missing" and "--system-site-packages" in found.remedy


def test_device_files_that_are_shut_are_told_by_their_group(monkeypatch, tmp_path):
    (tmp_path / "video0").write_text("")
    monkeypatch.setattr(places, "NODES", (str(tmp_path / "video*"),))
    assert places.device_nodes()[0].state == "ok"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(places, "_group", lambda path: "video")
    (found,) = places.device_nodes()
    assert found.state == "missing" and str(tmp_path / "video0") in found.detail
    assert found.remedy.startswith("sudo usermod -aG video ") and not replace(found, needed=False).stops


def test_nobody_is_told_to_become_a_member_of_root(monkeypatch, tmp_path):
    (tmp_path / "nvhost-x").write_text("")
    monkeypatch.setattr(places, "NODES", (str(tmp_path / "nvhost-*"),))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for mode in (0o600, 0o640):
        (tmp_path / "nvhost-x").chmod(mode)
        (found,) = places.device_nodes()
        assert "usermod" not in found.remedy and 'KERNEL=="nvhost-x", GROUP="video"' in found.remedy


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    state, cache = places.folders()
    assert state.state == "missing" and "XDG_STATE_HOME" in state.remedy
    assert (cache.state, cache.detail) == ("ok", str(tmp_path / "edgecvar"))

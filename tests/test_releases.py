"""What a release is made by: workflows that do no more than make does, and wheels for every Python that is promised."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import edgecvar

TOP = Path(__file__).resolve().parent.parent
WORKFLOWS = TOP / ".github" / "workflows"
RELEASE = yaml.safe_load((WORKFLOWS / "release.yml").read_text(encoding="utf-8"))
MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")


@pytest.fixture()
def tool(monkeypatch):
    """A module of .ci/wheels, by name; they import each other."""
    monkeypatch.syspath_prepend(str(TOP / ".ci" / "wheels"))

    def load(name):
        spec = importlib.util.spec_from_file_location(name, TOP / ".ci" / "wheels" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def steps(job):
    return RELEASE["jobs"][job].get("steps", [])


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_actions_are_pinned_by_their_commit(workflow):
    used = re.findall(r"uses: (\S+)(.*)", workflow.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_what_the_release_runs_is_in_the_makefile():
    commands = [step["run"] for job in RELEASE["jobs"] for step in steps(job) if "run" in step]
    words = [[word for word in command.split() if "=" not in word] for command in commands]
    targets = [word for make, *rest in words for word in rest]
    assert {make for make, *_ in words} == {"make"}
    assert sorted(targets) == ["sbom", "tagged", "wheels", "wheels-check"]
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)
    assert RELEASE["jobs"]["tests"]["uses"] == "./.github/workflows/ci.yml"


def test_only_the_job_that_publishes_may_more_than_read():
    rights = {name: job["permissions"] for name, job in RELEASE["jobs"].items()}
    assert RELEASE["permissions"] == {}
    assert rights.pop("published") == {"attestations": "write", "id-token": "write"}
    assert all(right == {"contents": "read"} for right in rights.values())
    published = RELEASE["jobs"]["published"]
    assert set(published["needs"]) == set(RELEASE["jobs"]) - {"published"}
    assert published["if"] == "github.event_name == 'push' && github.ref_type == 'tag'"  # not one that is begun by hand
    assert published["environment"] == "pypi"
    assert not any("run" in step for step in steps("published"))


def test_every_python_that_is_promised_gets_a_wheel(tool):
    build = tool("build")
    metadata = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)\"", metadata)
    assert [version for version in build.VERSIONS if not version.endswith("t")] == promised
    assert f'requires-python = ">={promised[0]}"' in metadata
    (setup,) = (
        step["with"]["python-version"].split() for step in steps("wheels") if "setup-python" in step.get("uses", "")
    )
    assert sorted(setup) == sorted(promised)


def test_tags_and_names_of_wheels(tool):
    build = tool("build")
    plain, free = build.Target("3.8", "aarch64"), build.Target("3.14t", "x86_64")
    assert (plain.tag, plain.suffix) == ("cp38-cp38-linux_aarch64", ".cpython-38-aarch64-linux-gnu.so")
    assert (free.tag, free.suffix) == ("cp314-cp314t-linux_x86_64", ".cpython-314t-x86_64-linux-gnu.so")
    flags = {each: build.defines(each, Path("include"))["CMAKE_CXX_FLAGS"].split() for each in (plain, free)}
    assert [each for each in flags if "-DPy_GIL_DISABLED=1" in flags[each]] == [free]


def test_headers_are_those_of_an_installed_python(tool, tmp_path, monkeypatch):
    pythons = tool("pythons")
    include = tmp_path / "include"
    include.mkdir()
    fake = tmp_path / "python3.99"
    # As a stand-in of pyenv's: it is the interpreter that it starts that counts.
    other = tmp_path / "other" / "python"
    fake.write_text(f"#!/bin/sh\ncase $2 in *executable*) echo {other};; esac\n", encoding="utf-8")
    other.parent.mkdir()
    other.write_text(f"#!/bin/sh\necho {include}\n", encoding="utf-8")
    other.chmod(0o755)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.headers("3.99", "aarch64", tmp_path) is None  # no Python.h, and no suite of Debian has it
    (include / "Python.h").touch()
    assert pythons.headers("3.99", "aarch64", tmp_path) == include
    assert pythons.runnable("3.98", os.uname().machine, tmp_path) is None


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("tag", "code"),
    [
        (f"v{edgecvar.__version__}", 0),
        ("v9.9.9", 2),
        (edgecvar.__version__[:-1], 2),
        ("v.....", 2),
        ("v1';touch$IFS'ran';'", 2),
        ("v1$(shell touch ran)", 2),
        ("v1`touch ran`", 2),
    ],
)
def test_a_tag_is_the_version_and_is_not_run(tag, code, tmp_path):
    words = ["make", "--silent", "--file", str(TOP / "Makefile"), "tagged"]
    shutil.copy(str(TOP / "pyproject.toml"), str(tmp_path))
    environment = {**os.environ, "TAG": tag}
    done = subprocess.run(words, cwd=str(tmp_path), env=environment, stdout=subprocess.PIPE, check=False)
    assert done.returncode == code
    assert (b"is not pyproject.toml's version" in done.stdout) == bool(code)
    assert [each.name for each in tmp_path.iterdir()] == ["pyproject.toml"]

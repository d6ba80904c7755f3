"""Every script of docs/python.md runs as it stands, and values show themselves in a notebook."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.moving_clip import moving_clip

TOP = Path(__file__).resolve().parents[1]
SCRIPTS = dict(
    re.findall(r"## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", (TOP / "docs/python.md").read_text(), re.S)
)


@pytest.fixture
def folder(tmp_path):
    """What the document's names stand for."""
    shutil.copytree(TOP / "edgecvar" / "demo" / "motion.edgecvar", tmp_path / "motion.edgecvar")
    moving_clip(tmp_path / "camera.mp4", pictures=40, bf="2")
    (tmp_path / "recordings").mkdir()
    moving_clip(tmp_path / "recordings" / "one.mp4", pictures=30)
    (tmp_path / "recordings" / "broken.mp4").write_text("no video")
    return tmp_path


def run(name, folder):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPTS[name]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_the_document_has_five_scripts():
    assert list(SCRIPTS) == [
        "Decisions",
        "Vectors to numpy",
        "Vectors and residual to an .npz",
        "A network of your own",
        "A folder",
    ]


def test_decisions(folder):
    lines = run("Decisions", folder)
    assert lines[0].startswith("<Model motion: 12 classes") and lines[-1].startswith("<RunSummary: 10 decisions")
    assert len(lines) == 12 and all(" s  " in line and line.endswith("%") for line in lines[1:-1])


def test_vectors_to_numpy(folder):
    lines = run("Vectors to numpy", folder)
    assert len(lines) > 30 and all("exact: True" in line for line in lines)
    assert sum("fastest 2." in line for line in lines) > 20  # as the clip was made


def test_vectors_and_residual_to_an_npz(folder):
    assert run("Vectors and residual to an .npz", folder) == []
    with np.load(folder / "camera.npz") as written:
        count = len(written["times"])
        assert count > 30 and written["vectors"].shape[:2] == (count, 2) and written["residuals"].dtype == np.int16
        assert written["references"].min() >= 0 and written["references"].max() < 40


@pytest.mark.skipif(find_spec("torch") is None, reason="needs the train extra")
def test_a_network_of_your_own(folder):
    lines = run("A network of your own", folder)
    assert len(lines) > 30 and all(line.endswith("]") for line in lines)


def test_a_folder(folder):
    (line,) = run("A folder", folder)
    assert "broken.mp4" in line
    header, *rows = (folder / "seen.csv").read_text().splitlines()
    assert header == "file,label,decisions,share" and all(row.startswith("recordings/one.mp4,") for row in rows)
    assert sum(float(row.rpartition(",")[2]) for row in rows) == pytest.approx(1)


CELLS = [
    "import edgecvar\nmodel = edgecvar.load()\nmodel",
    "next(iter(model.run('camera.mp4')))",
    "with edgecvar.open_stream('camera.mp4') as stream:\n"
    "    first, second = (picture for picture, _ in zip(stream, range(2)))\n"
    "    first.image, second.motion  # while the stream is open\n"
    "first",
    "second",
    "model.run('nothing.mp4')",
]


@pytest.mark.skipif(find_spec("nbclient") is None or find_spec("ipykernel") is None, reason="needs nbclient")
def test_a_notebook(folder):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TOP), os.environ.get("PYTHONPATH", "")])
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute(cwd=str(folder))
    shown = [cell.outputs[-1] for cell in notebook.cells]
    assert shown[0]["data"]["text/plain"].startswith("<Model motion: 12 classes")
    assert shown[1]["data"]["text/plain"].startswith("<Decision at ")
    for output, kind in zip(shown[2:4], "IP"):
        assert output["data"]["text/plain"].startswith(f"<{kind} picture") and output["data"]["image/png"]
    assert (shown[4]["ename"], shown[4]["evalue"]) == ("StreamError", "nothing.mp4: no such file")

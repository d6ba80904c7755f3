"""Runs a notebook whole, in an empty folder: `python docs/site/run_notebook.py NOTEBOOK RESULT`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOP = Path(__file__).resolve().parents[2]
CELL_SECONDS = 600


def run(source: Path, result: Path) -> None:
    """Raises nbclient's CellExecutionError where a cell fails; the result appears when all of them have run."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TOP), os.environ.get("PYTHONPATH", "")])
    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", coalesce_streams=True).execute(cwd=folder)
    result.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, result)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))

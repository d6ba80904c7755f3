"""What the documentation site is made of: pages of commands, of notebooks that were run, links between pages."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgecvar.cli.bench.timing import OTHERS
from edgecvar.cli.main import VERBS

SITE = Path(__file__).resolve().parent.parent / "docs" / "site"


def part(name: str) -> ModuleType:
    """One of the modules beside mkdocs' hooks, which are no package."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", SITE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_links_lead_to_pages_or_are_words() -> None:
    relink = part("links").relink
    text = (
        "[a](../jetson/README.md#power-mode) [b](notebooks/look.ipynb) [c](../LICENSE) [d](https://e.f) ![g](page.jpg)"
    )
    assert relink(text, "train.md") == (
        "[a](jetson.md#power-mode) [b](notebooks/look.md) c [d](https://e.f) ![g](page.jpg)"
    )
    assert (
        relink("[a](../docs/report-a-device.md) [b](../README.md)", "jetson.md")
        == "[a](report-a-device.md) [b](index.md)"
    )
    assert relink("[a](../deploy.md)", "notebooks/look.md") == "[a](../deploy.md)"
    code = "```\n[a](../LICENSE)\n```"
    assert relink(code, "train.md") == code


def test_every_verb_has_a_page_with_its_options() -> None:
    pages = {page.path: page.text for page in part("cli_pages").cli_pages()}
    assert set(pages) == {"cli/index.md", *(f"cli/{verb}.md" for verb in VERBS)}
    assert all(f"({verb}.md)" in pages["cli/index.md"] for verb in VERBS)
    run = pages["cli/run.md"]
    assert run.startswith("# edgecvar run\n\n```\nedgecvar run [OPTIONS] SOURCE...\n```")
    assert "```bash\nedgecvar run camera.mp4\n" in run and "`--overlay PATH`\n:   Also draw" in run
    assert "--bundle" not in pages["cli/compile.md"]  # hidden: it tells where it has gone
    for usage in OTHERS:
        assert f"## edgecvar bench {'--for DEVICE' if usage[0] == '-' else usage.split()[0]}\n" in pages["cli/bench.md"]


def test_help_is_no_markup() -> None:
    prose = part("cli_pages")._prose
    assert prose("a_b* [x<=3] `c_d` --to") == r"a\_b\* \[x&lt;=3\] `c_d` `--to`{.flag}"


def cell(text: str, *outputs: object) -> object:
    return {"cell_type": "code", "source": text.splitlines(keepends=True), "outputs": list(outputs)}


def write(file: Path, *cells: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"cells": list(cells)}), encoding="utf-8")


def test_a_notebook_becomes_a_page_with_its_pictures(tmp_path: Path) -> None:
    pages = part("notebook_pages").notebook_pages
    write(tmp_path / "docs" / "a.ipynb", cell("print(1)\nshow()"))
    printed = {"output_type": "stream", "text": ["\x1b[1m1\x1b[0m\n"]}
    shown = {
        "output_type": "display_data",
        "data": {"image/png": base64.b64encode(b"png").decode(), "text/plain": "<A>"},
    }
    with pytest.raises(ValueError, match="make site"):
        pages(tmp_path / "docs", tmp_path / "run")
    write(tmp_path / "run" / "a.ipynb", cell("print(1)\nshow()", printed, shown))
    made = pages(tmp_path / "docs", tmp_path / "run")
    assert made["notebooks/a-1.png"] == b"png"
    assert made["notebooks/a.md"].startswith(
        "```python\nprint(1)\nshow()\n```\n\n```{ .text .shown }\n1\n```\n\n![A](a-1.png)\n\n"
    )
    write(tmp_path / "docs" / "a.ipynb", cell("print(2)"))
    with pytest.raises(ValueError, match="of another text"):
        pages(tmp_path / "docs", tmp_path / "run")

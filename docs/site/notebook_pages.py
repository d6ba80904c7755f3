"""A page a notebook: its words, its code, and what the code showed when it was run."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Union

Content = Union[str, bytes]
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def notebook_pages(sources: Path, run: Path) -> Dict[str, Content]:
    """By their place in the site, the pages of all notebooks and their pictures.

    Raises ValueError where `run` lacks the one that was run, or has that of another text.
    """
    made: Dict[str, Content] = {}
    for source in sorted(sources.glob("*.ipynb")):
        made.update(_page(source, run / source.name))
    return made


def _page(source: Path, run: Path) -> Dict[str, Content]:
    if not run.is_file():
        raise ValueError(f"{run}: not there; `make site` runs the notebooks first")
    cells = json.loads(run.read_text(encoding="utf-8"))["cells"]
    if [_text(cell["source"]) for cell in cells] != [_text(cell["source"]) for cell in _cells(source)]:
        raise ValueError(f"{run}: of another text than {source}; `make site` runs it again")
    files: Dict[str, Content] = {}
    parts: List[str] = []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            parts.append(_text(cell["source"]))
            continue
        parts.append(f"```python\n{_text(cell['source'])}\n```")
        for output in cell["outputs"]:
            parts += _shown(output, source.stem, files)
    parts.append(f"This page is `docs/notebooks/{source.name}`, run when the site was built.")
    return {f"notebooks/{source.stem}.md": "\n\n".join(parts), **files}


def _cells(notebook: Path) -> List[Dict[str, Any]]:
    cells: List[Dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return cells


def _shown(output: Dict[str, Any], name: str, files: Dict[str, Content]) -> Iterator[str]:
    """An output as Markdown; a picture goes into `files`."""
    data = output.get("data", {})
    if "image/png" in data:
        place = f"{name}-{len(files) + 1}.png"
        files[f"notebooks/{place}"] = base64.b64decode(_text(data["image/png"]))
        yield f"![{_text(data.get('text/plain', '')).strip('<>')}]({place})"
    else:
        text = COLOURS.sub("", _text(output.get("text") or data.get("text/plain") or "")).rstrip()
        if text:
            yield f"```{{ .text .shown }}\n{text}\n```"


def _text(value: Union[str, List[str]]) -> str:
    return value if isinstance(value, str) else "".join(value)

"""What stands around the code: licence, workflow, versions, and that the documents name what is there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
import yaml

import edgecvar

TOP = Path(__file__).resolve().parent.parent
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
FOLDERS = ("edgecvar", "tests", "recipes", "jetson", "docs", ".ci", ".github")
SOURCES = (".py", ".pyi", ".cpp", ".h", ".yaml", ".yml", ".toml", ".sh", ".md", ".txt")
NAMES = {file.name for folder in (TOP, *map(TOP.joinpath, FOLDERS)) for file in folder.glob("*")}
NAMES |= {file.name for folder in FOLDERS for file in (TOP / folder).rglob("*")}


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(document: Path) -> List[str]:
    """The targets of its links that lead into the repository, without places inside a file."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    return [target.split("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


def named(document: Path) -> Iterator[Tuple[str, str]]:
    """The file paths that it names in backticks, each with a name of that file where one follows (`path` `name`)."""
    for path, name in re.findall(r"`([^`\s]+)`(?=(?:\s+`([A-Za-z_][\w.]*)`)?)", prose(document)):
        if re.fullmatch(r"[\w.<>*-]+(/[\w.<>*-]*)*", path):
            yield path, name if path.endswith(".py") else ""


def files(path: str) -> List[Path]:
    """What a path stands for, from the top or from the package; `<name>` is any name."""
    pattern = re.sub(r"<[\w-]+>", "*", path).rstrip("/")
    return [file for root in (TOP, TOP / "edgecvar") for file in root.glob(pattern)]


def is_path(path: str) -> bool:
    """Whether it is meant as a file or folder of this repository, not as one of a bundle or of a device."""
    if "/" in path:
        return path.split("/")[0] in FOLDERS or path.endswith(SOURCES)
    return path.endswith((".py", ".cpp", ".h", ".sh"))  # other endings may be those of what the code writes


def defined(file: Path, name: str) -> bool:
    """Whether a function, class, field or constant of that name is in the file; of `A.b` each part is."""
    text = file.read_text(encoding="utf-8")
    found = r"\b(def|class)\s+{0}\b|^\s*{0}\s*(:|=[^=])"
    return all(re.search(found.format(re.escape(part)), text, re.MULTILINE) for part in name.split("."))


def test_the_licence_is_the_whole_of_apache_2():
    text = (TOP / "LICENSE").read_text(encoding="utf-8")
    assert text.split()[:7] == [
        "Apache",
        "License",
        "Version",
        "2.0,",
        "January",
        "2004",
        "http://www.apache.org/licenses/",
    ]
    assert "END OF TERMS AND CONDITIONS" in text and text.rstrip().endswith("limitations under the License.")
    assert 'license = "Apache-2.0"' in (TOP / "pyproject.toml").read_text(encoding="utf-8")


def test_one_version():
    (version,) = re.findall(r'^version = "(.+)"$', (TOP / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version == edgecvar.__version__
    assert f"\n## {version} " in (TOP / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_hosted_run_is_ours():
    workflow = yaml.safe_load((TOP / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"} and job["timeout-minutes"] > 0
    assert os.access(TOP / ".ci" / "run", os.X_OK)
    (python,) = (step["with"] for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert python["python-version"].split() == ["3.8", "3.13", "3.11"]
    assert all((TOP / file).is_file() for file in python["cache-dependency-path"].split())


@pytest.mark.parametrize("document", [*DOCUMENTS, TOP / "jetson" / "README.md"], ids=lambda file: file.name)
def test_links_lead_somewhere(document):
    missing = [target for target in links(document) if not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_what_a_document_names_is_there(document):
    wrong = []
    shown = re.findall(r"^```\w+\n# (\S+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    for path, name in named(document):
        if not is_path(path) or path in shown:  # a file that the document itself gives
            continue
        there = files(path) if "/" in path else path in NAMES
        if not there:
            wrong.append(path)
        elif name and not any(defined(file, name) for file in files(path)):
            wrong.append(f"{path} {name}")
    assert wrong == []


def test_what_is_looked_for_can_be_missed(tmp_path):
    """The two tests above, on a document that is wrong."""
    document = tmp_path / "wrong.md"
    document.write_text(
        "[a](gone.md) [b](https://a.b) `edgecvar/gone.py`, `stream/reader.py` `gone`, "
        "`stream/reader.py`\n`open_stream` "
        "`recipes/<dataset>/tsn.yaml` `manifest.json` `onnx/`\n```\n`edgecvar/block.py`\n```\n",
        encoding="utf-8",
    )
    assert links(document) == ["gone.md"]
    paths = [(path, name) for path, name in named(document) if is_path(path)]
    reader = TOP / "edgecvar" / "stream" / "reader.py"
    assert [bool(files(path)) for path, _ in paths] == [False, True, True, True]
    assert [name for _, name in paths] == ["", "gone", "open_stream", ""]
    assert not defined(reader, "gone") and defined(reader, "open_stream")


def test_make_says_what_it_does_before_what_is_quiet_or_long():
    """pip is quiet, and a whole test run takes minutes: each is announced before it."""
    recipe: List[str] = []
    for line in (TOP / "Makefile").read_text(encoding="utf-8").splitlines():
        recipe = [*recipe, line] if line.startswith("\t") else []
        if re.match(r"\t-?(\$\(STRICT\) )?\$\((INSTALL|PYTEST)\)", line):
            assert any(before.startswith("\t@echo ") for before in recipe[:-1]), line

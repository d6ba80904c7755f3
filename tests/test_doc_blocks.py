"""The code in the documents: every command parses, every name exists, every recipe and configuration loads."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator, List, NamedTuple

import click
import pytest
import yaml

import edgecvar
from edgecvar.cli.main import cli

TOP = Path(__file__).resolve().parent.parent
DOCUMENTS = [*TOP.glob("*.md"), *sorted((TOP / "docs").glob("*.md")), TOP / "jetson" / "README.md"]
NOTEBOOKS = sorted((TOP / "docs" / "notebooks").glob("*.ipynb"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BEFORE = re.compile(r"do|then|sudo|time|\w+=.*")
"""What may stand before a command's name."""


WITH_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs the train extra")


class Block(NamedTuple):
    """Code of a document, by its language ("" where it says none)."""

    document: str
    language: str
    text: str


def in_document(document: Path) -> List[Block]:
    """The fenced blocks of a Markdown document."""
    return [Block(document.name, *found) for found in BLOCK.findall(document.read_text(encoding="utf-8"))]


def in_notebook(notebook: Path) -> List[Block]:
    """The cells with code; those that begin with `%%bash` are what a terminal would be given."""
    blocks = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"]) + "\n"
        if cell["cell_type"] == "markdown":
            blocks += [Block(notebook.name, *found) for found in BLOCK.findall(text)]
        elif text.startswith("%%bash\n"):
            blocks.append(Block(notebook.name, "bash", text.partition("\n")[2]))
        else:
            blocks.append(Block(notebook.name, "python", text))
    return blocks


BLOCKS = [block for document in DOCUMENTS for block in in_document(document)]
BLOCKS += [block for notebook in NOTEBOOKS for block in in_notebook(notebook)]


def commands(text: str) -> Iterator[List[str]]:
    """The arguments of each `edgecvar` in a block of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(re.sub(r"\d>&\d", "", line), posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: List[str] = []
        redirected = False
        for word in [*words, ";"]:
            if redirected or re.fullmatch(r"[<>]+&?", word):
                redirected = not redirected
            elif word == "...":
                continue
            elif not re.fullmatch(r"[|&;()]+", word):
                command.append(word)
            elif command:
                while command and BEFORE.fullmatch(command[0]):
                    del command[0]
                if "-m" in command and command[0] == "torchrun":
                    del command[: command.index("-m") + 1]
                if command and Path(command[0]).name == "edgecvar":
                    yield command[1:]
                command = []


def parse(arguments: List[str]) -> None:
    """As the command line would, without running anything; raises UsageError for what it refuses."""
    command: click.Command = cli
    name, context = "edgecvar", click.Context(cli, info_name="edgecvar")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no verb {name}")
        command, context = found, click.Context(found, info_name=name, parent=context)
    with suppress(click.exceptions.Exit):  # of --help
        command.make_context(name, list(arguments), parent=context.parent)


@pytest.fixture
def nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that documents name need not exist."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: self.coerce_path_result(value))


SHELL = [
    pytest.param(arguments, id=f"{block.document}: {' '.join(arguments)}"[:80])
    for block in BLOCKS
    if block.language in ("sh", "bash")
    for arguments in commands(block.text)
]


@pytest.mark.parametrize("arguments", SHELL)
def test_a_command_parses(arguments: List[str], nothing_is_there: None) -> None:
    parse(arguments)


def test_commands_are_found_and_refused(nothing_is_there: None) -> None:
    text = (
        "cat a.ts | edgecvar run - \\\n  --json > seen.json 2>&1  # edgecvar no comment\n"
        "for net in a b; do .venv/bin/edgecvar train $net.yaml; done\nX=1 edgecvar sources && edgecvar nothing\n"
        "torchrun --standalone -m edgecvar train a\n"
    )
    found = list(commands(text))
    assert found == [["run", "-", "--json"], ["train", "$net.yaml"], ["sources"], ["nothing"], ["train", "a"]]
    assert len(SHELL) > 100
    for wrong in (["nothing"], ["run"], ["run", "a.mp4", "--jsn"], ["bench", "streams", "a", "--nothing"]):
        with pytest.raises(click.UsageError):
            parse(wrong)


def test_no_command_stands_where_it_is_not_read() -> None:
    unread = [block for block in BLOCKS if block.language not in ("sh", "bash", "python", "yaml", "dockerfile")]
    found = [line for block in unread for line in block.text.splitlines() if re.match(r"(edgecvar|torchrun) ", line)]
    assert found == []


class Named(NamedTuple):
    """A shipped recipe or ablation that a command names, and what it sets."""

    verb: str
    file: Path
    overrides: List[str]


def named_in(arguments: List[str]) -> Iterator[Named]:
    """The recipe of a command that trains by one; none where it is a folder of clips or a name of the shell's."""
    verb, *rest = arguments
    if verb in ("train", "ablate") and rest and "$" not in rest[0]:
        name = re.sub(r"^recipes/|\.yaml$", "", rest[0])
        if "/" in name and (TOP / "recipes" / name).parent.is_dir():
            settings = [each for each in rest[1:] if re.match(r"[a-z_.]+=", each)]
            yield Named(verb, TOP / "recipes" / f"{name}.yaml", settings)


ADDED = TOP / "recipes" / "synth" / "duo.yaml"
"""What docs/add-a-network.md adds, by the block beside it."""
NAMED = [named for command in SHELL for named in named_in(command.values[0]) if named.file != ADDED]


@WITH_TORCH
@pytest.mark.parametrize("named", NAMED, ids=lambda named: f"{named.file.parent.name}/{named.file.stem}")
def test_a_recipe_is_there_and_takes_what_is_set(named: Named, tmp_path: Path) -> None:
    from edgecvar.train.ablation import find_ablation, plan
    from edgecvar.train.recipe import load_recipe

    assert named.file.is_file()
    if named.verb == "ablate":
        assert plan(*find_ablation(str(named.file)), named.overrides, tmp_path)
    else:
        load_recipe(named.file, named.overrides)


PYTHON = [block for block in BLOCKS if block.language == "python" and not re.match(r"# (edgecvar|tests)/", block.text)]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.document)
def test_python_compiles_and_its_names_exist(block: Block) -> None:
    tree = ast.parse(block.text, block.document)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "edgecvar":
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "edgecvar":
            assert node.attr in edgecvar.__all__


YAML = [block for block in BLOCKS if block.language == "yaml"]


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.document)
def test_yaml_loads_as_what_it_is(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(block.text)
    if "model" in document:
        from edgecvar.train.recipe import recipe_of

        assert recipe_of(document).network.model == document["model"]
    else:
        from edgecvar.serve.configuration.loading import load_config

        file = tmp_path / "edge.yaml"
        file.write_text(block.text, encoding="utf-8")
        variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block.text), "a" * 32)
        assert load_config(file, variables).sources is not None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_is_kept_without_what_it_showed(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5 and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_the_site_has_every_page_and_no_other() -> None:
    site = yaml.safe_load((TOP / "mkdocs.yml").read_text(encoding="utf-8"))

    def pages(entries: object) -> Iterator[str]:
        for entry in entries if isinstance(entries, list) else entries.values() if isinstance(entries, dict) else []:
            if isinstance(entry, str):
                yield entry
            yield from pages(entry)

    made = {"cli/", "api.md", "jetson.md", "contributing.md", "changelog.md"}  # by docs/site/
    made |= {f"notebooks/{notebook.stem}.md" for notebook in NOTEBOOKS}
    assert sorted(pages(site["nav"])) == sorted(made | {file.name for file in (TOP / "docs").glob("*.md")})

"""Every recipe of a published data set, and every row of every table, on made data of that set's layout."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from edgecvar.cli.main import main
from edgecvar.nets.papers.shelf import PAPERS
from edgecvar.train import ablation_rows
from edgecvar.train.ablation import find_ablation, load_ablation
from edgecvar.train.start.rehearsal import Rehearsals
from edgecvar.train.start.shipped import ablation_files, recipe_files, table_files
from tests.published_layouts import LAYOUTS, PARTS

pytestmark = pytest.mark.train

COMMANDS = [(table.model, command) for paper in PAPERS.values() for table in paper.tables for command in table.commands]
TRAINING = [(model, shlex.split(told)) for model, told in COMMANDS]
PUBLISHED = [name for name in table_files() if name.partition("/")[0] in LAYOUTS]
CLASSES = ("climb", "sit", "wave")
WEIGHTS = "weights=[resnet152.pth]"

Dry = Callable[..., Dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, List[str]]:
    """By data set, the overrides that lead to it; its clips are never opened."""
    root = tmp_path_factory.mktemp("published")
    clip = root / "clip"
    clip.write_bytes(b"never opened")
    clips = {label: [clip] for label in CLASSES}
    places = {name: make(root / name, clips) for name, make in LAYOUTS.items()}
    return {name: [f"{key}={value}" for key, value in each.items()] for name, each in places.items()}


@pytest.fixture(scope="module")
def rehearsals() -> Rehearsals:
    """Many rows are of one network."""
    return Rehearsals()


@pytest.fixture
def dry(
    made: Dict[str, List[str]],
    rehearsals: Rehearsals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> Dry:
    """The document of `edgecvar ablate NAME KEY=VALUE... --dry-run` on made data."""
    monkeypatch.setattr(ablation_rows, "Rehearsals", lambda: rehearsals)
    monkeypatch.chdir(tmp_path)

    def run(name: str, *overrides: str) -> Dict[str, Any]:
        places = made[name.partition("/")[0]]
        main(["ablate", name, *places, *overrides, "--dry-run", "--json"])
        assert list(tmp_path.iterdir()) == []
        document: Dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_row_of_a_published_set_is_rehearsed(name: str, dry: Dry) -> None:
    """Its lists are read, its clips found, its network built, and every loss of it takes a batch of shapes."""
    document = dry(name, WEIGHTS)
    table, _ = find_ablation(name)
    splits = table.splits or [None]
    assert [(run["row"], run["split"]) for run in document["runs"]] == [
        (row, split) for row in table.rows for split in splits
    ]
    assert splits == ([1, 2, 3] if name.startswith(("ucf101/", "hmdb51/")) else [None])
    for run in document["runs"]:
        assert (run["classes"], run["missing"], run["weights"]) == (len(CLASSES), 0, ["resnet152.pth"])
        assert (run["train"], run["test"]) == ((PARTS - 1) * len(CLASSES), len(CLASSES))
        assert run["parameters"] > 1e6
        assert shlex.split(run["command"])[:2] == ["edgecvar", "train"]
    assert any(line.startswith("resnet152.pth: no such file") for line in document["absent"])


@pytest.mark.parametrize(("model", "words"), TRAINING, ids=[told for _, told in COMMANDS])
def test_every_command_of_a_papers_table_exists(model: str, words: List[str], dry: Dry) -> None:
    verb, name, *overrides = words[1:]
    if verb in ("models", "inspect"):
        assert name == model
        return
    assert verb == "ablate"
    if overrides:  # the name alone is rehearsed above
        dry(name, *overrides)
    assert name in table_files()
    assert model in {planned_model(name, row) for row in find_ablation(name)[0].rows}


def planned_model(name: str, row: str) -> str:
    """What network a row is of, as its recipe's file says."""
    table, path = find_ablation(name)
    recipe = path.parent / str((table.rows[row] or {}).get("recipe", table.recipe))
    lines = recipe.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("model: ")).split()[1]


def test_every_published_recipe_and_ablation_is_some_papers() -> None:
    """Those that only a command's header names are what pre-trains."""
    named = {words[2] for _, words in TRAINING}
    borrowed = {"kinetics400/attp", "kinetics400/dmc", "kinetics400/coviar", "kinetics-n50/dmc", "kinetics-n50/coviar"}
    assert set(PUBLISHED) - named - borrowed == set()
    assert borrowed <= set(recipe_files())


def test_what_ran_here_is_shipped() -> None:
    here = {name for paper in PAPERS.values() for table in paper.tables for name in table.here}
    assert here <= set(ablation_files())


def test_papers_figures_name_rows_and_are_percent() -> None:
    for name, file in ablation_files().items():
        for column, figures in load_ablation(file).paper.items():
            assert all(10 < figure < 100 for figure in figures.values()), (name, column)


def test_what_is_not_there_is_said(dry: Dry, capsys: pytest.CaptureFixture, made: Dict[str, List[str]]) -> None:
    main(["ablate", "hmdb51/team-r50", *made["hmdb51"], WEIGHTS, "--dry-run"])
    told = capsys.readouterr().out
    assert "not there yet: resnet152.pth: no such file" in told and "3 runs, each also by itself:" in told
    assert "  edgecvar train hmdb51/team-r50 " in told and " split.number=3" in told
    with pytest.raises(SystemExit):
        main(["ablate", "hmdb51/team-r50", "--dry-run"])
    assert "data/hmdb51/lists: no such folder" in capsys.readouterr().err

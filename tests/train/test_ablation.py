"""An ablation's rows, what each changes, and that the same command goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from edgecvar.errors import ConfigError
from edgecvar.train.ablation import as_overrides, find_ablation, load_ablation, plan, slug
from tests.published_layouts import LAYOUTS
from tests.train.tables import ROWS, planned

pytestmark = pytest.mark.train

TABLE = Path(__file__).resolve().parents[2] / "recipes" / "synth" / "attp-table3.yaml"


def test_a_row_changes_what_all_rows_have_and_the_command_changes_that(write: Callable[..., Path]) -> None:
    file = write(set={"lr": 0.01, "network": {"dim": 16}, "augment.scale": [0.5, 1.0]})
    one, two = (each.recipe for each in planned(file, "segments=1"))
    assert (one.network.options["fusion"], two.network.options["fusion"]) == ("i", "mv")
    assert (one.descent.lr, two.descent.lr) == (0.01, 0.002)
    assert (one.network.options["dropout"], two.network.options["dropout"]) == (0.1, 0.3)
    for recipe in (one, two):
        assert recipe.network.options["dim"] == 16
        assert recipe.network.options["backbone"]["width"] == 0.1  # of the recipe's own file
        assert (recipe.views.augment.scale, recipe.views.segments, recipe.views.seed) == ((0.5, 1.0), 1, 0)


def test_every_seed_is_a_run_unless_the_command_names_one(write: Callable[..., Path]) -> None:
    file = write(seeds=[3, 5])
    runs = [(each.row, each.recipe.views.seed, each.root.relative_to(file.parent).as_posix()) for each in planned(file)]
    assert runs == [
        ("I", 3, "runs/i/seed-3"),
        ("I", 5, "runs/i/seed-5"),
        ("I + MV", 3, "runs/i-mv/seed-3"),
        ("I + MV", 5, "runs/i-mv/seed-5"),
    ]
    assert [each.recipe.views.seed for each in planned(file, "seed=7")] == [7, 7]


def test_every_official_split_is_a_run_unless_the_command_names_one(
    write: Callable[..., Path], moving: Path, tmp_path: Path
) -> None:
    places = LAYOUTS["hmdb51"](
        tmp_path / "data", {label: sorted((moving / label).iterdir()) for label in ("left", "right")}
    )
    lists = {"data": places["data"], "split": {"format": "hmdb51", "files": places["split.files"]}}
    file = write(set={**lists, "validation_pattern": None}, seeds=[3, 5], splits=[1, 3], rows={"I": {}})
    runs = [(each.split, each.recipe.data.split.number, each.recipe.views.seed, each.root) for each in planned(file)]
    top = file.parent / "runs" / "i"
    assert runs == [
        (split, split, seed, top / f"split-{split}" / f"seed-{seed}") for split in (1, 3) for seed in (3, 5)
    ]
    assert planned(file)[3].command.endswith(" split.number=3 seed=5")
    one = planned(file, "split.number=2")
    assert [(each.split, each.recipe.data.split.number) for each in one] == [(None, 2), (None, 2)]
    with pytest.raises(ConfigError, match=r"a split is given twice: \[1, 1\]"):
        planned(write(splits=[1, 1]))


def test_a_row_may_be_of_another_recipe(write: Callable[..., Path]) -> None:
    file = write(set={"lr": 0.01}, rows={"A": {}, "B": {"recipe": "other.yaml", "epochs": 2}})
    (file.parent / "other.yaml").write_text(file.with_name("recipe.yaml").read_text().replace("dim: 32", "dim: 16"))
    one, other = planned(file)
    assert [each.recipe.network.options["dim"] for each in (one, other)] == [32, 16]
    assert [each.recipe.course.epochs for each in (one, other)] == [1, 2]
    assert [each.recipe.descent.lr for each in (one, other)] == [0.01, 0.01]
    assert f"edgecvar train {file.parent / 'other.yaml'} lr=0.01 epochs=2" == other.command


def test_a_recipe_is_an_ablation_of_one_row_on_its_official_splits() -> None:
    table, file = find_ablation("ucf101/tsn")
    assert (list(table.rows), table.splits, file.name) == (["ucf101/tsn"], [1, 2, 3], "tsn.yaml")
    commands = [each.command for each in plan(table, file, ["epochs=1"], Path("runs"))]
    assert commands == [f"edgecvar train ucf101/tsn epochs=1 split.number={split}" for split in (1, 2, 3)]
    assert find_ablation("kinetics400/tsn")[0].splits == [] == find_ablation("gestures/tsn")[0].splits
    assert find_ablation("synth/attp-table3")[1] == TABLE
    with pytest.raises(ConfigError, match=r"neither a .yaml file nor the name of .* did you mean synth/attp-table3"):
        find_ablation("synth/atp-table3")
    with pytest.raises(ConfigError, match=r"nothing_like: neither .* `edgecvar ablate --list` shows"):
        find_ablation("nothing_like")


def test_what_is_nested_is_set_inside() -> None:
    changes = {"a": {"b": {"c": 1}, "d": None}, "e.f": [1, {"g": "x"}], "h": {}}
    assert as_overrides(changes) == ["a.b.c=1", "a.d=null", 'e.f=[1, {"g": "x"}]', "h={}"]
    assert slug("I+MV+R, late!") == "i-mv-r-late"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"row": {}}, "unknown key 'row': did you mean 'rows'"),
        ({"rows": {"A+B": {}, "a b": {}}}, "row 'A[+]B' has no folder of its own"),
        ({"rows": {"A": {"epoch": 3}}}, "row 'A': .*did you mean 'epochs'"),
        ({"rows": {"A": {"network.fusion": "pt"}}}, "row 'A': unknown fusion 'pt'"),
        ({"paper": {"UCF-101": {"J": 3.0}}}, "column 'UCF-101' of the paper: unknown row 'J'"),
        ({"seeds": [1, 1]}, "twice"),
        ({"recipe": "other.yaml"}, "other.yaml: cannot read the recipe"),
    ],
)
def test_what_is_wrong_is_named(write: Callable[..., Path], document: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        planned(write(**document))


def test_a_recipe_is_no_ablation(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"recipe\.yaml: not an ablation, which has `rows`"):
        load_ablation(write().with_name("recipe.yaml"))


def test_table_3_has_the_papers_rows_and_each_its_own_network() -> None:
    runs = planned(TABLE)
    assert [each.row for each in runs] == ["I", "MV", "R", "I+MV+R", "BP", "TP", "TTP", "ATTP"]
    fusions = [each.recipe.network.options["fusion"] for each in runs]
    assert fusions == ["i", "mv", "r", "late", "bp", "tp", "ttp", "ttp"]
    varied = {"network", "epochs", "phases", "flow"}
    others = [{key: each.recipe.document()[key] for key in each.recipe.document().keys() - varied} for each in runs]
    assert all(other == others[0] for other in others)
    teaching = runs[-1].recipe.course.phases[0].epochs
    assert (
        runs[-1].recipe.course.epochs - teaching == runs[0].recipe.course.epochs
    )  # every row's network learns as long
    assert set(load_ablation(TABLE).paper) == {"HMDB-51", "UCF-101"}


def test_a_file_may_be_like_another(write: Callable[..., Path]) -> None:
    start = write(set={"lr": 0.01, "network": {"dim": 16}, "seed": 4}, seeds=[3, 5], paper={"HMDB-51": {"I": 3.0}})
    file = start.with_name("other.yaml")
    file.write_text("like: table.yaml\nseeds: [7]\nset: {network.dim: 8, network: {dropout: 0.3}}\n")
    table = load_ablation(file)
    assert (list(table.rows), table.seeds, table.paper) == (list(ROWS), [7], {"HMDB-51": {"I": 3.0}})
    one = planned(file)[0].recipe
    assert (one.network.options["dim"], one.network.options["dropout"], one.descent.lr) == (8, 0.3, 0.01)
    assert [each.recipe.views.seed for each in planned(file)] == [7, 7]
    assert planned(start)[0].recipe.network.options["dim"] == 16
    away = file.parent / "away"
    away.mkdir()
    (away / "third.yaml").write_text("like: ../table.yaml\n")
    with pytest.raises(ConfigError, match=r"third.yaml: row 'I': .*away/recipe.yaml: cannot read the recipe"):
        planned(away / "third.yaml")  # recipes are sought beside it
    (away / "third.yaml").write_text("like: ../other.yaml\n")
    with pytest.raises(ConfigError, match=r"third.yaml: like ../other.yaml, which is like another itself"):
        load_ablation(away / "third.yaml")
    (away / "third.yaml").write_text("like: ../gone.yaml\n")
    with pytest.raises(ConfigError, match=r"gone.yaml: cannot read the ablation"):
        load_ablation(away / "third.yaml")
    (away / "third.yaml").write_text("like: ../table.yaml\nset: 3\n")
    with pytest.raises(ConfigError, match=r"third.yaml: set"):
        load_ablation(away / "third.yaml")

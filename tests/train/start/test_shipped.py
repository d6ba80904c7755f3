from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgecvar.errors import ConfigError
from edgecvar.train.start import shipped
from edgecvar.train.start.choice import CHOICES, choose_recipes
from edgecvar.train.start.shipped import (
    ablation_files,
    find_recipe,
    list_recipes,
    recipe_files,
    shipped_name,
    table_files,
)

pytestmark = pytest.mark.train

TOP = Path(__file__).resolve().parents[3]


def test_recipes_are_found_by_name_and_by_their_path_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = TOP / "recipes" / "gestures" / "attp.yaml"
    assert find_recipe("gestures/attp") == find_recipe("recipes/gestures/attp.yaml") == file
    mine = tmp_path / "mine.yaml"
    mine.touch()
    assert find_recipe("mine.yaml") == Path("mine.yaml")
    assert find_recipe("gone.yaml") == Path("gone.yaml")


def test_a_name_that_is_none_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"gestures/atp: neither a folder, .* did you mean gestures/attp\?"):
        find_recipe("gestures/atp")
    with pytest.raises(ConfigError, match=r"my_videos: neither a folder, .* `edgecvar train --list` shows"):
        find_recipe("my_videos")


def test_the_package_has_them_first_and_a_strangers_folder_beside_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "edgecvar")
    (tmp_path / "recipes" / "cakes").mkdir(parents=True)
    with pytest.raises(ConfigError, match="this installation ships no recipes"):
        recipe_files()
    installed = tmp_path / "edgecvar" / "recipes" / "auto"
    installed.mkdir(parents=True)
    (installed / "motion.yaml").write_text("model: motion\ndata: x\n")
    assert recipe_files() == {"auto/motion": installed / "motion.yaml"}


def test_recipes_and_ablations_are_told_apart() -> None:
    assert "synth/attp-table3" in ablation_files() and "synth/attp" in recipe_files()
    assert not set(ablation_files()) & set(recipe_files())
    assert set(table_files()) == {*ablation_files(), *recipe_files()}
    assert shipped_name(TOP / "recipes" / "synth" / "attp.yaml") == "synth/attp"
    assert shipped_name(TOP / "pyproject.toml") is None


def test_the_list_has_every_recipe_and_no_ablation() -> None:
    listed = dict(list_recipes())
    assert listed["gestures/attp"] == "attp, 128 x 96, 40 epochs"
    assert "synth/attp-table3" not in listed and len(listed) > 30


def test_an_installation_puts_them_where_they_are_looked_for() -> None:
    """A wheel has what CMake installs beside what lies in the package."""
    native = TOP / "edgecvar" / "stream" / "native"
    rules = re.findall(
        r"^install\(DIRECTORY \$\{CMAKE_CURRENT_SOURCE_DIR\}/(\S+) DESTINATION (\S+)\)$",
        (native / "CMakeLists.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    put = {Path(target) / (native / source).resolve().name: (native / source).resolve() for source, target in rules}
    assert put[Path("edgecvar/recipes")] == TOP / "recipes" == recipe_files()["auto/motion"].parents[1]


def test_every_choice_is_shipped_and_each_number_of_clips_has_one() -> None:
    assert {name for names, _ in CHOICES for name in names} <= set(recipe_files())
    bounds = [most for _, most in CHOICES]
    assert bounds[-1] is None and bounds[:-1] == sorted(most for most in bounds if most is not None)
    assert choose_recipes(1) == choose_recipes(1000) == (["auto/motion", "auto/appearance"], "for up to 1000 clips")
    assert choose_recipes(1001) == (["auto/many"], "for more than 1000 clips")

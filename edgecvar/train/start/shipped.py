"""The recipes that the package ships, by name: <dataset>/<network>."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from edgecvar.errors import ConfigError
from edgecvar.train.recipe import LIKE, ROWS, Recipe, load_recipe

PACKAGE = Path(__file__).parent.parent.parent
SUFFIXES = (".yaml", ".yml")


def recipe_folder() -> Path:
    """Where they lie: beside the package in a checkout, else in it; raises ConfigError where there are none."""
    beside = PACKAGE.parent
    for folder in (*([beside / "recipes"] if (beside / "pyproject.toml").is_file() else []), PACKAGE / "recipes"):
        if folder.is_dir():
            return folder
    raise ConfigError(f"{PACKAGE / 'recipes'}: this installation ships no recipes; name a recipe's file (.yaml)")


def recipe_files() -> Dict[str, Path]:
    """Each recipe's file by its name; files that state an ablation's rows are none."""
    return {name: file for name, file in table_files().items() if not _states_rows(file)}


def ablation_files() -> Dict[str, Path]:
    """Each ablation's file by its name."""
    return {name: file for name, file in table_files().items() if _states_rows(file)}


def table_files() -> Dict[str, Path]:
    """Each recipe's and each ablation's file by its name."""
    folder = recipe_folder()
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in sorted(folder.glob("*/*.yaml"))}


def _states_rows(file: Path) -> bool:
    """Whether it has rows, or another ablation's."""
    text = file.read_text(encoding="utf-8")
    return any(f"\n{key}:" in text for key in (ROWS, LIKE))


def shipped_name(file: Path) -> Optional[str]:
    """The name of a shipped file; None for any other."""
    resolved = file.resolve()
    return next((name for name, each in table_files().items() if each.resolve() == resolved), None)


def list_recipes() -> List[Tuple[str, str]]:
    """(name, what it trains) of each."""
    recipes = {name: load_recipe(file) for name, file in recipe_files().items()}
    return [
        (name, f"{each.network.model}, {each.network.input.width} x {each.network.input.height}, {_length(each)}")
        for name, each in recipes.items()
    ]


def _length(recipe: Recipe) -> str:
    return f"{recipe.course.epochs} epoch{'' if recipe.course.epochs == 1 else 's'}"


def find_recipe(given: str) -> Path:
    """The file that a path or a name stands for; raises ConfigError for a name that is none.

    Also a shipped recipe's path as in a checkout (recipes/<dataset>/<network>.yaml), where there is no such file.
    """
    return _find(given, recipe_files(), "a folder, nor a .csv or .yaml file, nor a recipe's name", "train")


def find_table(given: str) -> Path:
    """The same of a recipe or an ablation."""
    return _find(given, table_files(), "a .yaml file nor the name of an ablation or a recipe", "ablate")


def _find(given: str, shipped: Mapping[str, Path], expected: str, verb: str) -> Path:
    path = Path(given)
    is_file_name = path.suffix.lower() in SUFFIXES
    if is_file_name and path.exists():
        return path
    name = path.with_suffix("").as_posix() if is_file_name else path.as_posix()
    found = shipped.get(name[len("recipes/") :] if name.startswith("recipes/") else name)
    if found is not None:
        return found
    if is_file_name:
        return path  # whoever reads it says that it is not there
    near = difflib.get_close_matches(name, shipped, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"`edgecvar {verb} --list` shows what there is"
    raise ConfigError(f"{given}: neither {expected}: {hint}")

"""What a run would do: its recipe as YAML, its classes as comments above."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Dict, Sequence, Tuple

import yaml

from edgecvar.terminal import say, say_json

if TYPE_CHECKING:
    from edgecvar.train.data.splits import Split
    from edgecvar.train.recipe import Recipe
    from edgecvar.train.start.rehearsal import Rehearsal


def print_plan(recipe: Recipe, rehearsal: Rehearsal, as_json: bool) -> None:
    """The recipe, which saved to a file trains the same, and how many clips of each class train and validate.

    Also the weights that it names and what else it wants that is not there.
    """
    split = rehearsal.split
    classes = _classes(split)
    if as_json:
        say_json({"classes": classes, "absent": list(rehearsal.absent), "recipe": recipe.document()})
        return
    width = max(len(label) for label in classes)
    say(f"# {len(classes)} classes, {len(split.train)} clips train, {len(split.validation)} validate:")
    for label, counts in classes.items():
        say(f"#   {label:{width}}  {counts['train']:5d} train, {counts['validation']:5d} validate")
    for line in rehearsal.absent:
        say(f"# not there yet: {line}")
    # ASCII, so that what `say` would escape is escaped as YAML reads it again.
    for line in yaml.safe_dump(recipe.document(), sort_keys=False).splitlines():
        say(line)


def print_recipes(names: Sequence[Tuple[str, str]]) -> None:
    """The shipped recipes, a line each."""
    width = max(len(name) for name, _ in names)
    for name, what in names:
        say(f"{name:{width}}  {what}")


def _classes(split: Split) -> Dict[str, Dict[str, int]]:
    train, validation = (Counter(clip.label for clip in part) for part in (split.train, split.validation))
    return {label: {"train": train[label], "validation": validation[label]} for label in split.labels}

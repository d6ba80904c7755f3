"""Every recipe runs: its own lists, losses, phases and network, on made-up clips in its data set's format."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest
import torch
import yaml

from edgecvar.bundle.default import SHIPPED
from edgecvar.nets.catalog import build_network
from edgecvar.synth.classes import LABELS
from edgecvar.train import loop
from edgecvar.train.ablation import load_ablation, plan
from edgecvar.train.history import read_records
from edgecvar.train.loop import start_run
from edgecvar.train.losses import needs_flow
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, is_ablation, load_recipe, recipe_of
from edgecvar.train.start.checks import resolve
from tests.published_layouts import LAYOUTS, put

pytestmark = pytest.mark.train

FOLDER = Path(__file__).resolve().parents[2] / "recipes"
FILES = sorted(FOLDER.glob("*/*.yaml"))
ABLATIONS = [path for path in FILES if is_ablation(yaml.safe_load(path.read_text(encoding="utf-8")))]
RECIPES = [path for path in FILES if path not in ABLATIONS]
CLASSES = ("left", "right")
SMALL_SIDE = 64
LONGEST = 8
"""Pictures of a clip that a network looks at as one."""


def test_there_are_recipes() -> None:
    assert {"synth/motion.yaml", "synth/attp.yaml", "gestures/attp.yaml"} <= {
        path.relative_to(FOLDER).as_posix() for path in RECIPES
    }
    assert "synth/attp-table3.yaml" in {path.relative_to(FOLDER).as_posix() for path in ABLATIONS}


def class_folders(root: Path, clips: Dict[str, List[Path]]) -> Dict[str, str]:
    """Names that every validation pattern tells apart: that of gestures and yoga the third, of fight the last."""
    for label, files in clips.items():
        put(files, root / label, [f"{label}_01.mp4", f"{label}_02.mp4", f"s05_{label}_11.mp4", f"{label}_041.mp4"])
    return {"data": str(root)}


def shortened(recipe: Recipe, places: Dict[str, Any]) -> Recipe:
    """One epoch of each phase, small pictures, clips as long as the network needs, on the made-up data."""
    network, course, views, data = recipe.network, recipe.course, recipe.views, recipe.data
    fixed = resolve(recipe).network.options.get("segments")
    if fixed is not None and fixed > LONGEST:  # a clip of an I3D
        options = {**network.options, "segments": LONGEST}
        recipe = replace(recipe, network=network.model_copy(update={"options": options}))
        views = views.model_copy(update={"segments": LONGEST})
    segments = views.segments if fixed is not None else min(views.segments, 2)
    mirror = [pair for pair in views.augment.mirror if set(pair) <= set(CLASSES)]  # of the classes that are made up
    changes: Dict[str, Any] = {
        "data": places["data"],
        "epochs": max(1, len(course.phases)),
        "phases": [{**phase.model_dump(), "epochs": phase.epochs and 1} for phase in course.phases],
        "batch": 4 if fixed is None else 2,
        "segments": segments,
        "validation_segments": segments,
        "workers": 0,
        "threads": 1,
        "device": "cpu",
        "weights": [],
        "augment": {**views.augment.model_dump(mode="json"), "mirror": mirror},
        "flow": {**data.flow.model_dump(), "method": "dis", "preset": "ultrafast", "side": 32},
    }
    if course.teacher is not None:  # of a run that this machine does not have: taught here instead
        taught = {"epochs": 1, "losses": {"teacher": 1.0}}
        changes.update(teacher=None, phases=[taught, *(changes["phases"] or [{}])], epochs=changes["epochs"] + 1)
    if data.split is not None:
        changes["split"] = {**data.split.model_dump(), "files": places["split.files"], "number": 1}
    elif data.validation is not None:
        changes.update(validation=places["data"], allow_repeats=True)
    if max(network.input.height, network.input.width) > 128:
        changes["input"] = {**network.input.model_dump(), "height": SMALL_SIDE, "width": SMALL_SIDE}
    return recipe_of({**recipe.document(), **changes})


@pytest.fixture(scope="module")
def moving_clips(moving: Path) -> Dict[str, List[Path]]:
    return {label: sorted((moving / label).iterdir())[:4] for label in CLASSES}


OF_THE_DATA = (
    *("data", "validation", "validation_pattern", "split", "split_by", "validation_fraction", "allow_repeats"),
    *("augment", "test", "epochs", "batch", "lr", "schedule", "seed"),
)
"""Keys that do not decide what is built and by what it learns: its clips, how they are shown, for how long."""


def learnt(recipe: Recipe) -> str:
    """What a recipe learns: those of one network for two data sets mostly agree in it."""
    document = shortened(recipe, {"data": "", "split.files": ""}).document()
    phases = [{**phase, "lr": None} for phase in document["phases"]]
    same = {key: value for key, value in document.items() if key not in OF_THE_DATA}
    return json.dumps({**same, "phases": phases}, sort_keys=True)


def runs() -> List[Any]:
    """Every recipe and every row on clips that are no published set's, and whether none before learns the same."""
    found = {path.relative_to(FOLDER).as_posix(): load_recipe(path) for path in RECIPES}
    for path in ABLATIONS:
        if path.parent.name in LAYOUTS:
            continue  # rehearsed whole in test_published.py
        rows = plan(load_ablation(path), path, (), FOLDER)  # a row of three seeds three times
        found.update({f"{path.relative_to(FOLDER).as_posix()}: {each.row}": each.recipe for each in rows})
    known: Set[str] = set()
    cases = []
    for name, recipe in found.items():
        new = learnt(recipe) not in known
        known.add(learnt(recipe))
        cases.append(pytest.param(recipe, new, id=name, marks=pytest.mark.xdist_group(name)))
    return cases


@pytest.mark.parametrize(("recipe", "new"), runs())
def test_every_recipe_learns_by_all_its_losses(
    recipe: Recipe,
    new: bool,
    moving_clips: Dict[str, List[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It begins; and if it is new, every weight has a gradient in the end, every loss a finite value in the history."""
    if needs_flow(recipe.course) and importlib.util.find_spec("cv2") is None:
        pytest.skip("optical flow needs OpenCV (the flow extra)")
    make = class_folders if recipe.data.split is None else LAYOUTS[Path(recipe.data.source).parent.name]
    recipe = shortened(recipe, make(tmp_path / "data", moving_clips))
    for name in ("draw_curves", "save_checkpoint"):  # a gigabyte for some networks
        monkeypatch.setattr(loop, name, lambda *ignored: None)
    training = start_run(recipe, tmp_path / "runs", Listener())
    if not new:
        return
    training.fit()
    records = read_records(training.folder)
    assert {name for record in records for name in record.terms} == recipe.course.loss_names()
    assert all(value == value for record in records for value in record.terms.values())
    assert all((record.validation_top1 is None) == (set(record.terms) == {"teacher"}) for record in records)
    learning = [(name, weight) for name, weight in training.network.named_parameters() if weight.requires_grad]
    assert [name for name, weight in learning if weight.grad is None] == []
    assert all(torch.isfinite(weight.grad).all() for _, weight in learning if weight.grad is not None)


def test_the_demo_fits_in_two_megabytes() -> None:
    demo = resolve(load_recipe(FOLDER / "synth" / "motion.yaml")).network
    network = build_network(demo.model, demo.options, demo.input, classes=12)
    assert sum(weight.numel() for weight in network.parameters()) < 100_000
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 2_000_000


def test_left_and_right_stay_apart() -> None:
    for path in RECIPES:
        if path.parent.name in ("synth", "gestures"):
            views = load_recipe(path).views
            assert not views.augment.flip
            assert not views.test.flip
            if path.parent.name == "synth":
                assert {label for pair in views.augment.mirror for label in pair} <= set(LABELS)


def test_recipes_that_share_a_data_set_share_its_place() -> None:
    """Copied lines drift apart: one folder of videos and one of lists for each data set."""
    places: Dict[str, set] = {}
    for path in RECIPES:
        data = load_recipe(path).data
        lists = data.split.files if data.split is not None else None
        places.setdefault(path.parent.name, set()).add((data.source, lists))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Callable, List

import pytest
import torch
import yaml

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.files import only_user
from edgecvar.train import loop
from edgecvar.train.ablation_rows import find_run
from edgecvar.train.checkpoint import load_checkpoint, newest_run
from edgecvar.train.descent import learning_rate
from edgecvar.train.history import read_records
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from tests.full_disk import no_room
from tests.train.compared_runs import assert_same_runs
from tests.train.heard import Heard

pytestmark = pytest.mark.train


def test_a_run_folder_holds_what_is_needed(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small("epochs=2"), tmp_path, Listener())
    assert sorted(entry.name for entry in training.folder.iterdir()) == ["last.pt", "recipe.yaml"]
    training.fit()
    names = sorted(entry.name for entry in training.folder.iterdir())
    assert names == ["best.pt", "curves.png", "last.pt", "metrics.jsonl", "recipe.yaml"]
    saved = (training.folder / "recipe.yaml").read_text()
    assert parse_recipe(saved) == training.recipe
    assert yaml.safe_load(saved)["network"]["factor"] == 1  # defaults are filled in
    best = load_checkpoint(training.folder / "best.pt")
    assert best.labels == ["left", "right", "still"]
    assert best.training is None
    assert best.recipe == saved
    assert not best.build().training
    assert newest_run("attp", tmp_path) == training.folder
    lines = [json.loads(line) for line in (training.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all(line["clips"] == 9 and line["skipped"] == 0 for line in lines)
    assert all(0 <= line["validation_top1"] <= 1 and line["validation_loss"] > 0 for line in lines)


def test_a_handful_of_clips_is_learnt_by_heart(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 steps: batch norm's running statistics, which validation uses, need that many to settle."""
    monkeypatch.setattr(loop, "draw_curves", lambda *ignored: None)
    quiet = ["network.dropout=0", "network.backbone.dropout=0", "network.backbone.stochastic_depth=0"]
    recipe = small(*quiet, "epochs=120", "lr=0.01", "batch=9", "weight_decay=0", "network.fusion=mv")
    training = start_run(recipe, tmp_path, Listener())
    training.fit()
    last = read_records(training.folder)[-1]
    assert last.train_top1 == 1.0
    assert last.validation_top1 == 1.0
    assert last.train_loss < 0.2


def test_a_run_stops_when_validation_has_not_got_better(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """At a rate of almost nothing the second epoch is the best by chance at most; resumed, it has ended and says so."""
    straight = start_run(small("early_stop=1", "lr=1e-30", "epochs=9"), tmp_path / "straight", heard := Heard())
    straight.fit()
    assert straight.best is not None and straight.epoch == straight.best.epoch + 1 < 9
    said = f"stopped early: no epoch since {straight.best.epoch} was better in 1"
    assert heard.lines[-1] == said
    again = resume_run(straight.folder, [], heard := Heard())
    again.fit()
    assert (again.epoch, heard.lines[-1]) == (straight.epoch, said)
    halted = start_run(small("early_stop=1", "lr=1e-30", "epochs=9"), tmp_path / "halted", Listener())
    halted.fit(until=1)
    resumed = resume_run(halted.folder, [], Listener())
    resumed.fit()
    assert_same_runs(straight.folder, resumed.folder)


def test_early_stopping_counts_the_epochs_of_the_last_phase() -> None:
    course = parse_recipe("{model: attp, data: x, epochs: 20, early_stop: 3, phases: [{epochs: 5}, {}]}").course
    assert not course.is_settled(7, 1) and course.is_settled(8, 1)
    assert not course.is_settled(9, 7) and course.is_settled(10, 7)
    assert not parse_recipe("{model: attp, data: x}").course.is_settled(30, 1)


def test_two_runs_of_one_second_get_folders_of_their_own(small: Callable[..., Recipe], tmp_path: Path) -> None:
    folders = {start_run(small(), tmp_path, Listener()).folder for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path / "attp" for folder in folders)


def test_skipped_clips_are_said_and_counted_every_epoch(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for label in ("left", "right"):
        (data / label).mkdir(parents=True)
        for number in range(2):
            (data / label / f"{number}.mp4").write_bytes((moving / label / f"clip_{number}.mp4").read_bytes())
    (data / "left" / "bad.mp4").write_text("no video")
    overrides = [f"data={data}", "validation_pattern=", "epochs=2"]
    with pytest.raises(DatasetError, match=r"bad\.mp4"):
        start_run(small(*overrides), tmp_path / "runs", Listener())
    assert not (tmp_path / "runs").exists()

    listener = Heard()
    training = start_run(small(*overrides, "skip_unreadable=true"), tmp_path / "runs", listener)
    training.fit()
    assert [record.skipped for record in read_records(training.folder)] == [1, 1]
    assert [record.clips for record in read_records(training.folder)] == [4, 4]
    assert any("bad.mp4" in line for line in listener.lines)
    assert training.best is not None
    assert training.best.epoch == 2  # without validation the last epoch is the best


def test_a_class_of_unreadable_clips_stops_even_when_skipping(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path
) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
    (tmp_path / "left" / "0.mp4").write_bytes((moving / "left" / "clip_0.mp4").read_bytes())
    (tmp_path / "right" / "0.mp4").write_text("no video")
    with pytest.raises(DatasetError, match="no readable clip of class 'right'"):
        start_run(small(f"data={tmp_path}", "validation_pattern=", "skip_unreadable=true"), tmp_path, Listener())


def test_a_loss_that_is_not_finite_is_an_error_that_says_where(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small(), tmp_path, Listener())
    with torch.no_grad():
        next(training.network.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match=r"loss is nan in epoch 1, step 1 of 3 .* lower lr, or set clip_gradient"):
        training.fit()
    assert read_records(training.folder) == []


def test_a_validation_that_is_not_finite_is_an_error_and_no_best(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start_run(small(), tmp_path, Listener())
    forward = training.network.forward
    monkeypatch.setattr(
        training.network,
        "forward",
        lambda batch: forward(batch) * (1.0 if training.network.training else float("nan")),
    )
    with pytest.raises(ConfigError, match="loss is nan in validation of epoch 1; lower lr"):
        training.fit()
    assert not (training.folder / "best.pt").exists() and read_records(training.folder) == []


def test_without_room_for_the_first_save_there_is_no_run(small: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"last\.pt"), no_room(50_000):
        start_run(small(), tmp_path, Listener())
    assert list((tmp_path / "attp").iterdir()) == []
    with pytest.raises(ConfigError, match="nothing can be written there"):
        start_run(small(), Path("/proc/runs"), Listener())


def test_a_run_killed_in_its_first_save_is_no_run(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there until then has a hidden name, which nothing takes for a run."""
    saved: List[Path] = []
    monkeypatch.setattr(loop, "save_checkpoint", lambda path, checkpoint: saved.append(path))
    training = start_run(small(), tmp_path, Listener())
    assert saved[0].name == "last.pt" and saved[0].parent.name.startswith(".new.")
    assert training.folder.parent == tmp_path / "attp" and not training.folder.name.startswith(".")
    hidden = tmp_path / "attp" / ".new.01234567.draft"
    hidden.mkdir()
    (hidden / "last.pt").touch()
    (training.folder / "last.pt").unlink(missing_ok=True)
    assert find_run(tmp_path) is None


def test_one_process_trains_a_run(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small("epochs=2"), tmp_path, Listener())
    other = resume_run(training.folder, [], Listener())
    with only_user(training.folder):
        with pytest.raises(ConfigError, match="another process trains this run"):
            training.fit()
        with pytest.raises(ConfigError, match="another process trains this run"):
            resume_run(training.folder, [], Listener())
    training.fit(until=1)
    other.fit(until=1)
    assert len(read_records(training.folder)) == 1


def test_the_rate_rises_linearly_then_falls_as_half_a_cosine_to_zero() -> None:
    recipe = parse_recipe("{model: attp, data: x, epochs: 5, warmup_epochs: 1, lr: 2.0}")
    rates = [learning_rate(recipe.descent, recipe.course, step, 10) for step in range(51)]
    assert rates[:10] == pytest.approx([2 * (step + 1) / 11 for step in range(10)])
    assert rates[10] == 2.0
    assert rates[30] == pytest.approx(1.0)
    assert rates[50] == pytest.approx(0.0)
    assert all(later < earlier for earlier, later in zip(rates[10:], rates[11:]))
    flat = parse_recipe("{model: attp, data: x, epochs: 1, warmup_epochs: 3, lr: 2.0}")
    assert all(math.isfinite(learning_rate(flat.descent, flat.course, step, 4)) for step in range(4))

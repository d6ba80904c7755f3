"""Runs that go on: bit for bit as if they had never stopped, for longer or shorter, or not at all."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any, Callable, List

import pytest
import torch

from edgecvar.errors import ConfigError, DatasetError
from edgecvar.train import loop
from edgecvar.train.checkpoint import load_checkpoint
from edgecvar.train.descent import learning_rate
from edgecvar.train.history import read_records
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from tests.full_disk import no_room
from tests.train.compared_runs import assert_resumed_run_is_the_same, assert_same_runs, differing, untimed
from tests.train.heard import Heard

pytestmark = pytest.mark.train

AUGMENTED = [
    *("augment.scale=[0.8, 1]", "augment.shift=1", "augment.rotation=10", "augment.noise=0.1"),
    *("augment.dropout=0.2", "augment.speed=[0.5, 2]", "augment.jitter=2", "augment.camera.pan=0.5"),
]


def test_a_resumed_run_is_the_straight_run_bit_for_bit(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Dropout and stochastic depth are on, and the last epoch of the first half is not its best by chance alone."""
    recipe = small(*AUGMENTED, "label_smoothing=0.1", "clip_gradient=5")
    straight = start_run(recipe, tmp_path / "straight", Listener())
    straight.fit()
    halted = start_run(recipe, tmp_path / "halted", Listener())
    halted.fit(until=2)
    torch.manual_seed(999)
    resumed = resume_run(halted.folder, [], Listener())
    assert resumed.epoch == 2
    resumed.fit()
    assert_same_runs(straight.folder, resumed.folder)
    assert len(untimed(straight.folder)) == 4


def test_the_comparison_above_sees_another_seed(small: Callable[..., Recipe], tmp_path: Path) -> None:
    states = []
    for number, seed in enumerate((0, 1)):
        training = start_run(small(f"seed={seed}", "epochs=1"), tmp_path / str(number), Listener())
        training.fit()
        states.append(torch.load(training.folder / "last.pt", weights_only=True)["state"])
    assert len(differing(*states)) > 50


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_a_balanced_run_is_resumed_bit_for_bit(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path, balance: str
) -> None:
    """And is another than one that is not balanced: of one class there are fewer clips."""
    data = shutil.copytree(moving, tmp_path / "uneven")
    (data / "still" / "clip_2.mp4").unlink()
    recipe = small(f"data={data}", f"balance={balance}", "epochs=2")
    straight = assert_resumed_run_is_the_same(recipe, tmp_path)
    plain = start_run(small(f"data={data}", "epochs=2"), tmp_path / "plain", Listener())
    plain.fit(until=1)
    assert untimed(straight)[0]["train_loss"] != untimed(plain.folder)[0]["train_loss"]


def test_a_full_disk_is_one_error_and_the_run_goes_on_from_what_was_saved(
    small: Callable[..., Recipe], tmp_path: Path
) -> None:
    straight = start_run(small("epochs=2"), tmp_path / "straight", Listener())
    straight.fit()
    halted = start_run(small("epochs=2"), tmp_path / "halted", Listener())
    halted.fit(until=1)
    for room, file in ((50_000, "best.pt"), (50, "metrics.jsonl")):
        training = resume_run(halted.folder, [], Listener())
        training.best = None  # so that the next epoch is the best
        with pytest.raises(OSError) as caught, no_room(room):
            training.fit()
        assert caught.value.errno == errno.EFBIG and caught.value.filename == str(halted.folder / file)
        assert not [entry for entry in halted.folder.iterdir() if entry.name.startswith(".")]
    resume_run(halted.folder, [], Listener()).fit()
    assert_same_runs(straight.folder, halted.folder)


def test_a_run_that_ended_before_its_last_curves_draws_them_when_it_is_resumed(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start_run(small("epochs=1"), tmp_path, Listener())
    with monkeypatch.context() as full, pytest.raises(OSError):
        full.setattr(loop, "draw_curves", lambda *rest: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        training.fit()
    assert training.epoch == 1 and not (training.folder / "curves.png").exists()
    resume_run(training.folder, [], Listener()).fit()
    assert (training.folder / "curves.png").exists()


def test_who_resumes_a_run_that_another_resumes_reads_no_clips(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start_run(small("epochs=1"), tmp_path, Listener())
    readings: List[int] = []

    def slow(recipe: Recipe, listener: Listener) -> Any:
        readings.append(1)
        if len(readings) == 1:
            with pytest.raises(ConfigError, match="another process trains this run"):
                resume_run(training.folder, [], Listener())
        return training.clips

    monkeypatch.setattr(loop, "read_recipe_clips", slow)
    resume_run(training.folder, [], Listener()).fit()
    assert readings == [1] and len(read_records(training.folder)) == 1
    with pytest.raises(ConfigError, match=r"nowhere/last\.pt: no such file"):
        resume_run(tmp_path / "nowhere", [], Listener())


def test_a_checkpoint_with_a_part_missing_or_wrong_does_not_resume(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start_run(small("epochs=1"), tmp_path, Listener())
    monkeypatch.setattr(loop, "read_recipe_clips", lambda recipe, listener: training.clips)
    file = training.folder / "last.pt"
    whole = torch.load(file, weights_only=True)
    state = whole["training"]
    spoilt = [{key: value for key, value in whole.items() if key != missing} for missing in whole]
    spoilt += [{**whole, "training": wrong} for wrong in (7, "x", [1, 2], {"a": 1})]
    spoilt += [{**whole, "state": wrong} for wrong in ([1, 2], {}, {"a": 1}, {**whole["state"], 7: 7})]
    for key in set(state) - {"companions", "cuda_rng"}:  # this run has none of the first and no use for the second
        spoilt.append({**whole, "training": {name: value for name, value in state.items() if name != key}})
    spoilt += [{**whole, "training": {**state, key: [1, 2]}} for key in ("epoch", "optimizers")]
    for document in spoilt:
        torch.save(document, file)
        with pytest.raises((ConfigError, DatasetError)) as caught:
            resume_run(training.folder, [], Listener())
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_only_a_last_checkpoint_of_the_same_classes_resumes(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path
) -> None:
    training = start_run(small("epochs=1"), tmp_path, Listener())
    training.fit()
    with pytest.raises(ConfigError, match=r"last\.pt: no such file"):
        resume_run(tmp_path, [], Listener())
    other = tmp_path / "other"
    for label in ("left", "up"):
        (other / label).mkdir(parents=True)
        (other / label / "_3.mp4").write_bytes((moving / "left" / "clip_0.mp4").read_bytes())
        (other / label / "_1.mp4").write_bytes((moving / "left" / "clip_0.mp4").read_bytes())
    with pytest.raises(DatasetError, match="2 classes, not those"):
        resume_run(training.folder, [f"data={other}", "allow_repeats=true"], Listener())
    (training.folder / "last.pt").write_bytes((training.folder / "best.pt").read_bytes())
    with pytest.raises(ConfigError, match="no optimiser state"):
        resume_run(training.folder, [], Listener())


def test_a_run_goes_on_for_longer_by_the_schedule_of_its_new_length(
    small: Callable[..., Recipe], tmp_path: Path
) -> None:
    """Also when it was halted; from there on nothing is left of the old length."""
    training = start_run(small("epochs=2"), tmp_path, Listener())
    training.fit()
    heard = Heard()
    longer = resume_run(training.folder, ["epochs=4"], heard)
    recipe = parse_recipe((training.folder / "recipe.yaml").read_text())
    assert recipe.course.epochs == 4 and longer.epoch == 2
    last = [learning_rate(recipe.descent, recipe.course, 3 * epoch - 1, 3) for epoch in (3, 4)]
    assert heard.matching(f"goes on at {learning_rate(recipe.descent, recipe.course, 6, 3):.2e}")
    again = resume_run(training.folder, [], Listener())  # before it has trained on
    again.fit(until=3)
    resume_run(training.folder, [], Listener()).fit()
    records = read_records(training.folder)
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert [record.lr for record in records[2:]] == pytest.approx(last)
    assert load_checkpoint(training.folder / "last.pt").recipe == recipe.to_yaml()


def test_a_run_may_end_sooner_but_not_before_where_it_is(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small("epochs=4"), tmp_path, Listener())
    training.fit(until=2)
    for epochs in (1, 2):
        with pytest.raises(ConfigError, match=rf"epochs={epochs}: .* has trained 2 already; give more"):
            resume_run(training.folder, [f"epochs={epochs}"], Listener())
    assert parse_recipe((training.folder / "recipe.yaml").read_text()).course.epochs == 4
    resume_run(training.folder, ["epochs=3"], Listener()).fit()
    assert [record.epoch for record in read_records(training.folder)] == [1, 2, 3]

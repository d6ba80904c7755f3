"""The runs of an ablation: what is told before, the table, and that the same command goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List

import pytest
import torch
import yaml

from edgecvar.errors import ConfigError, DatasetError, EdgecvarError
from edgecvar.nets.catalog import build_network
from edgecvar.train import loop
from edgecvar.train.ablation import load_ablation
from edgecvar.train.ablation_rows import CHANGEABLE, RowResult, SeedResult, rehearse, run_ablation
from edgecvar.train.checkpoint import LAST, load_checkpoint, save_checkpoint
from edgecvar.train.data.dataset import Clips, read_clips
from edgecvar.train.evaluate import open_checkpoint
from edgecvar.train.objective import Objective
from edgecvar.train.parts import Architecture, Data
from edgecvar.train.progress import Listener
from tests.published_layouts import LAYOUTS
from tests.train.tables import ablate, planned

pytestmark = pytest.mark.train


def test_the_table_has_each_split_and_their_mean(write: Callable[..., Path], moving: Path, tmp_path: Path) -> None:
    """One epoch each; figures by hand from what each run got right."""
    places = LAYOUTS["hmdb51"](
        tmp_path / "data", {label: sorted((moving / label).iterdir()) for label in ("left", "right")}
    )
    lists = {"data": places["data"], "split": {"format": "hmdb51", "files": places["split.files"]}}
    changes = {**lists, "validation_pattern": None}
    file = write(set=changes, splits=[1, 2], rows={"I": {"network.fusion": "i"}}, paper={"average": {"I": 51.5}})
    told = ablate(file, "-o", tmp_path / "out", "--json")
    (row,) = json.loads(told.stdout)["rows"]
    shares = [seed["right"] / seed["clips"] for seed in row["seeds"]]
    assert [(seed["split"], seed["clips"]) for seed in row["seeds"]] == [(1, 2), (2, 2)]
    assert row["splits"] == [{"split": 1, "top1": shares[0]}, {"split": 2, "top1": shares[1]}]
    assert row["top1"] == sum(shares) / 2
    head, _, line = ablate(file, "-o", tmp_path / "out", "--markdown").stdout.splitlines()
    assert head.startswith("| row | split 1 | split 2 | validation top-1, mean of 2 splits | parameters |")
    assert line.startswith(f"| I | {100 * shares[0]:.1f} % | {100 * shares[1]:.1f} % | {100 * row['top1']:.1f} % |")
    assert "I, split 2, seed 0: run 2 of 2" in told.stderr


def test_the_mean_is_over_splits_and_the_spread_over_seeds() -> None:
    runs = [(1, 0, 4), (1, 1, 6), (2, 0, 8), (2, 1, 9)]
    row = RowResult(
        "TP",
        tuple(SeedResult(seed, Path("run"), 1, None, right, 10, 0, None, split) for split, seed, right in runs),  # type: ignore[arg-type]
    )
    assert row.splits == {1: pytest.approx(0.5), 2: pytest.approx(0.85)}
    assert row.top1 == pytest.approx(0.675)
    assert row.spread == (pytest.approx(0.6), pytest.approx(0.75))


def test_a_dry_run_says_what_would_be_trained_and_trains_nothing(
    write: Callable[..., Path], moving: Path, tmp_path: Path
) -> None:
    file = write(seeds=[0, 1], test=str(moving), set={"weights": ["gone.pth", "synth-motion"]})
    done = ablate(file, "-o", tmp_path / "out", "--dry-run", "--json")
    document = json.loads(done.stdout)
    runs = document["runs"]
    assert [(run["row"], run["seed"]) for run in runs] == [("I", 0), ("I", 1), ("I + MV", 0), ("I + MV", 1)]
    assert {(run["classes"], run["train"], run["test"], run["missing"]) for run in runs} == {(3, 9, 12, 0)}
    network = build_network("attp", planned(file)[0].recipe.network.options, planned(file)[0].recipe.network.input, 3)
    assert runs[0]["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert [line.startswith("gone.pth: no such file") for line in document["absent"]] == [True]
    told = ablate(file, "-o", tmp_path / "out", "--dry-run").stdout
    assert "not there yet: gone.pth: no such file" in told and "4 runs, each also by itself:" in told
    recipe = file.with_name("recipe.yaml")
    assert f"""  edgecvar train {recipe} 'weights=["gone.pth", "synth-motion"]' 'network.fusion="i"' seed=1""" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": {"reconstruction": 1}}, "row 'I': no loss|compares generated motion with flow"),
        ({"network.fusion": "late", "losses": {"teacher": 1, "adversarial": 1}}, "needs 'discriminator'"),
        ({"rates": {"moton": 1}}, "part of the network in rates"),
        ({"augment.camera.pan": 1, "input.accumulate": True}, "augment.camera"),
    ],
)
def test_a_dry_run_finds_what_could_not_learn(write: Callable[..., Path], changes: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ablate(write(rows={"I": changes}), "--dry-run")


def test_clips_that_are_not_there_are_told_before_anything_is_trained(
    write: Callable[..., Path], moving: Path, tmp_path: Path
) -> None:
    for test in (tmp_path / "none", moving / "left"):
        with pytest.raises(DatasetError, match=str(test)):
            next(run_ablation(planned(write()), str(test), Listener()))
    assert not (tmp_path / "runs").exists()


def test_a_row_without_a_network_is_told_before_anything_is_trained(write: Callable[..., Path], moving: Path) -> None:
    file = write(rows={"I": {"network.fusion": "i"}, "OF": {"network.fusion": "mv", "losses": {"teacher": 1}}})
    recipe = file.with_name("recipe.yaml")
    recipe.write_text("".join(line for line in recipe.read_text().splitlines(True) if "cross_entropy" not in line))
    recipe.write_text(recipe.read_text().replace("losses:\n", ""))
    with pytest.raises(ConfigError, match="row 'OF' trains a teacher alone"):
        next(run_ablation(planned(file), str(moving), Listener()))
    with pytest.raises(ConfigError, match="row 'OF' trains a teacher alone"):
        rehearse(planned(file), str(moving))
    assert not (file.parent / "runs").exists()


def test_classes_that_official_lists_leave_out_are_told_before_anything_is_trained(
    write: Callable[..., Path], moving: Path, tmp_path: Path
) -> None:
    for label in ("left", "right"):
        (tmp_path / f"{label}_test_split1.txt").write_text("clip_0.mp4 1\nclip_1.mp4 2\n")
    changes = {"split": {"format": "hmdb51", "files": str(tmp_path)}, "validation_pattern": None}
    with pytest.raises(DatasetError, match="holds 3 classes, not the 2 of its official lists"):
        next(run_ablation(planned(write(set=changes)), str(moving), Listener()))
    with pytest.raises(DatasetError, match="holds 3 classes, not the 2 of its official lists"):
        rehearse(planned(write(set=changes)), str(moving))
    assert not (tmp_path / "runs").exists()


def test_clips_that_train_do_not_test(write: Callable[..., Path], moving: Path) -> None:
    with pytest.raises(DatasetError, match=r"the same clip for two things: .*clip_0\.mp4 \(validation of left\)"):
        next(run_ablation(planned(write(), "allow_repeats=false"), str(moving), Listener()))


def test_clips_that_cannot_be_read_are_counted_apart(write: Callable[..., Path], moving: Path, tmp_path: Path) -> None:
    test = shutil.copytree(moving, tmp_path / "test")
    (test / "left" / "clip_0.mp4").write_bytes(b"no video")
    file = write(rows={"I": {"network.fusion": "i"}}, test=str(test))
    (row,) = json.loads(ablate(file, "-o", tmp_path / "out", "--json").stdout)["rows"]
    assert (row["seeds"][0]["clips"], row["seeds"][0]["unreadable"]) == (11, 1)
    assert "I, seed 0: 1 clips unreadable, not counted" in ablate(file, "-o", tmp_path / "out").stdout


def test_top1_of_the_clips_that_chose_the_epoch_is_called_so(write: Callable[..., Path]) -> None:
    from edgecvar.cli.report.ablation.table import columns

    row = RowResult("I", (SeedResult(0, Path("run"), 1, 0.5, 1, 2, 0, None),))  # type: ignore[arg-type]
    assert columns(load_ablation(write()), [row])[0][1] == "validation top-1"
    assert columns(load_ablation(write(test="clips")), [row])[0][1] == "test top-1"


def test_the_table_says_what_each_row_got_right(write: Callable[..., Path], moving: Path, tmp_path: Path) -> None:
    """Rows by hand from their runs' own checkpoints; a second command trains nothing."""
    file = write(seeds=[0, 1], test=str(moving), paper={"UCF-101": {"I": 83.8}})
    told = ablate(file, "-o", tmp_path / "out", "--json")
    document = json.loads(told.stdout)
    assert [row["row"] for row in document["rows"]] == ["I", "I + MV"]
    assert [row["paper"] for row in document["rows"]] == [{"UCF-101": 83.8}, {"UCF-101": None}]
    for row in document["rows"]:
        assert [seed["seed"] for seed in row["seeds"]] == [0, 1]
        assert all(seed["clips"] == 12 for seed in row["seeds"])
        assert row["top1"] == pytest.approx(sum(seed["right"] for seed in row["seeds"]) / 24, abs=1e-6)
        checkpoint, recipe = open_checkpoint(Path(row["seeds"][1]["run"]))
        assert recipe.views.seed == 1
        assert row["parameters"] == sum(weight.numel() for weight in checkpoint.build().parameters())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.pt")}
    assert len(before) == 8
    again = ablate(file, "-o", tmp_path / "out", "--markdown", *(f"{key}={value}" for key, value in FASTER.items()))
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.pt")}
    lines = again.stdout.splitlines()
    assert lines[0].startswith("| row | test top-1, mean of 2 seeds | lowest to highest | parameters | multiply-adds |")
    assert lines[2].endswith(" 83.8 % |")
    with pytest.raises(EdgecvarError, match="row 'I' was trained here with another epochs, lr; give another folder"):
        ablate(file, "epochs=2", "lr=0.1", "-o", tmp_path / "out")


def test_a_run_of_before_a_network_got_an_option_goes_on(write: Callable[..., Path], tmp_path: Path) -> None:
    """Its recipe does not state the option, which stands at its default."""
    file = write(rows={"I": {"network.fusion": "i"}})
    ablate(file, "-o", tmp_path / "out", "--json")
    (last,) = (tmp_path / "out").rglob(LAST)
    checkpoint = load_checkpoint(last)
    document = yaml.safe_load(checkpoint.recipe)
    assert document["network"].pop("exits") is False
    save_checkpoint(last, replace(checkpoint, recipe=yaml.safe_dump(document)))
    written = last.stat().st_mtime_ns
    ablate(file, "-o", tmp_path / "out", "--json")
    assert last.stat().st_mtime_ns == written


FASTER = {"cache_gib": 1, "workers": 1, "threads": 1, "device": "cpu", "devices": 1, "nodes": 1}


def test_only_what_makes_it_faster_may_change() -> None:
    assert set(FASTER) == set(CHANGEABLE)


def test_after_ctrl_c_the_same_command_goes_on(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the second row: the first is not trained again, the second ends as one that was not."""
    file = write(set={"epochs": 2})
    step, taken = Objective.step, []

    def interrupted(self: Objective, *rest: object) -> object:
        taken.append(1)
        if len(taken) == 11:  # nine clips in batches of four: the second row's second epoch
            raise KeyboardInterrupt
        return step(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Objective, "step", interrupted)
    stopped = ablate(file, "-o", tmp_path / "out")
    assert stopped.exit_code == 130
    assert "the same command goes on" in stopped.stderr
    assert stopped.stdout == ""
    done = ablate(file, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "already trained" in done.stderr and "1 of 2 epochs done" in done.stderr
    assert len(taken) == 11 + 3
    whole = ablate(file, "-o", tmp_path / "whole")
    assert whole.stdout == done.stdout
    ends = [load_checkpoint(next((tmp_path / out / "i-mv").glob(f"*/*/*/{LAST}"))).state for out in ("out", "whole")]
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())


def test_spread_is_that_of_the_seeds() -> None:
    seeds = tuple(
        SeedResult(seed, Path("run"), 1, None, right, 10, 0, None)  # type: ignore[arg-type]
        for seed, right in enumerate((7, 9, 8))
    )
    row = RowResult("TP", seeds)
    assert (row.top1, row.spread) == (pytest.approx(0.8), (0.7, 0.9))


def test_rows_that_look_at_the_same_read_it_once(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read: List[str] = []

    def counted(data: Data, network: Architecture, *given: Any) -> Clips:
        read.append(network.options["fusion"])
        return read_clips(data, network, *given)

    monkeypatch.setattr(loop, "read_clips", counted)
    rows = {"all": {"network.fusion": "tp"}, "alone": {"network.fusion": "mv"}, "faster": {"input.velocity_unit": 2.0}}
    finished = list(run_ablation(planned(write(rows=rows, seeds=[0, 1])), None, Listener()))
    assert len(finished) == 3
    # Motion is among what TP looks at; in another unit it is other values, of which one reading serves both seeds.
    assert len(read) == 2 and read[0] == "tp"

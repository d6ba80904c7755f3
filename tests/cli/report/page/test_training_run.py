"""The page of a run says what its best checkpoint does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from edgecvar.cli.report.page import training_run
from edgecvar.cli.report.page.report import Report
from edgecvar.cli.report.page.training_run import in_turn, streamed_scores, write_run_page
from edgecvar.clips.labelled import Clip
from edgecvar.train.checkpoint import load_checkpoint
from edgecvar.train.loop import Training, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from tests.cli.report.page.parsed_page import ParsedPage

pytestmark = pytest.mark.train


@pytest.fixture
def trained(small: Callable[..., Recipe], tmp_path: Path) -> Training:
    training = start_run(small("epochs=2"), tmp_path, Listener())
    training.fit()
    return training


def written(training: Training, monkeypatch: pytest.MonkeyPatch) -> Report:
    """What the page was made of."""
    kept = []
    write = training_run.write_page
    monkeypatch.setattr(training_run, "write_page", lambda path, report: (kept.append(report), write(path, report)))
    assert write_run_page(training, Listener()) == training.folder / "report.html"
    (report,) = kept
    return report


def test_it_shows_the_epoch_that_was_saved(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    report, best = written(trained, monkeypatch), trained.best
    assert best is not None and report.outcomes is not None and report.curves is not None and report.split is not None
    assert report.outcomes.evaluation.top1 == pytest.approx(best.validation_top1)
    loss = sum(each.loss for each in report.outcomes.hardest) / 3
    assert loss == pytest.approx(best.validation_loss, abs=1e-4)  # three clips validate, all among the hardest
    assert report.curves.best_epoch == best.epoch and [len(each.points) for each in report.curves.top1] == [2, 2]
    assert [(row.label, row.train, row.validation) for row in report.split.rows] == [
        *(("left", 3, 1), ("right", 3, 1), ("still", 3, 1))
    ]
    assert report.split.validation == ["left/clip_3.mp4", "right/clip_3.mp4", "still/clip_3.mp4"]
    assert all(shown.pictures is not None for shown in report.hardest)
    page = ParsedPage((trained.folder / "report.html").read_text(encoding="utf-8"))
    assert page.count("img") == 9 and "validation_pattern: _3\\.mp4$" in page.text


def test_clips_are_timed_as_a_bundle_runs_them(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    report = written(trained, monkeypatch)
    assert report.timing is not None
    (*_, last) = report.timing.moments
    checkpoint = load_checkpoint(trained.folder / "best.pt")
    scored = list(streamed_scores(checkpoint, trained.clips.validation))
    right = sum(checkpoint.labels[int(each.scores.argmax())] == each.clip.label for each in scored)  # type: ignore
    assert last.top1 == pytest.approx(right / 3) and last.running == 0
    assert report.timing.note.startswith("Top-1 of a clip's running answer") and "all clips" in report.timing.note


def test_all_say_one_chance_that_of_the_commonest_class_which_validates(
    trained: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right, _ = trained.clips.validation
    trained.clips = replace(trained.clips, validation=[left, left, left, right])
    report = written(trained, monkeypatch)
    assert report.curves is not None and report.timing is not None and report.outcomes is not None
    assert report.curves.chance == report.timing.chance == report.outcomes.evaluation.chance == 0.75
    assert {fact.name: fact.value for fact in report.facts}["chance"] == "75.0%"


def test_where_time_runs_out_the_page_says_of_how_many(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "STREAMED_SECONDS", -1.0)
    report = written(trained, monkeypatch)
    assert report.timing is not None and report.timing.moments == () and "0 of the 3 clips" in report.timing.note
    assert "How soon it is right" not in ParsedPage((trained.folder / "report.html").read_text()).of("h2")


def test_a_run_without_validation_has_a_page(small: Callable[..., Recipe], tmp_path: Path) -> None:
    training = start_run(small("epochs=1", "validation_pattern="), tmp_path, Listener())
    training.fit()
    page = ParsedPage(write_run_page(training, Listener()).read_text(encoding="utf-8"))
    assert page.of("h2") == ["What to try next", "Curves", "Which clips", "Recipe", "Made with"]
    assert "No clip validates" in page.text and not re.search(r"\bnan\b", page.text)


def test_a_clip_that_is_gone_has_no_pictures_and_says_so(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Clip(Path("gone.mp4"), "left")
    trained.clips = replace(trained.clips, validation=[*trained.clips.validation])
    monkeypatch.setattr(training_run, "streamed_scores", lambda checkpoint, clips: iter(()))
    find = training_run.outcomes

    def missing(labels, results):  # type: ignore[no-untyped-def]
        return find(labels, [replace(each, clip=replace(gone, label=each.clip.label)) for each in results])

    monkeypatch.setattr(training_run, "outcomes", missing)
    report = written(trained, monkeypatch)
    assert all(shown.pictures is None and "gone.mp4" in shown.note for shown in report.hardest)


def test_clips_come_class_by_class_so_that_a_part_of_them_has_all() -> None:
    clips = [Clip(Path(f"{label}{number}"), label) for label in "abc" for number in range(4 if label == "a" else 2)]
    assert [str(clip.path) for clip in in_turn(clips)] == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "a3"]

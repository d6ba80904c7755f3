from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from edgecvar.errors import ConfigError
from edgecvar.train.history import EpochRecord, append_record, draw_curves, keep_records, read_records
from edgecvar.train.progress import TerminalListener

pytestmark = pytest.mark.train


def record(epoch: int, **values: Any) -> EpochRecord:
    plain = {"lr": 0.1, "train_loss": 1.0, "train_top1": 0.5, "clips": 9, "skipped": 0, "damaged": 0}
    return EpochRecord.model_validate({"epoch": epoch, "seconds": 1.0, "waiting": 0.1, **plain, **values})


def test_better_means_more_right_then_a_lower_loss_then_later_without_validation() -> None:
    first = record(1, validation_loss=1.0, validation_top1=0.5)
    assert first.better_than(None)
    assert record(2, validation_loss=2.0, validation_top1=0.6).better_than(first)
    assert not record(2, validation_loss=0.1, validation_top1=0.4).better_than(first)
    assert record(2, validation_loss=0.9, validation_top1=0.5).better_than(first)
    assert not record(2, validation_loss=1.0, validation_top1=0.5).better_than(first)
    assert record(2).better_than(record(1))


def test_what_a_kill_left_behind_is_dropped(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        append_record(tmp_path, record(epoch))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lr"')
    assert [kept.epoch for kept in read_records(tmp_path)] == [1, 2, 3]
    assert keep_records(tmp_path, 2) == [record(1), record(2)]
    append_record(tmp_path, record(3))
    assert [kept.epoch for kept in read_records(tmp_path)] == [1, 2, 3]


def test_another_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("hello\n")
    with pytest.raises(ConfigError, match=r"metrics\.jsonl: not the metrics of a run"):
        read_records(tmp_path)


def test_epochs_in_which_nothing_was_judged_are_told_and_drawn_without(
    tmp_path: Path, capsys: pytest.CaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    bare = record(1, train_top1=None)
    append_record(tmp_path, bare)
    assert read_records(tmp_path) == [bare]
    for records in ([bare], [bare, record(2), record(3, validation_loss=1.0, validation_top1=0.5)]):
        draw_curves(tmp_path, records, None, "attp on clips", 0.1)
    assert [str(warned.message) for warned in recwarn] == []
    TerminalListener().epoch(bare, 3, False)
    said = capsys.readouterr().err
    assert "train 1.000  lr" in said and "%" not in said


def test_curves_say_of_what_they_are_where_the_best_epoch_is_and_what_chance_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    from matplotlib.figure import Figure

    drawn: List[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *to, **how: (drawn.append(self), save(self, *to, **how)))
    records = [record(n, validation_loss=1.0, validation_top1=top1) for n, top1 in ((1, 0.25), (2, 0.5), (3, 0.4))]
    draw_curves(tmp_path, records, records[1], "attp on $clips$_\x1b\u4e2d", 0.125)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    (figure,) = drawn
    assert figure.get_suptitle() == "attp on $clips$_\\x1b\u4e2d: epoch 3, best 2 with validation top-1 50.0%"
    for axes, also in zip(figure.axes, ([], ["chance, 12.5 %"])):
        lines = {line.get_label(): line for line in axes.lines}
        assert list(lines) == [*also, "train", "validation", "best, epoch 2"]
        assert list(lines["best, epoch 2"].get_xdata()) == [2, 2]
    chance, _, validation, _ = figure.axes[1].lines
    assert list(chance.get_ydata()) == [12.5, 12.5] and list(validation.get_ydata()) == [25, 50, 40]
    assert [str(warned.message) for warned in recwarn] == []


def test_without_validation_the_curves_show_no_accuracy_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: List[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *to, **how: drawn.append(self))
    draw_curves(tmp_path, [record(1)], record(1), "attp", 0.25)
    assert drawn[0].get_suptitle() == "attp: epoch 1"
    assert [line.get_label() for line in drawn[0].axes[1].lines] == ["chance, 25 %", "train", "best, epoch 1"]

from __future__ import annotations

from pathlib import Path
from typing import Any

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
        draw_curves(tmp_path, records)
    assert [str(warned.message) for warned in recwarn] == []
    TerminalListener().epoch(bare, 3, False)
    said = capsys.readouterr().err
    assert "train 1.000  lr" in said and "%" not in said


def test_curves_are_a_picture_with_and_without_validation(tmp_path: Path) -> None:
    draw_curves(tmp_path, [record(1), record(2)])
    bare = (tmp_path / "curves.png").read_bytes()
    draw_curves(tmp_path, [record(n, validation_loss=1.0, validation_top1=0.5) for n in (1, 2)])
    full = (tmp_path / "curves.png").read_bytes()
    assert bare.startswith(b"\x89PNG")
    assert full.startswith(b"\x89PNG")
    assert bare != full

"""Kinetics' lists as annotations: which seconds of which video."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecvar.datasets.lists import kinetics_lists, kinetics_stretches
from edgecvar.errors import DatasetError
from tests.datasets.published import KINETICS, written


def test_stretches_of_all_parts_by_id_once_each(tmp_path: Path) -> None:
    lists = {
        "train.csv": KINETICS + '"air drumming",-abc,5,15,train\nyoga,xyz,40,50,train\n',
        "kinetics_400_validate.csv": KINETICS + "yoga,xyz,20.0,30.0,validate\nyoga,xyz,40,50,validate\n",
        "test.csv": "youtube_id,time_start,time_end,split\nunlabelled,1,11,test\n",
        "labels.csv": "anything\n",
    }
    sheets = kinetics_lists(written(tmp_path, lists))
    assert [sheet.name for sheet in sheets] == ["train.csv", "kinetics_400_validate.csv", "test.csv"]
    assert kinetics_stretches(sheets) == {"-abc": [(5, 15)], "xyz": [(20, 30), (40, 50)], "unlabelled": [(1, 11)]}


def test_lists_of_another_kind_are_none_of_these(tmp_path: Path) -> None:
    assert kinetics_lists(written(tmp_path, {"train.csv": "path,label,split\n", "val.csv": ""})) == []


@pytest.mark.parametrize("start", ["", "soon", "inf", "nan"])
def test_seconds_that_are_none_are_named_with_their_line(tmp_path: Path, start: str) -> None:
    written(tmp_path, {"train.csv": KINETICS + f"yoga,xyz,{start},30,train\n"})
    with pytest.raises(DatasetError, match=r"train\.csv:2: time_start and time_end are seconds"):
        kinetics_stretches(kinetics_lists(tmp_path))

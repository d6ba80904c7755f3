"""From what is downloaded to what trains: every clip that the official lists name is found, whatever it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecvar.datasets.papers import Settings
from edgecvar.datasets.preparation import Request, prepare
from edgecvar.stream.anatomy import anatomy
from edgecvar.stream.reader import open_stream
from edgecvar.train.data.labels import load_split
from edgecvar.train.recipe import parse_recipe
from tests.datasets.published import MADE

pytestmark = pytest.mark.train
FORMATS = {"v1": "something", "v2": "something"}
EXPECTED = {"ucf101": (2, 2), "hmdb51": (2, 2), "kinetics": (2, 2), "v2": (2, 1), "v1": (2, 1)}


@pytest.mark.parametrize("name", MADE)
def test_lists_find_every_prepared_clip(tmp_path: Path, name: str) -> None:
    data, lists = MADE[name](tmp_path)
    folder = tmp_path / "prepared"
    result = prepare(Request(data, folder, Settings("attp" if name == "v1" else "coviar"), workers=0))
    assert result.left_out == []
    recipe = f"model: attp\ndata: {folder}\nsplit: {{format: {FORMATS.get(name, name)}, files: {lists}}}"
    split = load_split(parse_recipe(recipe).data)
    assert (len(split.train), len(split.validation), split.missing) == (*EXPECTED[name], 0)
    found = [clip.path for clip in (*split.train, *split.validation)]
    assert sorted(found) == sorted(folder / clip.output for clip in result.clips)
    for path in found:
        with open_stream(path) as stream:
            told = anatomy(stream)
        assert (told.info.width, told.info.height) == (340, 256) and set(told.gop_lengths[:-1]) <= {12}
        if name == "kinetics":
            assert len(told.kinds) == 50

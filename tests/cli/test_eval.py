"""`edgecvar eval` as a user meets it."""

from __future__ import annotations

import json

import pytest

from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for label, shift in (("left", -2), ("right", 2)):
        (root / label).mkdir()
        for number in range(2):
            moving_clip(root / label / f"s{number}_{label}.mp4", shift=shift, pictures=20)
    (root / "right" / "s0_broken.mp4").write_text("not a video")
    return root


def test_json_holds_figures_and_names(edgecvar, tmp_path, clips):
    code, out, err = edgecvar("eval", tiny_bundle(tmp_path), clips, "--json", "--jobs", "1")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["top1"] == 1.0 and document["clips"] == 4
    assert document["confusion"] == {"labels": ["left", "right", "still"], "rows": [[2, 0, 0], [0, 2, 0], [0, 0, 0]]}
    assert document["per_class"]["right"] == {"clips": 2, "correct": 2, "accuracy": 1.0}
    assert document["per_class"]["still"]["accuracy"] is None
    assert [entry["clip"] for entry in document["unreadable"]] == [str(clips / "right" / "s0_broken.mp4")]


def test_tables_name_the_unreadable_clip(edgecvar, tmp_path, clips):
    code, out, _ = edgecvar("eval", tiny_bundle(tmp_path), clips, "--match", "^s0_", "--jobs", "1")
    assert code == 0 and "top-1 100.0% of 2 clips" in out
    assert "1 unreadable" in out and "s0_broken.mp4" in out


def test_an_untrained_bundle_says_so(edgecvar, tmp_path, clips):
    bundle = tiny_bundle(tmp_path, untrained=True)
    code, out, err = edgecvar("eval", bundle, clips, "--json", "--jobs", "1")
    assert code == 0 and json.loads(out)["untrained"] is True and "untrained" in err


def test_wrong_folders_are_one_line_and_exit_1(edgecvar, tmp_path, clips):
    bundle = tiny_bundle(tmp_path)
    (tmp_path / "clips" / "lefd").mkdir(parents=True)
    for folder, message in ((tmp_path / "none", "none"), (tmp_path / "clips", "did you mean 'left'")):
        code, out, err = edgecvar("eval", bundle, folder)
        assert (code, out) == (1, "") and message in err and err.count("\n") == 1


def test_clips_of_which_none_is_decided_are_exit_1(edgecvar, tmp_path):
    root = tmp_path / "clips"
    (root / "right").mkdir(parents=True)
    moving_clip(root / "right" / "intra.mp4", pictures=5, g="1")
    (root / "right" / "broken.mp4").write_text("not a video")
    bundle = tiny_bundle(tmp_path)
    for options in ([], ["--json"]):
        code, out, err = edgecvar("eval", bundle, root, "--jobs", "1", *options)
        assert code == 1 and "broken.mp4" in out
        assert err == "error: no clip was decided: 1 without a decision, 1 could not be read\n"

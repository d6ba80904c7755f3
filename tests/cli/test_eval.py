"""`edgecvar eval` as a user meets it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.report.page.parsed_page import ParsedPage
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


def test_what_is_beyond_top_1_is_said_and_in_the_document(edgecvar, tmp_path, clips):
    bundle = tiny_bundle(tmp_path)
    _, out, _ = edgecvar("eval", bundle, clips, "--jobs", "1")
    assert "calibration error " in out and "top-1 after 0.25 s 100.0%, 0.5 s 100.0%, 1 s 100.0%" in out
    _, out, _ = edgecvar("eval", bundle, clips, "--jobs", "1", "--json")
    document = json.loads(out)
    assert document["over_time"] == [{"seconds": seconds, "top1": 1.0} for seconds in (0.25, 0.5, 1.0)]
    assert 0 <= document["calibration_error"] < 1 and document["folder"] == str(clips)


def test_a_page_is_written_beside(edgecvar, tmp_path, clips):
    target = tmp_path / "page.html"
    code, out, err = edgecvar("eval", tiny_bundle(tmp_path), clips, "--jobs", "1", "--json", "--html", target)
    assert code == 0 and json.loads(out)["top1"] == 1.0 and err == f"page: {target}\n"
    page = ParsedPage(target.read_text(encoding="utf-8"))
    assert "Confusion matrix" in page.of("h2") and "The hardest clips" in page.of("h2")
    assert page.count("img") == 4 * 3 and "s0_broken.mp4" in page.text


def test_a_page_that_cannot_be_written_is_said_before_anything_runs(edgecvar, tmp_path, clips):
    bundle = tiny_bundle(tmp_path)
    (tmp_path / "file").write_text("")
    for target, said in ((tmp_path, "a folder; name a file"), (tmp_path / "file" / "x.html", "nothing can be written")):
        code, out, err = edgecvar("eval", bundle, clips, "--html", target)
        assert code in (1, 2) and out == "" and said in err


@pytest.fixture(scope="module")
def reversed_clips(tmp_path_factory, clips):
    """The same names, of which one moves the other way; and one clip more."""
    root = tmp_path_factory.mktemp("reversed")
    shutil.copytree(clips, root, dirs_exist_ok=True)
    moving_clip(root / "left" / "s1_left.mp4", shift=2, pictures=20)
    moving_clip(root / "left" / "s2_left.mp4", shift=-2, pictures=20)
    (root / "left" / "s1_left.mp4").rename(root / "left" / "s1_left.mkv")
    return root


def test_sources_are_compared_clip_by_clip(edgecvar, tmp_path, clips, reversed_clips):
    bundle = tiny_bundle(tmp_path)
    code, out, _ = edgecvar("eval", bundle, "--sources", clips, reversed_clips, "--json", "--jobs", "1")
    first, second = json.loads(out)["sources"]
    assert code == 0 and (first["folder"], first["top1"]) == (str(clips), 1.0) and "difference" not in first
    assert (second["folder"], second["clips"], second["top1"]) == (str(reversed_clips), 5, 0.8)
    compared = [second[key] for key in ("difference", "paired", "changed", "lost", "won")]
    assert compared == [-0.2, 4, 1, 1, 0]
    page = tmp_path / "page.html"
    code, out, _ = edgecvar("eval", bundle, "--sources", clips, reversed_clips, "--jobs", "1", "--html", page)
    row = next(line for line in out.splitlines() if "-20.0" in line)
    assert code == 0 and [cell for cell in row.split() if cell[-1].isdigit()][-5:] == ["-20.0", "4", "1", "1", "0"]
    assert ParsedPage(page.read_text(encoding="utf-8")).of("h2")[0] == "Sources side by side"


def test_folders_are_compared_where_that_is_asked_for(edgecvar, tmp_path, clips):
    bundle = tiny_bundle(tmp_path)
    for arguments, said in (
        ((clips, tmp_path), "to compare them add --sources"),
        (("--sources", clips), "--sources compares two folders or more"),
        (("--sources", clips, clips), "a folder is named twice"),
    ):
        code, out, err = edgecvar("eval", bundle, *arguments)
        assert code == 2 and out == "" and said in err


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

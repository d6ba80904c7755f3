"""`edgecvar prepare` as it is typed: what it says, in words and as JSON, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecvar.cli.data.prepare import PAPERS as OFFERED
from edgecvar.datasets.papers import PAPERS
from tests.datasets.published import KINETICS, video, written


@pytest.fixture
def data(tmp_path: Path) -> Path:
    video(tmp_path / "data/a/one.avi")
    video(tmp_path / "data/a/two.mp4", times=[*range(10), 12, 13, 14])
    written(tmp_path / "data/a", {"junk.webm": "no video"})
    return tmp_path / "data"


def test_every_paper_is_offered_and_said_in_the_help(edgecvar) -> None:
    assert set(OFFERED) == set(PAPERS)
    _, out, _ = edgecvar("prepare", "--help")
    assert all(name in out for name in PAPERS)
    for paper in PAPERS.values():
        assert paper.words.rpartition(", ")[0].replace("340 x 256", "") in out.replace("\n", " ")


def test_it_says_what_it_did_and_ends_well(edgecvar, data: Path) -> None:
    asked = ("prepare", data, "-o", data.parent / "out", "--as", "attp", "--workers", "0")
    code, out, _ = edgecvar(*asked)
    assert code == 0
    assert "2 clips, 35 pictures (2 clips prepared now, 0 there already), H.264, GOP 12, 2 B-pictures" in out
    assert "1 clips had times unlike their rate: 2 pictures repeated, 0 dropped" in out
    assert "left out: a/junk.webm: not a video" in out and "out/prepared.json" in out
    code, out, _ = edgecvar(*asked, "--json")
    document = json.loads(out)
    assert (code, document["clips"], document["done"], document["pictures"]) == (0, 2, 0, 35)
    assert [each["name"] for each in document["left_out"]] == ["a/junk.webm"]
    code, _, err = edgecvar(*asked[:-4], "--as", "coviar")
    assert code == 1 and "--as attp, not coviar" in err


def test_a_dry_run_writes_nothing(edgecvar, data: Path) -> None:
    written(data, {"train.csv": KINETICS + "yoga,one,0,5,train\n"})
    asked = ("prepare", data, "-o", data.parent / "out", "--as", "coviar", "--dry-run")
    code, out, _ = edgecvar(*asked)
    assert code == 0 and not (data.parent / "out").exists()
    assert "MPEG-4 part 2, GOP 12, no B-pictures, 340 x 256" in out and "3 clips to prepare" in out
    assert "a/one.avi, 0 to 5 s -> a/one_000000_000005.mp4" in out
    document = json.loads(edgecvar(*asked, "--no-trim", "--json", "--fps", "30000/1001")[1])
    assert [each["output"] for each in document["todo"]] == ["a/junk.mp4", "a/one.mp4", "a/two.mp4"]
    assert document["settings"]["fps"] == "30000/1001"


def test_nothing_that_can_be_prepared_ends_with_1(edgecvar, data: Path, tmp_path: Path) -> None:
    for name in ("one.avi", "two.mp4"):
        (data / "a" / name).unlink()
    code, out, err = edgecvar("prepare", data, "-o", tmp_path / "out", "--as", "team", "--workers", "0", "--json")
    assert code == 1 and json.loads(out)["clips"] == 0
    assert "none of 1 clips could be prepared; a/junk.webm: not a video" in err
    assert not (tmp_path / "out/prepared.json").exists()
    code, _, err = edgecvar("prepare", tmp_path / "nowhere", "-o", tmp_path / "out2", "--as", "team")
    assert code == 1 and "no such folder" in err and not (tmp_path / "out2").exists()


@pytest.mark.parametrize("flags", [("--fps", "0"), ("--fps", "x"), ("--fps", "1/0"), ("--trim", "x", "--no-trim")])
def test_flags_that_say_nothing_are_refused(edgecvar, data: Path, flags) -> None:
    code, _, err = edgecvar("prepare", data, "-o", data.parent / "out", "--as", "coviar", *flags)
    assert code == 2 and flags[0] in err

"""`edgecvar bench` measures the path that runs, saves it, and shows it again."""

from __future__ import annotations

import json

import pytest

from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), untrained=True)


def test_every_part_of_the_path_is_timed(edgecvar, tmp_path, bundle, clip):
    saved = tmp_path / "session.json"
    options = ("--bundle", bundle, "--seconds", "1", "--every", "4", "--save", saved, "--json")
    code, out, _ = edgecvar("bench", clip, *options)
    assert code == 0
    document = json.loads(out)
    counts = document["counts"]
    passes = counts["pictures"] // 40
    assert counts["pictures"] == 40 * passes and counts["decisions"] == counts["sampled"] == 10 * passes
    rows = {row["name"]: row["count"] for row in document["summary"]["rows"]}
    assert rows["read"] == 41 * passes  # the end of the stream is read too
    assert rows["prepare"] == 10 * passes
    assert rows["image"] == 4 * passes
    assert rows["decide"] == rows["stage:motion"] == rows["stage:fuse"] == 10 * passes
    assert rows["stage:appearance"] == 4 * passes  # 40 pictures in GOPs of 12: once an I-picture
    session = json.loads(saved.read_text())
    alone = session["stages_alone"]["spans_ms"]
    assert set(alone) == {name for name in rows if name.startswith("stage:")}
    assert len(alone["stage:motion"]) == session["stages_alone"]["sampled"]
    assert session["warm_up"]["decisions"] == 8


def test_a_saved_session_is_shown_again(edgecvar, tmp_path, bundle, clip):
    saved = tmp_path / "session.json"
    edgecvar("bench", clip, "--bundle", bundle, "--seconds", "0.1", "--save", saved)
    code, first, _ = edgecvar("bench", "--from", saved)
    assert code == 0 and "UNTRAINED" in first and "end to end" in first
    _, again, _ = edgecvar("bench", "--from", saved)
    assert again == first


def test_decoding_everything_is_measured_on_the_same_pictures(edgecvar, tmp_path, bundle, clip):
    saved = tmp_path / "session.json"
    options = ("--bundle", bundle, "--seconds", "0.3", "--against", "decode", "--save", saved, "--json")
    code, out, _ = edgecvar("bench", clip, *options)
    assert code == 0
    document, session = json.loads(out), json.loads(saved.read_text())
    turns, decoded = session["against"]["turns"], session["against"]["decode"]
    assert len(turns) >= 5 and session["against"]["stage"] == "appearance"
    assert decoded["pictures"] == sum(turn["pictures"] for turn in turns) == document["counts"]["pictures"]
    looked = sum(-(-turn["pictures"] // 2) for turn in turns)  # every second picture of each turn
    assert decoded["sampled"] == len(decoded["spans_ms"]["stage:appearance"]) == looked
    compared = document["summary"]["against"]
    assert [row["name"] for row in compared["rows"]] == ["decode", "scale", "stage:appearance"]
    assert compared["times"] > 0 and compared["pictures_per_second"] > 0
    _, shown, _ = edgecvar("bench", "--from", saved)
    assert f"reading the compressed video: {compared['times']:.2f} times decoding all" in shown
    assert "decoding all: scale" in shown


def test_what_was_not_asked_for_is_not_compared(edgecvar, tmp_path, bundle, clip):
    saved = tmp_path / "session.json"
    edgecvar("bench", clip, "--bundle", bundle, "--seconds", "0.1", "--save", saved)
    assert "decoding all" not in edgecvar("bench", "--from", saved)[1]
    document = json.loads(saved.read_text())
    assert document.pop("against") is None
    del document["run"]["cpu_seconds"]
    saved.write_text(json.dumps(document))  # as it was saved before there was anything to compare with
    assert edgecvar("bench", "--from", saved)[0] == 0


def test_a_page_is_made_of_a_measurement_and_of_a_saved_session(edgecvar, tmp_path, bundle, clip):
    saved, page = tmp_path / "session.json", tmp_path / "page.html"
    options = ("--bundle", bundle, "--seconds", "0.1", "--save", saved)
    code, out, _ = edgecvar("bench", clip, *options, "--report", page)
    assert code == 0 and "end to end" in out
    first = page.read_text(encoding="utf-8")
    boxes = ("read, parse", "I-pictures", "prepare", "appearance", "motion", "residual", "fuse", "decide")
    assert all(f">{box}</text>" in first for box in boxes) and "drawn as is common" not in first
    page.unlink()
    assert edgecvar("bench", "--from", saved, "--report", page)[0] == 0
    assert page.read_text(encoding="utf-8") == first
    session = json.loads(saved.read_text())
    assert list(session["flow"]) == ["appearance", "motion", "residual", "fuse"] and session["flow"]["appearance"] == [
        "image"
    ]
    del session["flow"]
    saved.write_text(json.dumps(session))  # as it was saved before there were pages
    assert edgecvar("bench", "--from", saved, "--report", page)[0] == 0
    assert "drawn as is common" in page.read_text(encoding="utf-8")


def test_a_page_takes_no_place_of_what_is_read(edgecvar, tmp_path, bundle, clip):
    copy = tmp_path / clip.name
    copy.write_bytes(clip.read_bytes())
    options = ("bench", copy, "--bundle", bundle, "--seconds", "0.1", "--save", tmp_path / "s.json", "--report")
    for place, said in (
        (copy, "this is the source itself"),
        (tmp_path / "s.json", "this is the session itself"),
        (tmp_path, "a folder; name a file"),
        (copy / "page.html", "nothing can be written there"),
    ):
        code, _, err = edgecvar(*options, place)
        assert code != 0 and said in err and not (tmp_path / "s.json").exists()
    assert copy.read_bytes() == clip.read_bytes()


def test_a_source_and_a_session_exclude_each_other(edgecvar, tmp_path, clip):
    code, _, err = edgecvar("bench", clip, "--from", tmp_path / "s.json")
    assert code == 2 and "not both" in err


@pytest.mark.parametrize("name", ["nothing.mp4", "."])
def test_a_source_that_is_no_video_is_one_line(edgecvar, tmp_path, bundle, name):
    code, out, err = edgecvar("bench", tmp_path / name, "--bundle", bundle, "--save", tmp_path / "s.json")
    assert code == 1 and out == "" and err.startswith("error:") and err.count("\n") == 1
    assert not (tmp_path / "s.json").exists()


def test_a_clip_of_i_pictures_has_nothing_to_measure(edgecvar, tmp_path, bundle):
    still = moving_clip(tmp_path / "intra.mp4", pictures=5, g="1")
    code, _, err = edgecvar("bench", still, "--bundle", bundle, "--save", tmp_path / "s.json")
    assert code == 1 and "nothing to measure" in err


def test_a_time_without_end_is_refused(edgecvar, clip, bundle):
    for command in (
        ("bench", clip, "--bundle", bundle),
        ("bench", "networks", bundle),
        ("bench", "streams", clip),
    ):
        code, _, err = edgecvar(*command, "--seconds", "inf")
        assert code == 2 and "--seconds" in err

"""`edgecvar inspect` says of a clip what its encoder was told."""

from __future__ import annotations

import io
import json

import av
import pytest

from edgecvar.cli.report.portrait import draw_portrait
from edgecvar.errors import StreamError
from tests.moving_clip import moving_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "b.mp4"
    return moving_clip(path, pictures=30, g="12", bf="2", refs="1", **{"x264-params": "weightp=0:b-adapt=0"})


def test_gops_kinds_and_motion_are_those_of_the_encoder(edgecvar, clip):
    code, out, _ = edgecvar("inspect", clip, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["info"]["codec"] == "h264" and document["info"]["fps"] == 25
    assert document["counts"] == {kind: document["kinds"].count(kind) for kind in "IPB"}
    assert sum(document["gop_lengths"]) == len(document["kinds"]) == 30
    assert document["kinds"].startswith("IBBP") and document["counts"]["I"] == 3
    assert document["motion"]["mean_speed"] == pytest.approx(2, abs=0.3)
    assert document["motion"]["backward"] > 0.2
    assert document["summary"]["skipped"] == 0


def strip_of(edgecvar, path):
    """The lines of the strip: first picture, length, pattern with what follows it."""
    code, out, _ = edgecvar("inspect", path)
    assert code == 0 and "h264, 96 x 64" in out
    lines = out.splitlines()
    return [line.split(None, 2) for line in lines[lines.index("      first  long  GOPs in display order") + 1 :]]


def test_a_line_of_the_strip_is_a_gop_or_several_alike(edgecvar, clip):
    assert strip_of(edgecvar, clip) == [["0", "12", "IBBPBBPBBPBP  2 times"], ["24", "6", "IBBPBP"]]


def test_a_long_gop_is_told_by_its_period_and_many_by_their_number(edgecvar, tmp_path):
    long = moving_clip(tmp_path / "long.mp4", pictures=110, g="300", bf="2", **{"x264-params": "b-adapt=0"})
    (only,) = strip_of(edgecvar, long)
    assert only == ["0", "110", "I (BBP) x 36 P"]
    many = moving_clip(tmp_path / "many.mp4", pictures=200, g="3")
    assert strip_of(edgecvar, many) == [["0", "3", "IPP  66 times"], ["198", "2", "IP"]]


def test_what_the_strip_has_no_room_for_is_said():
    from edgecvar.cli.report.anatomy import _print_strip
    from edgecvar.console import Console

    out = io.StringIO()
    kinds = "".join("I" + "P" * (1 + place % 7) for place in range(40)) + "I" + "PB" * 20 + "PPBBB" * 20
    _print_strip(kinds, Console(file=out))
    lines = out.getvalue().splitlines()
    assert len(lines) == 17 and lines[-1].split() == ["...", "25", "more,", "of", "2", "to", "141", "pictures"]


def test_the_picture_drawn_is_the_one_with_most_motion(edgecvar, tmp_path):
    """A texture that jumps once, in its nineteenth picture."""
    clip = moving_clip(tmp_path / "jump.mp4", pictures=30, g="30", shift=lambda index: 6 * (index >= 18))
    code, out, err = edgecvar("inspect", clip, "--picture", tmp_path / "p.png", "--json")
    assert code == 0 and json.loads(out)["liveliest"] == 18
    assert "(picture 18, P)" in err


def test_the_picture_has_three_panels(edgecvar, tmp_path, clip):
    target = tmp_path / "parts.png"
    code, _, err = edgecvar("inspect", clip, "--picture", target, "--at", "7")
    assert code == 0 and "picture 7" in err
    with av.open(str(target)) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert image.shape == (64, 3 * 96 + 2 * 4, 3)
    assert image[40:, :96].std() > 10  # the texture


def test_a_picture_beyond_the_end_is_one_line(edgecvar, tmp_path, clip):
    code, _, err = edgecvar("inspect", clip, "--picture", tmp_path / "p.png", "--at", "999")
    assert code == 1 and "smaller --at" in err and not (tmp_path / "p.png").exists()


def test_a_missing_file_is_one_line(edgecvar, tmp_path):
    code, out, err = edgecvar("inspect", tmp_path / "none.mp4")
    assert code == 1 and out == "" and err.count("\n") == 1 and "no such file" in err


def test_a_network_at_the_papers_size(edgecvar):
    pytest.importorskip("torch", reason="the device half has no torch")
    code, out, _ = edgecvar("inspect", "attp", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["parameters"] == pytest.approx(23.4e6, rel=0.01)
    assert document["multiply_adds"] == pytest.approx(3.0e9, rel=0.03)
    kept = document["kept_multiply_adds"]
    assert kept["all_sampled"] < kept["one_sampled"] < document["multiply_adds"]


def test_an_unknown_network_names_the_nearest(edgecvar):
    pytest.importorskip("torch", reason="the device half has no torch")
    code, _, err = edgecvar("inspect", "atttp")
    assert code == 1 and "attp" in err


def test_the_picture_of_a_url_replaces_an_older_one(tmp_path):
    (tmp_path / "p.png").write_bytes(b"an older one")
    with pytest.raises(StreamError, match="refused"):  # by the server: there is none
        draw_portrait("tcp://127.0.0.1:1", tmp_path / "p.png", at=1)


def test_the_picture_is_never_the_source(edgecvar, tmp_path):
    clip = moving_clip(tmp_path / "clip.mp4", pictures=20)
    before = clip.read_bytes()
    for arguments in (("inspect", clip, "--picture", clip), ("bench", clip, "--save", clip, "--seconds", "0.2")):
        code, _, err = edgecvar(*arguments)
        assert code == 1 and "the source itself" in err and clip.read_bytes() == before


def test_a_folder_called_as_a_network_does_not_hide_it(edgecvar, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="the device half has no torch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "attp").mkdir()
    code, out, _ = edgecvar("inspect", "attp", "--json")
    assert code == 0 and json.loads(out)["model"] == "attp"
    code, _, err = edgecvar("inspect", "./attp")
    assert code == 1 and "attp: " in err and err.count("\n") == 1

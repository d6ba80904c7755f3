"""`edgecvar inspect` says of a clip what its encoder was told."""

from __future__ import annotations

import io
import json

import av
import pytest

from edgecvar.cli.report.portrait import draw_portrait
from edgecvar.errors import StreamError
from tests.moving_clip import moving_clip
from tests.predict.typing.bundles import HALF, swish_bundle
from tests.predict.typing.written import Call, swish_chain, written


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


def test_hevc_is_inspected_as_h264_is(edgecvar, tmp_path):
    settings = {"bf": "2", "x265-params": "log-level=none:b-adapt=0:keyint=12:min-keyint=12:scenecut=0:open-gop=0"}
    clip = moving_clip(tmp_path / "clip.mp4", pictures=30, codec="hevc", **settings)
    code, out, _ = edgecvar("inspect", clip, "--json")
    document = json.loads(out)
    assert code == 0 and document["info"]["codec"] == "hevc" and document["info"]["extraction"] == "native"
    assert sum(document["gop_lengths"]) == len(document["kinds"]) == 30
    assert document["kinds"].startswith("IBBP") and document["counts"]["I"] == 3
    assert document["motion"]["mean_speed"] == pytest.approx(2, abs=0.3)
    assert document["motion"]["exact"] == 1 and document["motion"]["backward"] > 0.2
    assert document["summary"]["skipped"] == document["summary"]["damaged"] == 0
    code, out, _ = edgecvar("inspect", clip)
    assert code == 0 and "hevc, 96 x 64" in out


def test_the_gops_of_an_open_gop_are_as_long_as_their_strips(edgecvar, tmp_path):
    """In decode order the second I-picture is before the two that are shown before it."""
    settings = {"x265-params": "log-level=none:b-adapt=0:bframes=2:keyint=12:min-keyint=12:scenecut=0:open-gop=1"}
    clip = moving_clip(tmp_path / "clip.mp4", pictures=36, codec="hevc", **settings)
    code, out, _ = edgecvar("inspect", clip)
    assert code == 0 and "        GOP  3 of 12 pictures\n" in out
    assert [line.split()[1] for line in out.splitlines() if "IBB" in line] == ["12", "12"]


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


def test_a_bundle_is_its_types(edgecvar, tmp_path):
    """Scales in fp32 alone: what a strongly typed engine would compute in fp32 is counted, named and noted."""
    bundle = swish_bundle(tmp_path, {"fp16": HALF, "int8": swish_chain(41, "fp32")})
    code, out, _ = edgecvar("inspect", bundle)
    assert code == 0
    cells = [line.split() for line in out.splitlines()]
    assert ["s", "fp16", "8.2,", "8.5", "to", "9", "weak", "0", "1", "1", "sum", "(ReduceSum)"] in cells
    assert ["s", "int8", "8.5", "to", "9,", "10", "weak", "41", "82", "0"] in cells
    (strong,) = [line for line in out.splitlines() if "int8" in line and "strong" in line]
    assert strong.split()[2:7] == ["11", "strong", "41", "0", "82"] and "sigmoid0 (Sigmoid)" in strong
    assert "note stage s, int8 on TensorRT 11: 82 nodes in fp32 that the fp16 stage has not" in out
    code, out, _ = edgecvar("inspect", bundle, "--json")
    (*_, last) = json.loads(out)["stages"]
    assert last["tensorrt"] == ["11"] and last["nodes"] == {"int8": 41, "fp16": 0, "fp32": 82}
    operators = [node["operator"] for node in last["fp32"]]
    assert operators.count("Sigmoid") == operators.count("Mul") == 41 and last["refused"] == []


def test_types_that_a_parser_refuses_are_told(edgecvar, tmp_path):
    mixed = written([Call("y", "Mul", ["x", "half"])], {"half": "fp16"}, {"x": "fp32"}, "y")
    code, out, _ = edgecvar("inspect", swish_bundle(tmp_path, {"fp16": mixed}))
    assert code == 0
    assert "WRONG stage s, fp16 on TensorRT 10, 11: node y (Mul) reads tensors of several types: x is fp32" in out


def test_a_bundle_of_fp32_has_nothing_to_type_and_no_picture(edgecvar, tmp_path):
    bundle = swish_bundle(tmp_path, {})
    code, out, _ = edgecvar("inspect", bundle)
    assert (code, out.strip()) == (0, "every stage is in fp32 alone")
    code, _, err = edgecvar("inspect", bundle, "--at", "3")
    assert code == 2 and "want a video" in err


def test_a_folder_that_is_no_bundle_is_said_to_be_one(edgecvar, tmp_path, monkeypatch):
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    code, _, err = edgecvar("inspect", "recordings")
    assert code == 1 and "recordings: is a folder and no bundle; name one video" in err

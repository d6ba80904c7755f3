"""`edgecvar extract`: what is written is what the stream gives, and whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgecvar import open_stream
from edgecvar.stream.rectangles import rectangles
from tests.moving_clip import moving_clip
from tests.stream.known_clips import encode, translation

SIZES = [(96, 64, "")] * 4 + [(128, 96, "picture size changed")] + [(128, 96, "")] * 3
"""Of four pictures, and of four larger ones after them: coded width and height, and why the stream broke."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures=30, bf="2")


def test_an_npz_has_every_vector_with_its_reference(edgecvar, clip, tmp_path):
    target = tmp_path / "clip.npz"
    code, out, err = edgecvar("extract", clip, "-o", target, "--residual", "planes")
    assert (code, err) == (0, "") and out.startswith(f"{target}: 30 pictures")
    with open_stream(clip) as stream, np.load(target, allow_pickle=False) as written:
        for place, picture in enumerate(stream):
            assert written["picture_kind"][place] == picture.kind
            assert written["picture_display_index"][place] == picture.display_index
            assert written["picture_pts_seconds"][place] == picture.pts_seconds
            own = written["vector_decode_index"] == picture.decode_index
            if picture.motion is None:
                assert not own.any() and written["picture_residual_largest"][place] == -1
                continue
            expected = rectangles(picture.motion)
            for name in ("list", "x", "y", "width", "height", "mv_x", "mv_y", "ref_offset", "weighted"):
                assert (written[f"vector_{name}"][own] == getattr(expected, name)).all()
            for plane in ("y", "cb", "cr"):
                planes = written[f"residual_{plane}_{picture.decode_index:06d}"]
                assert (planes == getattr(picture.residual, plane)).all() and planes.dtype == np.int16
            zero = (picture.residual.y == 0).mean()
            assert written["picture_residual_zero"][place] == pytest.approx(zero)
        assert json.loads(str(written["info"]))["extraction"] == "native"


def test_a_parquet_has_the_rows_of_the_npz(edgecvar, clip, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    for name in ("a.npz", "a.parquet"):
        assert edgecvar("extract", clip, "-o", tmp_path / name)[0] == 0
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    with np.load(tmp_path / "a.npz") as written:
        vectors = [place for place, x in enumerate(table["x"]) if x is not None]
        for name in ("x", "y", "width", "height", "mv_x", "mv_y", "ref_offset", "list", "weighted"):
            assert [table[name][place] for place in vectors] == written[f"vector_{name}"].tolist()
        assert [table["decode_index"][place] for place in vectors] == written["vector_decode_index"].tolist()
        assert sorted(set(table["decode_index"])) == written["picture_decode_index"].tolist()


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_each_picture_has_the_size_that_its_vectors_are_in(edgecvar, tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    small = moving_clip(tmp_path / "small.ts", pictures=4).read_bytes()
    large = encode(tmp_path / "large.ts", translation(4, (96, 128), (1, 0))).read_bytes()
    (tmp_path / "clip.ts").write_bytes(small + large)
    target = tmp_path / f"clip.{suffix}"
    assert edgecvar("extract", tmp_path / "clip.ts", "-o", target)[0] == 0
    if suffix == "npz":
        with np.load(target) as written:
            rows = zip(*(written[f"picture_{name}"].tolist() for name in ("coded_width", "coded_height", "opens")))
            assert list(rows) == SIZES
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(target).to_pydict()
        rows = zip(*(table[name] for name in ("decode_index", "coded_width", "coded_height", "opens")))
        assert [row[1:] for row in dict.fromkeys(rows)] == SIZES


def test_pictures_and_residual_are_what_was_asked_for(edgecvar, clip, tmp_path):
    target = tmp_path / "clip.npz"
    code, out, _ = edgecvar(
        "extract", clip, "-o", target, "--pictures", "5", "--residual", "none", "--extraction", "ffmpeg", "--json"
    )
    document = json.loads(out)
    assert code == 0 and (document["pictures"], document["extraction"]) == (5, "ffmpeg")
    with np.load(target) as written:
        assert len(written["picture_kind"]) == 5 and not any("residual" in name for name in written)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{clip}", "-o", "{folder}/a.txt"], "expected .npz or .parquet"),
        (["{clip}", "-o", "{folder}/a.parquet", "--residual", "planes"], "write an .npz"),
        (["{clip}", "-o", "{folder}/none/a.npz"], "make its folder first"),
        (["{folder}/none.mp4", "-o", "{folder}/a.npz"], "no such file"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_written(edgecvar, clip, tmp_path, arguments, message):
    filled = [argument.format(clip=clip, folder=tmp_path) for argument in arguments]
    code, out, err = edgecvar("extract", *filled)
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_no_file(tmp_path):
    clip = moving_clip(tmp_path / "long.mp4", pictures=3000)
    command = [sys.executable, "-m", "edgecvar", "extract", str(clip), "-o", str(tmp_path / "a.npz")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:  # its draft is there
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, b"", b"interrupted")
    assert [file.name for file in tmp_path.iterdir()] == ["long.mp4"]


def test_a_folder_gets_a_file_a_video(edgecvar, clip, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "videos" / "b.mp4").write_bytes(b"no video")
    code, out, err = edgecvar("extract", tmp_path / "videos", "-o", tmp_path / "out", "--workers", 1)
    assert code == 1 and err.startswith("failed: ") and "b.mp4" in err
    assert "1 of 2 videos written: 30 pictures" in out
    assert (tmp_path / "out" / "a.mp4.npz").is_file()
    code, out, _ = edgecvar("extract", tmp_path / "videos", "-o", tmp_path / "out", "--workers", 1, "--json")
    document = json.loads(out)
    assert (code, document["before"], document["failed"]) == (1, 1, 1)


def test_an_empty_output_is_refused(edgecvar, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = edgecvar("extract", clip, "-o", "")
    assert code == 2 and "is empty" in err and not list(tmp_path.iterdir())


def test_one_file_takes_one_video(edgecvar, clip, tmp_path):
    for more in ([clip], ["--ray", "local"], ["--format", "npz"]):
        code, _, err = edgecvar("extract", clip, *more, "-o", tmp_path / "a.npz")
        assert code != 0 and "wants a folder" in err and not list(tmp_path.iterdir())

"""What is asked of PyAV, once each: CI runs this file with the oldest and with the newest that pip installs."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgecvar.datasets.clip import Job, Prepared, prepare_clip
from edgecvar.datasets.papers import Settings
from edgecvar.datasets.sources import Source
from edgecvar.errors import StreamError
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.sinks.overlay import Overlay
from edgecvar.stream.png import encode_png
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.opening import open_input
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import Canvas, Encoding

TILES = np.kron(np.random.default_rng(0).integers(0, 255, (8, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)
PICTURES = [np.roll(TILES, 2 * at, axis=1) for at in range(12)]


def synthetic(path: Path, codec: str) -> Path:
    container = {".avi": "avi", ".mp4": "mp4", ".mkv": "matroska"}[path.suffix]
    encode(path, PICTURES, Canvas(96, 64, Fraction(25)), Encoding(codec, container, gop_length=6, b_pictures=2, crf=23))
    return path


@pytest.mark.parametrize("codec, suffix", [("h264", ".mp4"), ("mpeg4", ".avi"), ("mpeg4", ".mkv")])
def test_a_video_is_written_and_read_with_vectors_frames_and_images(tmp_path: Path, codec: str, suffix: str) -> None:
    with open_stream(synthetic(tmp_path / f"clip{suffix}", codec), frames=True) as stream:
        pictures = list(stream)
        assert (stream.info.fps, stream.info.width, stream.summary.skipped) == (25, 96, 0)
    assert len(pictures) == 12 and {picture.kind for picture in pictures} == {"I", "P", "B"}
    for picture in pictures:
        assert picture.frame is not None and picture.frame.shape == (64, 96, 3)
        assert (picture.image is None) == (picture.motion is not None) == (picture.kind != "I")
    assert any(picture.motion is not None and picture.motion.mv_qpel.any() for picture in pictures)
    assert encode_png(pictures[0].frame).startswith(b"\x89PNG")


def test_fields_are_made_frames_and_a_clip_is_encoded_anew(tmp_path: Path) -> None:
    path = tmp_path / "fields.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "interlaced=1:tff=1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, picture in enumerate(PICTURES):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "drafts").mkdir()
    for paper in ("coviar", "attp"):
        source = Source(path, path.name, f"{paper}.mp4")
        prepared = prepare_clip(Job(source, Settings(paper), tmp_path, tmp_path / "drafts"))
        assert isinstance(prepared, Prepared) and (prepared.pictures, prepared.interlaced) == (12, 12)
        with open_stream(tmp_path / f"{paper}.mp4") as stream:
            assert (stream.info.width, stream.info.height, len(list(stream))) == (340, 256, 12)


def test_metadata_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "named.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "a title to be spoilt"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURES[0], format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"a title", b"\xff\xfetitle"))
    assert path.read_bytes() != data
    opened = open_input(path)
    assert "title to be spoilt" in str(opened.container.metadata)
    opened.close()


def test_an_overlay_is_written(tmp_path: Path) -> None:
    source, target = synthetic(tmp_path / "clip.mp4", "h264"), tmp_path / "overlay.mp4"
    seen = Decision(0.04, 1, 1, "still", 1.0, (("still", 1.0),), 1.0, np.zeros(1, np.float32))
    with open_stream(source) as stream, Overlay(str(source), target, stream.info) as overlay:
        for picture in stream:
            overlay.picture(picture, None)
        overlay.decision(seen)
        overlay.finish(RunSummary(12, 1, 1, 0, {}, 1.0, 0.4))
    with av.open(str(target)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


@pytest.mark.parametrize("content", [b"", b"no video\n" * 100, struct.pack(">I4s", 8, b"ftyp") * 100])
def test_what_is_no_video_raises_what_opening_expects(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.mp4"
    path.write_bytes(content)
    with pytest.raises(StreamError, match=r"none\.mp4"):
        open_stream(path)

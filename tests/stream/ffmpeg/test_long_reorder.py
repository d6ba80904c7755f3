"""Anchors far apart: up to 16 B-pictures, or many disposable pictures, between two references."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from edgecvar.stream.ffmpeg import reading as ffmpeg_reading
from edgecvar.stream.ffmpeg.h264_model import H264Model
from edgecvar.stream.h264.parameter_sets import sequence_set
from edgecvar.stream.nal.bits import BitReader
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, encode_x264, translation

CODECS = ("mpeg2video", "mpeg4", "libx264")


def made(folder: Path, codec: str, between: int) -> Path:
    """4 groups of `between` B-pictures and an anchor, one GOP."""
    pictures = translation(4 * (between + 1) + 1, (64, 80), (0.5, 0.0))
    if codec == "libx264":
        extra = f"bframes={between}:keyint=250:min-keyint=250:b-adapt=0"
        return encode_x264(folder / "clip.mkv", pictures, 20, between, extra)
    try:
        return encode(folder / "clip.mkv", pictures, codec, {"sc_threshold": "1000000000", "g": "250"}, between, 4)
    except av.error.FFmpegError as error:
        pytest.skip(f"{codec} refuses {between} B-pictures: {error}")


@pytest.mark.parametrize("between", range(9, 17))
@pytest.mark.parametrize("codec", CODECS)
def test_anchors_stay_however_many_b_pictures_stand_between(tmp_path: Path, codec: str, between: int) -> None:
    path = made(tmp_path, codec, between)
    run = longest = 0
    with open_stream(path) as stream:
        for picture in stream:
            run = run + 1 if picture.kind == "B" else 0
            longest = max(longest, run)
            if picture.motion is None:
                continue
            since = picture.display_index % (between + 1)
            past, future = (-since, between + 1 - since) if picture.kind == "B" else (-between - 1, 0)
            for offsets, anchor in zip(picture.motion.ref_offset, (past, future)):
                assert set(np.unique(offsets)) <= {0, anchor}
            assert (picture.motion.ref_offset != 0).any() or picture.kind == "P"  # an encoder may code one all intra
            assert picture.motion.exact or codec == "libx264"  # x264: unsettled direct blocks
    assert longest == between


def without_reordering(sequence: bytes) -> bytes:
    """A sequence parameter set that does not say how far pictures are reordered: a decoder allows for the most."""
    reader = BitReader(sequence[1:])
    sequence_set(reader)
    ahead = len(sequence) * 8 - reader.left
    bits = f"{int.from_bytes(sequence, 'big'):0{len(sequence) * 8}b}"[:ahead] + "01"  # no VUI; the stop bit
    kept = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert b"\0\0" not in kept
    return kept


@pytest.mark.parametrize("between", [3, 8, 16])
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_frames_come_however_long_a_decoder_waits(tmp_path: Path, between: int, extraction: str) -> None:
    extra = "keyint=250:b-adapt=0:b-pyramid=none:scenecut=0"
    path = encode_x264(tmp_path / "clip.h264", translation(60, (64, 80), (1.5, -0.5), patch=True), 30, between, extra)
    with av.open(str(path)) as container:
        truth = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    units = [without_reordering(unit) if unit[0] & 31 == 7 else unit for unit in split_units(path.read_bytes(), None)]
    data = b"".join(b"\0\0\0\1" + unit for unit in units)
    with open_stream(io.BytesIO(data), extraction, frames=True) as stream:
        for picture in stream:
            assert picture.decoded is not None
            luma = np.frombuffer(truth[picture.display_index], np.uint8).reshape(64, -1)[:, :80]
            assert np.array_equal(picture.decoded.planes().y, luma)
        assert stream.summary.pictures == len(truth)


def test_a_reference_that_is_gone_is_unknown_and_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg_reading, "_KEPT_FRAMES", 1)
    with open_stream(made(tmp_path, "mpeg2video", 3)) as stream:
        pictures = list(stream)
    coded = [picture for picture in pictures if picture.kind == "B" and picture.motion is not None]
    assert coded
    for picture in coded:
        assert not picture.motion.exact
        assert (picture.motion.ref_offset == 0).all(axis=(1, 2)).any()


def test_the_nearest_h264_reference_is_one_that_is_still_there() -> None:
    model = H264Model(SimpleNamespace())  # type: ignore[arg-type]
    for number in range(4):
        model.plan(number, "P", {known: known for known in range(number + 1)})
    assert model.plan(4, "P", {2: 2, 4: 4}).references == (2, None)
    assert model.plan(5, "B", {1: 1, 5: 0}).references == (1, 1)
    assert model.plan(6, "B", {6: 6}).references == (None, None)

"""prediction(previous pictures) + residual is the picture: against a second, slow H.264 interpolation."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import ONE_REFERENCE, decoded_planes, encode, encode_x264, frame_planes, translation
from tests.stream.slow_h264 import SlowReference

CASES = [
    ("p", (48, 64), 0, ""),
    ("p_8x8dct", (48, 64), 0, "8x8dct=1:cabac=0"),
    ("b1", (48, 64), 1, "direct=spatial"),
    ("b2_temporal", (48, 64), 2, "direct=temporal"),
    ("b3_spatial", (48, 64), 3, "direct=spatial:8x8dct=1"),
    ("odd_size", (46, 50), 2, ""),
    ("wide", (34, 90), 3, "direct=temporal"),
]


FORMATS = [
    ("yuv422p", "libx264", "", 255),
    ("yuv444p", "libx264", "", 255),
    ("yuvj444p", "libx264", "", 255),
    ("yuvj422p", "libx264", "cabac=0", 255),
    ("gbrp", "libx264rgb", "", 255),
    ("gray", "libx264", "", 255),
    ("gray10le", "libx264", "", 1023),
    ("yuv420p10le", "libx264", "", 1023),
    ("yuv422p10le", "libx264", "", 1023),
    ("yuv444p10le", "libx264", "", 1023),
]


class Truth:
    """The decoded planes of a clip and what others are predicted from, by display index."""

    def __init__(self, path: Path, maximum: int = 255) -> None:
        self.planes = decoded_planes(path)
        self.maximum = maximum
        self._slow = {index: SlowReference(found, maximum) for index, found in self.planes.items()}
        luma, chroma = self.planes[0][0].shape, self.planes[0][-1].shape
        self.steps = [(1, 1)] + [(luma[0] // chroma[0], luma[1] // chroma[1])] * (len(self.planes[0]) - 1)
        """Luma rows and columns a sample of each plane stands for."""

    def predicted(self, picture: CodedPicture, plane: int, x: int, y: int) -> int:
        """The slow prediction of one sample of one plane, both lists averaged."""
        motion, (down, across) = picture.motion, self.steps[plane]
        assert motion is not None
        block = (y * down // 4, x * across // 4)
        samples = []
        for which in (0, 1):
            offset = int(motion.ref_offset[(which, *block)])
            if offset:
                reference = self._slow[picture.display_index + offset]
                mv_x, mv_y = (int(v) for v in motion.mv_qpel[(which, *block)])
                if across == 1:
                    samples.append(reference.luma(x, y, mv_x, mv_y, plane))
                else:
                    samples.append(reference.chroma(plane, x, y, mv_x, mv_y, tall=down == 1))
        return samples[0] if len(samples) == 1 else (samples[0] + samples[1] + 1) >> 1

    def check(self, picture: CodedPicture) -> Tuple[int, int]:
        """Inter samples of the picture, all found right, and how many of them have no residual."""
        motion, residual = picture.motion, picture.content.coded_residual()  # type: ignore[attr-defined]
        assert motion is not None and len(residual) == len(self.steps)
        count = zero = 0
        for plane, (coded, (down, across)) in enumerate(zip(residual, self.steps)):
            inter = ~motion.intra.repeat(4 // down, axis=0).repeat(4 // across, axis=1)
            actual = self.planes[picture.display_index][plane]
            assert not coded[~inter].any()
            for y, x in zip(*np.nonzero(inter)):
                prediction = self.predicted(picture, plane, int(x), int(y))
                value = prediction + int(coded[y, x])
                assert value == actual[y, x], (picture, plane, x, y)
            count += int(inter.sum())
            zero += int((coded[inter] == 0).sum())
        return count, zero


@pytest.mark.parametrize(("name", "size", "b_pictures", "extra"), CASES, ids=[case[0] for case in CASES])
def test_prediction_plus_residual_is_the_picture(
    tmp_path: Path, name: str, size: Tuple[int, int], b_pictures: int, extra: str
) -> None:
    pictures = translation(9, size, (1.35, -0.6), patch=True)
    path = encode_x264(tmp_path / "clip.mp4", pictures, 34, b_pictures, extra)
    truth = Truth(path)
    checked = {"P": 0, "B": 0}
    zero = 0
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            if picture.kind != "I":
                count, still = truth.check(picture)
                checked[picture.kind] += count
                zero += still
                residual = picture.residual
                assert residual is not None
                coded = picture.content.coded_residual()  # type: ignore[attr-defined]
                assert all(map(np.array_equal, (residual.y, residual.cb, residual.cr), coded))
    assert checked["P"] > 0 and (checked["B"] > 0) == (b_pictures > 0)
    assert zero > 0.5 * sum(checked.values())


@pytest.mark.parametrize(("pixels", "codec", "extra", "maximum"), FORMATS, ids=[each[0] for each in FORMATS])
def test_in_every_chroma_format_and_depth(tmp_path: Path, pixels: str, codec: str, extra: str, maximum: int) -> None:
    pictures = translation(4, (18, 34), (1.35, -0.6), patch=True)
    options = {"x264-params": f"{ONE_REFERENCE}:qp=46:keyint=9:{extra}"}
    given = "rgb24" if pixels == "gbrp" else pixels  # what the encoder calls it
    path = encode(tmp_path / "clip.mp4", pictures, codec, options, b_pictures=1, pixel_format=given)
    truth = Truth(path, maximum)
    checked = {"I": 0, "P": 0, "B": 0}
    zero = 0
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            if picture.kind != "I":
                count, still = truth.check(picture)
                checked[picture.kind] += count
                zero += still
                residual = picture.residual
                assert residual is not None and residual.y.shape == (32, 48)
                assert np.abs(residual.y).max() < 256
    assert checked["P"] > 0 and checked["B"] > 0
    assert zero > 0.5 * sum(checked.values())


@pytest.mark.parametrize("extra", ["", "8x8dct=1", "cabac=0"])
@pytest.mark.parametrize(("pixels", "maximum"), [("yuv444p", 255), ("yuv444p10le", 1023)])
def test_in_lossless_444(tmp_path: Path, pixels: str, maximum: int, extra: str) -> None:
    """Where the transform is bypassed the residual is all that the prediction lacks."""
    # Of narrower pictures swscale converts the last columns from what lies beyond them, another time otherwise.
    pictures = translation(4, (18, 48), (1.35, -0.6), patch=True)
    options = {"x264-params": f"{ONE_REFERENCE}:qp=0:keyint=9:{extra}"}
    path = encode(tmp_path / "clip.mp4", pictures, "libx264", options, pixel_format=pixels)
    truth = Truth(path, maximum)
    for index, given in enumerate(pictures):
        source = frame_planes(av.VideoFrame.from_ndarray(given, format="rgb24").reformat(format=pixels))
        assert all(np.array_equal(truth.planes[index][plane][:18, :48], source[plane]) for plane in range(3))
    inter = coded = 0
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            if picture.kind != "I":
                count, zero = truth.check(picture)
                inter, coded = inter + count, coded + count - zero
                assert picture.residual is not None and picture.residual.y.shape == (32, 48)
    assert inter > 2000 and coded > 0.5 * inter

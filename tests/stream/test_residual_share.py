"""At a coarse quantiser most residuals are exactly 0, and only with the codec's own interpolation."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Tuple

import numpy as np
import pytest

import edgecvar.stream.ffmpeg.content as content
from edgecvar.stream.ffmpeg.prediction.residual import make_sampler
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import ONE_REFERENCE, encode, translation

X264 = {"x264-params": f"{ONE_REFERENCE}:qp=40"}
CODINGS = {
    "h264": ("mp4", "libx264", X264, 2, None),
    "h264_implicit_weights": ("mp4", "libx264", {"x264-params": f"{ONE_REFERENCE}:qp=40:weightb=1"}, 3, None),
    "h264_explicit_weights": ("mp4", "libx264", {"x264-params": f"{ONE_REFERENCE}:qp=40:weightp=1"}, 0, None),
    "mpeg4": ("avi", "mpeg4", {}, 0, 20),
    "mpeg4_b": ("mp4", "mpeg4", {}, 2, 20),
    "mpeg4_four_vectors": ("mp4", "mpeg4", {"flags": "+mv4", "mbd": "rd"}, 2, 20),
    "mpeg4_quarter_pel": ("mp4", "mpeg4", {"flags": "+qpel", "mbd": "rd"}, 0, 20),
    "mpeg4_quarter_pel_b": ("mp4", "mpeg4", {"flags": "+qpel+mv4", "mbd": "rd"}, 1, 20),
    "mpeg2": ("ts", "mpeg2video", {}, 0, 31),
    "mpeg2_b": ("ts", "mpeg2video", {}, 2, 20),
    "mpeg2_422": ("ts", "mpeg2video", {"pix_fmt": "yuv422p"}, 0, 31),
    "mpeg2_422_b": ("ts", "mpeg2video", {"pix_fmt": "yuv422p"}, 2, 20),
    "mpeg1_b": ("mpg", "mpeg1video", {}, 2, 20),
    "h263": ("avi", "h263", {}, 0, 20),
    "h263p": ("avi", "h263p", {}, 0, 20),
    "flv1": ("flv", "flv", {}, 0, 20),
}


class HalfPixelOff:
    """A wrong interpolation: every vector half a pixel too far, so that the other filters answer."""

    def __init__(self, right: object) -> None:
        self._right = right

    def predict(self, mv: np.ndarray, where: np.ndarray) -> tuple:
        return self._right.predict(mv ^ 2, where)  # type: ignore[attr-defined]


def zero_share(path: Path, every: str = "PB") -> Tuple[np.ndarray, Dict[str, int]]:
    """Share of inter samples of y, cb and cr whose residual is 0, and how many pictures of each kind were seen."""
    zero, total = np.zeros(3), np.zeros(3)
    seen = {"I": 0, "P": 0, "B": 0}
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            seen[picture.kind] += 1
            if picture.motion is None or picture.kind not in every:
                continue
            rows, columns = picture.motion.intra.shape
            for plane, coded in enumerate(picture.content.coded_residual()):
                side = coded.shape[0] // rows, coded.shape[1] // columns
                inter = ~picture.motion.intra.repeat(side[0], axis=0).repeat(side[1], axis=1)
                zero[plane] += int((coded[inter] == 0).sum())
                total[plane] += int(inter.sum())
    return zero / np.maximum(1, total), seen


@pytest.mark.parametrize("name", CODINGS)
def test_zero_share_is_high_and_falls_with_a_wrong_interpolation(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix, codec, options, b_pictures, quantiser = CODINGS[name]
    pictures = translation(13, (144, 176), (-2.35, 1.3), patch=True)
    options = dict(options)
    pixels = options.pop("pix_fmt", "yuv420p")
    path = encode(tmp_path / f"clip.{suffix}", pictures, codec, options, b_pictures, quantiser, pixel_format=pixels)
    kinds = "B" if b_pictures else "P"
    share, seen = zero_share(path, kinds)
    assert seen[kinds] > 0 and sum(seen.values()) == len(pictures)
    assert share[0] > 0.7 and share.min() > 0.5

    def wrong(*given: object) -> HalfPixelOff:
        return HalfPixelOff(make_sampler(*given))  # type: ignore[arg-type]

    monkeypatch.setattr(content, "make_sampler", wrong)
    assert (zero_share(path, kinds)[0] < share - (0.3, 0.1, 0.1)).all()


@pytest.mark.parametrize("name", ["mpeg4_b", "mpeg4_quarter_pel_b", "mpeg2_b", "h263p"])
def test_these_codecs_know_their_references(tmp_path: Path, name: str) -> None:
    suffix, codec, options, b_pictures, quantiser = CODINGS[name]
    pictures = translation(9, (64, 80), (1.5, -0.5))
    options = dict(options)
    pixels = options.pop("pix_fmt", "yuv420p")
    path = encode(tmp_path / f"clip.{suffix}", pictures, codec, options, b_pictures, quantiser, pixel_format=pixels)
    with open_stream(path) as stream:
        motions = [picture.motion for picture in stream]
    assert all(motion.exact for motion in motions if motion is not None)
    assert sum(motion is not None for motion in motions) >= len(pictures) - 2


def test_sizes_that_are_no_multiple_of_16(tmp_path: Path) -> None:
    options: Mapping[str, str] = {"flags": "+mv4", "mbd": "rd"}
    pictures = translation(9, (84, 106), (-2.35, 1.3))
    path = encode(tmp_path / "clip.mp4", pictures, "mpeg4", options, 1, 20)
    with open_stream(path) as stream:
        info = stream.info
        assert (info.width, info.height, info.coded_width, info.coded_height) == (106, 84, 112, 96)
    assert zero_share(path)[0][0] > 0.7

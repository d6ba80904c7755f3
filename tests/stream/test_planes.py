"""Samples of any chroma format and depth, brought to 8-bit 4:2:0: images in their colours, residuals in their scale."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import av
import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.planes import SampleFormat, differences_in_420, sample_format, samples_in_420
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, translation

COLOURS = ((200, 40, 40), (40, 180, 60), (50, 60, 210), (230, 220, 60))
FORMATS = [
    ("libx264", "yuv422p", "mp4"),
    ("libx264", "yuv444p", "mp4"),
    ("libx264", "yuvj444p", "mp4"),
    ("libx264", "yuvj420p", "mp4"),
    ("libx264", "yuv420p10le", "mp4"),
    ("libx264", "yuv422p10le", "mp4"),
    ("libx264", "yuv444p10le", "mp4"),
    ("libx264rgb", "rgb24", "mp4"),
    ("mpeg2video", "yuv422p", "ts"),
]
SAMPLED = [
    SampleFormat(bits, across, down)
    for bits in (8, 9, 10, 12, 14)
    for across, down in ((2, 2), (2, 1), (1, 1), (1, 2), (4, 1), (4, 4), (0, 0))
] + [SampleFormat(8, 1, 1, rgb=True), SampleFormat(10, 1, 1, rgb=True)]


def patches(size: Tuple[int, int]) -> np.ndarray:
    """A quarter of the picture in each of the colours, (height, width, 3)."""
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(COLOURS):
        rows = slice(height // 2) if index < 2 else slice(height // 2, None)
        picture[rows, slice(width // 2) if index % 2 == 0 else slice(width // 2, None)] = colour
    return picture


@pytest.mark.parametrize(("codec", "pixels", "suffix"), FORMATS, ids=[each[1] + each[0] for each in FORMATS])
def test_images_have_the_colours_that_were_coded(tmp_path: Path, codec: str, pixels: str, suffix: str) -> None:
    options = {"qp": "4"} if "264" in codec else {}
    still = patches((64, 96))
    path = encode(tmp_path / f"clip.{suffix}", [still] * 12, codec, options, quantiser=2, pixel_format=pixels)
    with open_stream(path) as stream:
        image = next(iter(stream)).image
    assert image is not None and image.shape == still.shape
    for corner in ((8, 8), (8, 80), (56, 8), (56, 80)):
        assert np.abs(image[corner].astype(int) - still[corner]).max() <= 5, (corner, image[corner])


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv444p10le"])
def test_images_of_lossless_444_have_the_colours_of_their_source(tmp_path: Path, pixels: str) -> None:
    still = patches((64, 96))
    path = encode(tmp_path / "clip.mp4", [still] * 3, "libx264", {"qp": "0"}, pixel_format=pixels)
    with open_stream(path) as stream:
        image = next(iter(stream)).image
    assert image is not None and image.shape == still.shape
    assert np.abs(image.astype(int) - still).max() <= 2


@pytest.mark.parametrize("pixels", ["yuv444p", "gray", "yuv422p10le"])
def test_a_displayed_size_that_no_chroma_sample_divides(tmp_path: Path, pixels: str) -> None:
    wide = 51 if pixels == "yuv444p" else 50
    pictures = [np.full((33 + wide % 2 * 2, wide, 3), 90, np.uint8)] * 2
    path = encode(tmp_path / "clip.mp4", pictures, "libx264", {"qp": "4"}, pixel_format=pixels)
    with open_stream(path, "ffmpeg") as stream:
        image = next(iter(stream)).image
    assert image is not None and image.shape == pictures[0].shape
    # the encoder's grey is of the full range and does not say so: by the standard that is the limited one
    level = (90 - 16) * 255 / 219 if pixels == "gray" else 90
    assert np.abs(image - level).max() <= 2


def random_planes(form: SampleFormat, size: Tuple[int, int], seed: int) -> List[np.ndarray]:
    random = np.random.RandomState(seed)
    steps = [form.step(plane) for plane in range(3 if form.across else 1)]
    kind = np.uint8 if form.bits == 8 else np.uint16
    return [
        random.randint(0, form.maximum + 1, (-(-size[0] // down), -(-size[1] // across))).astype(kind)
        for down, across in steps
    ]


@pytest.mark.parametrize("size", [(16, 32), (15, 21)])
@pytest.mark.parametrize("form", SAMPLED, ids=str)
def test_a_difference_of_samples_is_the_difference_in_420(form: SampleFormat, size: Tuple[int, int]) -> None:
    one, other = random_planes(form, size, 1), random_planes(form, size, 2)
    apart = [a.astype(np.int16) - b.astype(np.int16) for a, b in zip(one, other)]
    found = differences_in_420(apart, form)
    shown, before = samples_in_420(tuple(one), form), samples_in_420(tuple(other), form)
    shapes = [size, *2 * [(-(-size[0] // 2), -(-size[1] // 2))]]
    assert [plane.shape for plane in shown] == shapes == [plane.shape for plane in found]
    for difference, a, b in zip(found, shown, before):
        assert np.abs(a.astype(int) - b - difference).max() <= 2  # each is rounded, and samples are clipped
    assert all(map(np.array_equal, differences_in_420([-plane for plane in apart], form), [-plane for plane in found]))


def test_the_scale_is_that_of_8_bits() -> None:
    form = SampleFormat(10, 1, 1)
    y, cb, cr = differences_in_420([np.full((4, 6), value, np.int16) for value in (40, -400, 1020)], form)
    assert (y == 10).all() and (cb == -100).all() and (cr == 255).all()
    y, cb, cr = samples_in_420(tuple(np.full((4, 6), value, np.uint16) for value in (940, 512, 1023)), form)
    assert (y == 235).all() and (cb == 128).all() and (cr == 255).all()


def test_packed_samples_are_refused_by_name() -> None:
    for name in ("yuyv422", "rgb24", "nv12", "yuva420p"):
        with pytest.raises(StreamError, match=name):
            sample_format(av.VideoFrame(32, 32, name))


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv444p", "yuv422p10le"])
def test_a_stream_of_another_chroma_format_gives_all_that_a_run_takes(tmp_path: Path, pixels: str) -> None:
    path = encode(tmp_path / "clip.mp4", translation(8, (48, 64), (1.5, 0)), "libx264", pixel_format=pixels)
    with open_stream(path) as stream:
        pictures = list(stream)
    assert "4:" in stream.info.extraction_note or stream.info.extraction == "native"
    for picture in pictures:
        assert (picture.image is None) == (picture.kind != "I")
        assert picture.kind == "I" or picture.residual.y.shape == (48, 64)  # type: ignore[union-attr]

"""MPEG-2 in field pictures: both fields of a frame are one picture, its vectors in lines of the frame."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from edgecvar.stream.motion import velocity
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import stream_like
from tests.stream.mpeg2_fields import HEIGHT, INNER, WIDTH, field_stream

GREYS = ((60, 120, 180, 90), (20, 100, 200, 140), (70, 80, 90, 100))
VECTORS = ((2, 0), (0, 2), (-3, 1))
"""In half samples and half lines of a field."""
CELLS = tuple(slice(side.start // 4, side.stop // 4) for side in INNER)


@pytest.fixture(params=["m2v", "mkv"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    elementary = tmp_path / "fields.m2v"
    elementary.write_bytes(field_stream(VECTORS, GREYS))
    if request.param == "m2v":
        return elementary
    target = tmp_path / "fields.mkv"
    with av.open(str(elementary)) as source, av.open(str(target), "w") as container:
        stream = stream_like(container, source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.dts = packet.pts
                packet.stream = stream
                container.mux(packet)
    return target


def luma(picture: CodedPicture) -> np.ndarray:
    assert picture.decoded is not None
    return picture.decoded.planes().y


def test_both_fields_of_a_frame_are_one_picture(path: Path) -> None:
    with open_stream(path, frames=True) as stream:
        pictures = list(stream)
    assert (stream.info.codec, stream.info.width, stream.info.height) == ("mpeg2video", WIDTH, HEIGHT)
    assert [picture.kind for picture in pictures] == ["I", "P", "P", "P"]  # of the first one field is predicted
    assert np.allclose(np.diff([picture.pts_seconds for picture in pictures]), 0.04)
    assert not (stream.summary.skipped or stream.summary.damaged)
    coded = np.kron(GREYS, np.ones((HEIGHT // 3, WIDTH // 4)))
    assert np.array_equal(luma(pictures[0]), coded) and pictures[0].motion is None
    image = pictures[0].image
    assert image is not None and np.abs(image - ((coded - 16) * 255 / 219)[..., None]).max() <= 1
    across, down = (luma(picture)[INNER] for picture in pictures[1:3])
    assert np.array_equal(across, coded[INNER[0], 17:49])
    assert np.array_equal(down[:-2], across[2:]) and np.array_equal(down[-2:], coded[64:66, INNER[1]])


def test_vectors_of_fields_are_in_lines_of_the_frame(path: Path) -> None:
    with open_stream(path) as stream:
        motions = [picture.motion for picture in stream][1:]
    for motion, (across, down) in zip(motions, VECTORS):
        assert motion is not None and not motion.exact and not motion.intra.any()
        expected = np.zeros((HEIGHT // 4, WIDTH // 4, 2), np.int16)
        expected[CELLS] = (2 * across, 4 * down)
        assert np.array_equal(motion.mv_qpel[0], expected)
        assert (motion.ref_offset[0] == -1).all() and not motion.ref_offset[1].any()
        assert np.array_equal(velocity(motion), -expected / np.float32(4))

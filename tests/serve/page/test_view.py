"""A stream's look in bytes: what the page's scripts read is what is written here."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np

from edgecvar.bundle.default import default_clip
from edgecvar.serve.lane import Lane
from edgecvar.serve.page.view import jpeg_message, jpeg_of, motion_message, thin_motion
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import StreamInfo


def info(width: int, height: int, rotation: int = 0) -> StreamInfo:
    rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
    return StreamInfo(
        "h264", width, height, Fraction(25), Fraction(1, 25), False, "native", columns, rows, 4, 2, rotation
    )


def test_motion_is_a_cell_an_arrow_in_quarter_pixels() -> None:
    velocity = np.zeros((90, 160, 2), np.float32)
    velocity[:, 80:] = (3.25, -200.0)
    motion = thin_motion(velocity, info(640, 360, rotation=90))
    rows, columns, _ = motion.field.shape
    assert motion.cell == 16 and (rows, columns) == (22, 40)
    assert (motion.field[:, :20] == 0).all() and (motion.field[:, 20:] == (13, -127)).all()
    message = motion_message(7, 258, motion)
    assert struct.unpack_from("<BxHI", message) == (2, 7, 258)
    assert struct.unpack_from("<HHHHhhHH", message, 8) == (22, 40, 16, 90, 4, 2, 640, 360)
    assert np.frombuffer(message, np.int8, offset=24).reshape(22, 40, 2)[3, 30].tolist() == [13, -127]


def test_a_field_that_is_not_a_number_is_still() -> None:
    velocity = np.full((16, 16, 2), np.nan, np.float32)
    assert not thin_motion(velocity, info(64, 64)).field.any()


def test_pictures_are_decoded_for_who_looks_and_turned() -> None:
    with open_stream(default_clip(), on_demand=True) as stream:
        picture = next(iter(stream))
        shape = stream.info.width, stream.info.height
    jpeg = jpeg_of(picture, rotation=90)
    assert jpeg is not None and jpeg[:3] == b"\xff\xd8\xff"
    import io

    from PIL import Image

    assert Image.open(io.BytesIO(jpeg)).size == shape[::-1]
    assert jpeg_message(1, 2, jpeg)[8:] == jpeg and jpeg_message(1, 2, b"")[:4] == b"\1\0\1\0"


def test_motion_is_kept_only_while_somebody_looks() -> None:
    lane = Lane("door", "door.mp4", added=False)
    with open_stream(default_clip(), on_demand=True) as stream:
        lane.opened(stream.info)
        pictures = iter(stream)
        field = np.ones((stream.info.coded_height // 4, stream.info.coded_width // 4, 2), np.float32)
        lane.picture(next(pictures), field)
        assert lane.motion[1] is None and lane.image[1] is not None
        lane.look(1)
        lane.picture(next(pictures), field)
        assert lane.motion[1] is not None
        lane.look(-1)
        assert lane.motion[1] is None

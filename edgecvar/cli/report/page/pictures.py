"""A clip in three pictures: an I-picture, the liveliest motion after it, that one's residual."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecvar.cli.report.portrait import residual_picture, shown_picture, take_apart
from edgecvar.clips.prepare import displayed_size
from edgecvar.errors import StreamError
from edgecvar.stream.motion import velocity
from edgecvar.stream.png import motion_colours
from edgecvar.stream.reader import open_stream

LONGER_SIDE = 240
"""Pixels; a page shows it at most that wide."""
SEARCHED = 240
"""Pictures in which the liveliest is looked for: long clips would take long."""
QUALITY = 80


@dataclass(frozen=True)
class ClipPictures:
    """JPEG files of one size (width, height); motion and residual are of the picture at `seconds`."""

    image: bytes
    motion: bytes
    residual: bytes
    seconds: float
    size: Tuple[int, int]


def clip_pictures(path: Path) -> ClipPictures:
    """Draw a clip; raises StreamError where it cannot be read, or nothing in it moves."""
    parts = take_apart(str(path), _liveliest(path))
    info, picture = parts.info, parts.picture
    rows, columns = displayed_size(info)
    scale = min(1.0, LONGER_SIDE / max(rows, columns))
    size = max(32, round(columns * scale)), max(32, round(rows * scale))
    assert picture.motion is not None
    top, left = info.crop_top, info.crop_left
    colours = motion_colours(picture.motion)[top : top + info.height, left : left + info.width]
    return ClipPictures(
        image=_jpeg(shown_picture(parts.image, info, size)),
        motion=_jpeg(shown_picture(colours, info, size)),
        residual=_jpeg(residual_picture(parts, size)),
        seconds=picture.pts_seconds,
        size=size,
    )


def _liveliest(path: Path) -> int:
    """The decode index of the P or B picture near the beginning whose blocks move fastest on the mean."""
    begun, best, most = False, 0, -1.0
    with open_stream(path) as stream:
        for number, picture in enumerate(stream):
            begun = begun or picture.has_image
            if begun and picture.shown and picture.motion is not None:
                speed = float(np.hypot(*np.moveaxis(velocity(picture.motion), -1, 0)).mean())
                if speed > most:
                    best, most = picture.decode_index, speed
            if number >= SEARCHED:
                break
    if most < 0:
        raise StreamError(f"{path}: no P or B picture after an I-picture, so there is no motion to draw")
    return best


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()

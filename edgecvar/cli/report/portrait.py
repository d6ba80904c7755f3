"""One picture taken apart: its I-picture, its motion field and its residual, side by side in a PNG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecvar.clips.prepare import Preparer, displayed_size
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, StreamError, named, reason
from edgecvar.files import whole_file
from edgecvar.sinks.caption import clock_time, draw_plate, text_size
from edgecvar.sinks.drawing import Arrows
from edgecvar.stream.motion import velocity
from edgecvar.stream.png import encode_png
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.opening import TIMEOUT, is_source
from edgecvar.stream.types import CodedPicture, StreamInfo

LARGEST_PANEL = 640
"""Pixels of a panel's longer side at most."""
RESIDUAL_GAIN = 4.0
"""Residuals are small: drawn four times as strong, around grey."""


@dataclass(frozen=True)
class Parts:
    """A P or B picture, the image of the I-picture before it as displayed before it is turned, and their stream."""

    info: StreamInfo
    image: NDArray[np.uint8]
    picture: CodedPicture


def draw_portrait(
    source: str, target: Path, at: int, extraction: str = "auto", timeout: float = TIMEOUT
) -> CodedPicture:
    """Draw the P or B picture at decode index `at`, or the next one after it.

    Raises StreamError where there is none, ConfigError where the PNG cannot be written.
    """
    if is_source(source, target):
        raise ConfigError(f"--picture {target}: this is the source itself; choose another name")
    parts = take_apart(source, at, extraction, timeout)
    panels = _panels(parts)
    gap = np.full((panels[0].shape[0], 4, 3), 255, np.uint8)
    _write_png(np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1), target)
    return parts.picture


def take_apart(source: str, at: int, extraction: str = "auto", timeout: float = TIMEOUT) -> Parts:
    """The first P or B picture from decode index `at` on, its residual computed; raises StreamError without one."""
    image = None
    with open_stream(source, extraction, timeout=timeout) as stream:
        info = stream.info
        for picture in stream:
            if picture.opens is not None and picture.opens.info != info:
                info, image = picture.opens.info, None
            if picture.has_image:
                image = picture.image
            if image is not None and picture.decode_index >= at and picture.shown and picture.motion is not None:
                _compute_residual(picture, source)
                return Parts(info, image, picture)
    raise StreamError(f"{source}: no P or B picture at decode index {at} or after it; try a smaller --at")


def _compute_residual(picture: CodedPicture, source: str) -> None:
    """While its references are at hand."""
    try:
        picture.residual  # noqa: B018
    except StreamError as error:
        raise named(source, error) from error


def _panels(parts: Parts) -> List[NDArray[np.uint8]]:
    info, picture = parts.info, parts.picture
    rows, columns = displayed_size(info)
    scale = min(1.0, LARGEST_PANEL / max(rows, columns))
    size = max(32, round(columns * scale)), max(32, round(rows * scale))
    moving = (parts.image // 3 + 40).astype(np.uint8)
    assert picture.motion is not None
    arrows = Arrows(info)
    arrows.draw(moving, arrows.thin(velocity(picture.motion)))
    panels = [shown_picture(parts.image, info, size), shown_picture(moving, info, size), residual_picture(parts, size)]
    names = ("I-picture", f"motion of a {picture.kind}-picture, {clock_time(picture.pts_seconds)}", "residual")
    for panel, text in zip(panels, names):
        letters = text_size(panel)
        draw_plate(panel, text, (letters // 2, letters // 2), letters)
    return panels


def residual_picture(parts: Parts, size: Tuple[int, int]) -> NDArray[np.uint8]:
    """The residual as displayed, around grey; RGB uint8 in that (width, height), 32 at least."""
    spec = InputSpec(height=size[1], width=size[0], crop=1.0, squash=True, residual_unit=255.0 / RESIDUAL_GAIN)
    assert parts.picture.residual is not None
    return _bytes(Preparer(parts.info, spec).residual(parts.picture.residual) + np.float32(0.5))


def shown_picture(image: NDArray[np.uint8], info: StreamInfo, size: Tuple[int, int]) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3) turned as it is displayed, in that (width, height)."""
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(image, info.rotation // 90)))
    return np.array(turned.resize(size, Image.Resampling.BILINEAR))


def _bytes(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, h, w) of 0..1 to uint8 (h, w, 3)."""
    return np.ascontiguousarray(np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))


def _write_png(image: NDArray[np.uint8], target: Path) -> None:
    try:
        with whole_file(target) as draft:
            draft.write_bytes(encode_png(image))
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({reason(error)}); choose another --picture") from error

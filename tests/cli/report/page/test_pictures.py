"""A clip in three pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecvar.cli.report.page.pictures import LONGER_SIDE, clip_pictures
from edgecvar.errors import StreamError
from tests.moving_clip import moving_clip


def pixels(file: bytes) -> NDArray[np.int64]:
    return np.array(Image.open(io.BytesIO(file)).convert("RGB"), int)


def test_the_liveliest_picture_is_shown_with_its_image_before(tmp_path: Path) -> None:
    """It stands but for pictures 20 to 22, which move to the right: of its colours red is left there."""
    path = moving_clip(tmp_path / "a.mp4", 36, shift=lambda index: 3 * min(max(index - 19, 0), 3))
    made = clip_pictures(path)
    assert made.size == (96, 64) and made.seconds in [pytest.approx(index / 25) for index in (20, 21, 22)]
    image, motion, residual = (pixels(file) for file in (made.image, made.motion, made.residual))
    assert {part.shape for part in (image, motion, residual)} == {(64, 96, 3)}
    red, green, blue = np.median(motion, axis=(0, 1))
    assert red > 200 and green < 150 and blue < 150
    assert image.std() > 5 and abs(residual.mean() - 128) < 30


@pytest.mark.real_media
def test_large_pictures_are_made_small(media: Path) -> None:
    clip = next((media / "yoga").rglob("*.mp4"))
    made = clip_pictures(clip)
    assert max(made.size) == LONGER_SIDE
    assert all(
        pixels(file).shape == (made.size[1], made.size[0], 3) for file in (made.image, made.motion, made.residual)
    )
    assert sum(len(file) for file in (made.image, made.motion, made.residual)) < 60_000


def test_what_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="no motion to draw"):
        clip_pictures(moving_clip(tmp_path / "still.mp4", 1))
    (tmp_path / "broken.mp4").write_text("no video")
    with pytest.raises(StreamError, match=r"broken\.mp4"):
        clip_pictures(tmp_path / "broken.mp4")

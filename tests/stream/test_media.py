"""Every real file ends with a summary or with one line of error."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from edgecvar.errors import EdgecvarError
from edgecvar.stream.motion import velocity
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
FOLDERS = ("clips", "original_encodings", "odd", "h264", "hevc")
FILES = sorted(path for folder in FOLDERS for path in (MEDIA / folder).glob("*") if path.is_file())
PICTURES = 60


@pytest.mark.real_media
@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])
def test_reads_or_says_why(media: Path, path: Path) -> None:
    try:
        with open_stream(path) as stream:
            info = stream.info
            shown = []
            for picture in itertools.islice(stream, PICTURES):
                assert picture.decode_index == len(shown)
                assert np.isfinite(picture.pts_seconds)
                info = info if picture.opens is None else picture.opens.info
                shown.append(picture.display_index)
                if picture.motion is not None:
                    assert picture.motion.intra.shape == (info.coded_height // 4, info.coded_width // 4)
                    assert np.isfinite(velocity(picture.motion)).all()
                if picture.decode_index % 10 == 1 and picture.residual is not None:
                    assert picture.residual.y.shape == (info.coded_height, info.coded_width)
                if picture.image is not None:
                    assert picture.image.shape == (info.height, info.width, 3)
            assert stream.summary.pictures + stream.summary.hidden == len(shown) > 0
            assert len(set(shown)) == len(shown)
    except EdgecvarError as error:
        assert str(error) and "\n" not in str(error)


@pytest.mark.real_media
def test_hevc_is_read_whole(media: Path) -> None:
    files = sorted((media / "hevc").iterdir())
    assert files
    for path in files:
        with open_stream(path, on_demand=True) as stream:
            shown = sorted(picture.display_index for picture in stream)
            assert shown == list(range(len(shown))) and stream.info.extraction == "native"
            assert (stream.summary.skipped, stream.summary.damaged, stream.summary.breaks) == (0, 0, {})
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(shown)


@pytest.mark.real_media
def test_a_picture_that_is_only_looked_at_is_cropped_at_its_left_side_too(media: Path) -> None:
    path = media / "h264" / "CVFC1_Sony_C.jsv"
    shown = next(decoded_pictures(path))
    with open_stream(path) as stream:
        assert stream.info.crop_left > 0
        image = next(iter(stream)).image
    assert image is not None and shown.image.shape == image.shape
    assert np.abs(shown.image.astype(int) - image).mean() < 3

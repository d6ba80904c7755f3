"""A known translation gives that velocity, whatever codec and reference."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import numpy as np
import pytest

from edgecvar.stream.motion import velocity
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import MotionField
from tests.stream.known_clips import encode, encode_x264, translation


@pytest.mark.parametrize("codec", ["h264", "mpeg4", "mpeg4_qpel", "mpeg2"])
@pytest.mark.parametrize("moved", [(2.0, 0.0), (-1.5, 1.0), (0.5, -2.5)])
def test_known_translation(tmp_path: Path, codec: str, moved: Tuple[float, float]) -> None:
    pictures = translation(13, (96, 128), moved, seed=3)
    if codec == "h264":
        path = encode_x264(tmp_path / "clip.mp4", pictures, 20, b_pictures=3)
    elif codec == "mpeg2":
        path = encode(tmp_path / "clip.ts", pictures, "mpeg2video", {}, 2, 2)
    else:
        options = {"flags": "+qpel"} if codec == "mpeg4_qpel" else {}
        path = encode(tmp_path / "clip.mp4", pictures, "mpeg4", options, 2, 2)
    seen = {"P": 0, "B": 0}
    with open_stream(path) as stream:
        for picture in stream:
            if picture.motion is None:
                continue
            seen[picture.kind] += 1
            field = velocity(picture.motion)[4:-4, 4:-4]
            covered = ~picture.motion.intra[4:-4, 4:-4]
            assert covered.mean() > 0.5
            assert np.abs(np.median(field[covered], axis=0) - moved).max() <= 0.26, picture
    assert min(seen.values()) > 0


def field_of(mv: Tuple[Tuple[int, int], Tuple[int, int]], offset: Tuple[int, int]) -> MotionField:
    vectors = np.array(mv, np.int16)[:, None, None, :]
    offsets = np.array(offset, np.int16)[:, None, None]
    nothing = np.zeros((1, 1), bool)
    return MotionField(vectors, offsets, ~np.any(offsets != 0, axis=0), nothing, True)


def test_past_and_future_agree_and_are_averaged() -> None:
    past = velocity(field_of(((-8, 4), (0, 0)), (-1, 0)))
    future = velocity(field_of(((0, 0), (16, -8)), (0, 2)))
    both = velocity(field_of(((-8, 4), (8, 8)), (-1, 1)))
    assert past.dtype == np.float32
    assert past[0, 0].tolist() == [2.0, -1.0]
    assert future[0, 0].tolist() == [2.0, -1.0]
    assert both[0, 0].tolist() == [2.0, 0.5]


def test_intra_blocks_stand_still() -> None:
    assert velocity(field_of(((-8, 4), (0, 0)), (0, 0)))[0, 0].tolist() == [0.0, 0.0]

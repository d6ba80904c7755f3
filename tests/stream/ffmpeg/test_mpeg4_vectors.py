"""The walk through MPEG-4 macroblocks, against FFmpeg's export and against truth."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest

import edgecvar.stream.ffmpeg.mpeg4_vectors as mpeg4_vectors
from edgecvar.stream.ffmpeg.headers.mpeg4_codes import (
    CHROMA_DC,
    INTER_COEFFICIENTS,
    INTRA_COEFFICIENTS,
    LUMA_DC,
    lookup,
)
from edgecvar.stream.ffmpeg.headers.mpeg4_macroblocks import _BidirectionalWalk, _InterWalk
from edgecvar.stream.motion import velocity
from edgecvar.stream.nal.bits import HeaderEnded
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, translation

OPTIONS = [{}, {"flags": "+mv4", "mbd": "rd"}, {"flags": "+qpel+mv4", "mbd": "rd"}]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "four_vectors", "quarter_pel"])
@pytest.mark.parametrize("quantiser", [2, 9, 28])
def test_walks_end_where_the_picture_ends(tmp_path: Path, options: dict, quantiser: int) -> None:
    pictures = translation(11, (80, 112), (-2.35, 1.3), patch=True)
    path = encode(tmp_path / "clip.mp4", pictures, "mpeg4", options, 2, quantiser)
    walked = {"P": 0, "B": 0}
    with open_stream(path) as stream:
        for picture in stream:
            if picture.kind != "B":
                continue
            sources = picture.content._plan.vectors  # type: ignore[attr-defined]
            for walk in (_InterWalk(sources.future), _BidirectionalWalk(sources.plane)):
                if isinstance(walk, _InterWalk) and sources.future.kind == "P":
                    walk.skipped()
                elif isinstance(walk, _BidirectionalWalk):
                    walk.read(sources.future.skipped)
                else:
                    continue
                assert 0 < walk._end - walk._at <= 8  # what is left is the stuffing of the last byte
                walked[walk._plane.kind] += 1
            assert picture.motion is not None and picture.motion.exact
    assert min(walked.values()) > 0


def test_a_walk_that_fails_gives_scaled_vectors_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = (2.0, -1.0)
    path = encode(tmp_path / "clip.mp4", translation(11, (96, 128), moved, seed=3), "mpeg4", {}, 2, 2)

    def refuse(*_: object) -> None:
        raise HeaderEnded("not today")

    monkeypatch.setattr(mpeg4_vectors.CodedPlane, "modes_and_vectors", refuse)
    seen = 0
    with open_stream(path) as stream:
        for picture in stream:
            if picture.kind == "B" and picture.motion is not None and picture.decode_index < 10:
                assert not picture.motion.exact
                field = velocity(picture.motion)[4:-4, 4:-4]
                assert np.abs(np.median(field, axis=(0, 1)) - moved).max() <= 0.5
                seen += 1
    assert seen > 0


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", translation(11, (80, 112), (-2.35, 1.3), patch=True), "mpeg4", {}, 2, 4)
    wrong: List[bool] = []
    with open_stream(path) as stream:
        for picture in stream:
            if picture.kind == "B":
                plane = picture.content._plan.vectors.plane  # type: ignore[attr-defined]
                object.__setattr__(plane, "data", plane.data[: len(plane.data) // 2])
                assert picture.motion is not None
                wrong.append(picture.motion.exact)
    assert wrong and not any(wrong)


def test_codes_fill_their_space() -> None:
    for table, bits in ((LUMA_DC, 12), (CHROMA_DC, 12), (INTER_COEFFICIENTS, 12), (INTRA_COEFFICIENTS, 12)):
        assert len(table) == 1 << bits
    assert [value for length, value in LUMA_DC if length][:1] == [12]
    assert lookup(2, [(2, 5), (1, 7)]) == [(0, 0), (2, 5), (1, 7), (1, 7)]

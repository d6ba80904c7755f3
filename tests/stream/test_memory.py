"""A reading holds a bounded window of frames, and lets go of them without the garbage collector."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import List

import pytest

from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode_x264, translation


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_pictures_die_when_they_are_dropped(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(40, (48, 64), (1, 0)), 30, b_pictures=2)
    alive = []
    gc.collect()
    gc.disable()
    try:
        with open_stream(path, extraction) as stream:
            for picture in stream:
                assert picture.residual is not None or picture.image is not None
                alive.append(weakref.ref(picture.content))
        del picture
        assert len(alive) == 40
        assert sum(reference() is not None for reference in alive) == 0
    finally:
        gc.enable()


def live_frames() -> List[object]:
    """Other tests' too, of readers in threads that were left behind; whoever holds the list keeps them."""
    return [thing for thing in gc.get_objects() if type(thing).__name__ == "VideoFrame"]


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_frames_die_with_their_pictures(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(60, (48, 64), (1, 0)), 30, b_pictures=2)
    frames = set()
    gc.collect()
    gc.disable()
    before = live_frames()
    try:
        with open_stream(path, extraction) as stream:
            for picture in stream:
                assert picture.residual is not None or picture.image is not None
                frames.add(len(live_frames()) - len(before))
        del picture
        assert len(live_frames()) - len(before) <= 1  # the empty frame that a decoder keeps ready
    finally:
        gc.enable()
    assert max(frames) <= 40  # the window of references, what is being reordered, and the picture in hand

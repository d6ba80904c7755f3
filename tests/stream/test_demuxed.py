"""A file's packets in memory: read and decoded again and again, each time as the file itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.demuxed import demux
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, encode_x264, translation

PICTURES = 30


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    moving = translation(PICTURES, (70, 90), (1.5, -0.5), patch=True)
    return encode_x264(tmp_path_factory.mktemp("demuxed") / "clip.mp4", moving, 30, 2)


def test_every_reading_is_that_of_the_file(clip: Path) -> None:
    with open_stream(clip, "native") as stream:
        expected, info, summary = list(stream), stream.info, stream.summary
    held = demux(clip, 1000)
    for _ in range(2):
        with held.native() as read:
            reading = read()
            pictures = list(reading.pictures())
            reading.close()
        assert (reading.info, reading.summary) == (info, summary)
        for one, other in zip(pictures, expected):
            # Times are those of the numbered packets.
            places = [(each.decode_index, each.display_index, each.kind, each.keyframe) for each in (one, other)]
            assert places[0] == places[1]
            assert (one.motion is None) == (one.kind == "I") == (one.image is not None)
            if one.motion is not None and other.motion is not None:
                assert np.array_equal(one.motion.mv_qpel, other.motion.mv_qpel)
            else:
                assert np.array_equal(one.image, other.image)


def test_every_decoding_gives_every_frame(clip: Path) -> None:
    held = demux(clip, 1000)
    shown = [picture.image for picture in decoded_pictures(clip)]
    for _ in range(2):
        with held.frames() as frames:
            images = [frame.to_ndarray(format="rgb24") for frame in frames]
        assert len(images) == PICTURES and all(map(np.array_equal, images, shown))
    with open_stream(clip, "native") as stream:
        kinds = dict(sorted((picture.display_index, picture.kind) for picture in stream))
    with held.vectors() as vectors:
        exported = list(vectors)
    assert [records is None for records in exported] == [kind == "I" for kind in kinds.values()]


def test_no_more_than_the_limit_is_held(clip: Path) -> None:
    held = demux(clip, 7)
    assert len(held.packets) == 7 and held.profile.startswith("High")
    with held.native() as read, held.frames() as frames:
        assert len(list(read().pictures())) == len(list(frames)) == 7


def test_what_the_core_does_not_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    other = encode(tmp_path / "clip.avi", translation(4, (64, 96), (1, 0)), "mpeg4")
    with pytest.raises(StreamError, match=r"clip\.avi: outside what the native core reads: it reads H\.264 and"):
        demux(other, 10)

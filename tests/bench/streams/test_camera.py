"""A live camera made of a file: its pictures, over and over, each at its moment."""

from __future__ import annotations

import time

import pytest

from edgecvar.bench.streams.camera import CodedFile, LiveCamera, read_coded
from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip


@pytest.fixture(scope="module", params=[("h264", "0"), ("h264", "2"), ("hevc", "0"), ("hevc", "2")], ids="-".join)
def clip(request, tmp_path_factory):
    codec, b_pictures = request.param
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures=30, codec=codec, bf=b_pictures)


class Fast:
    """A clock that is ahead of every picture, so that all come at once."""

    def __call__(self):
        return time.perf_counter() * 1e6


def seen(stream, count):
    pictures = []
    for picture in stream:
        pictures.append((picture.kind, picture.display_index, round(picture.pts_seconds - 1, 2)))
        if len(pictures) == count:
            break
    return pictures


def test_it_goes_on_where_the_file_ends(clip):
    with open_stream(clip) as stream:
        once = [(kind, index) for kind, index, _ in seen(stream, 30)]
    camera = LiveCamera(read_coded(clip), "camera", Fast())
    with open_stream(camera) as stream:
        assert (stream.info.width, stream.info.fps) == (96, 25)
        pictures = seen(stream, 75)
    camera.close()
    assert [picture[:2] for picture in pictures[:30]] == once
    assert [picture[:2] for picture in pictures[30:60]] == [(kind, index + 30) for kind, index in once]
    times = sorted(pts for _, _, pts in pictures[:60])
    assert times[-1] - times[0] == pytest.approx(59 / 25, abs=0.01)
    assert stream.summary.breaks == {}


def test_a_picture_is_there_at_its_moment_and_not_before():
    waits = []

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    class Over:
        def wait(self, seconds):
            waits.append(seconds)
            clock.now += seconds
            return len(waits) > 4

    clock = Clock()
    file = CodedFile("h264", 10.0, b"\1", ((b"one", True, 0), (b"two", False, 0)))
    camera = LiveCamera(file, "camera", clock)
    camera._over = Over()
    given = []
    while True:
        content = camera.read(1 << 16)
        if not content:
            break
        given.append(content)
        clock.now += 0.04  # what is made of it takes less than a picture
    assert [round(wait, 3) for wait in waits] == [0.0, 0.02, 0.06, 0.06, 0.06]  # the head is no picture
    assert camera.moment(3) == pytest.approx(100.3)
    assert [b"one" in each for each in given[1:]] == [True, False, True, False]


def test_a_read_gives_no_more_than_is_asked_for(clip):
    camera = LiveCamera(read_coded(clip), "camera", Fast())
    whole = LiveCamera(read_coded(clip), "camera", Fast())
    small, large = b"".join(camera.read(7) for _ in range(400)), b""
    while len(large) < len(small):
        large += whole.read(1 << 20)
    assert large.startswith(small[:2000])


@pytest.mark.parametrize("name, said", [("clip.ts", "MP4 or Matroska"), ("clip.avi", "MP4 or Matroska")])
def test_what_cannot_be_played_is_one_line(tmp_path, name, said):
    with pytest.raises(StreamError, match=said):
        read_coded(moving_clip(tmp_path / name, pictures=5))

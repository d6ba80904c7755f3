"""FLV through a pipe: sound that is promised and never comes is not waited for, pictures that come late are."""

from __future__ import annotations

import io
from functools import partial
from typing import Iterator, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.flv import WithoutSound
from tests.moving_clip import moving_clip

PICTURES = 750
"""Half a minute: what has no sound was looked into for up to a minute and a half."""
VIDEO, SOUND = 9, 8


class Pipe(io.RawIOBase):
    """Bytes that cannot be sought in, `most` at a time; `given` counts them."""

    def __init__(self, content: bytes, most: int = 400) -> None:
        self._content, self._most, self.given = io.BytesIO(content), most, 0

    def read(self, size: int = -1) -> bytes:
        content = self._content.read(self._most if size < 0 else min(size, self._most))
        self.given += len(content)
        return content


def tags(flv: bytes) -> Iterator[Tuple[int, int, bytes]]:
    """Kind, milliseconds and bytes of each tag."""
    at = 13
    while at + 11 < len(flv):
        size = 15 + int.from_bytes(flv[at + 1 : at + 4], "big")
        yield flv[at], int.from_bytes(flv[at + 4 : at + 7], "big"), flv[at : at + size]
        at += size


def promising_sound(flv: bytes) -> bytes:
    return flv[:4] + b"\5" + flv[5:]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.flv", pictures=PICTURES).read_bytes()


def silence(seconds: int) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="flv") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100 * seconds), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def test_sound_that_never_comes_is_not_waited_for(video: bytes) -> None:
    source = Pipe(promising_sound(video))
    with open_stream(source) as stream:
        assert source.given < len(video) / 2
        assert len(list(stream)) == PICTURES


def test_pictures_that_come_long_after_the_sound_are_waited_for(video: bytes) -> None:
    late = 12_000
    moved = [
        (late + time, tag[:4] + (late + time).to_bytes(3, "big") + tag[7:])
        for kind, time, tag in tags(video)
        if kind == VIDEO
    ]
    sound = [(time, tag) for kind, time, tag in tags(silence(20)) if kind == SOUND]
    both = b"".join(tag for _, tag in sorted(sound + moved, key=lambda each: each[0]))
    with open_stream(Pipe(promising_sound(video[:13]) + both)) as stream:
        assert len(list(stream)) == PICTURES


@pytest.mark.parametrize("most", [1, 4, 5, 400])
def test_all_but_one_bit_of_an_flv_header_is_passed_on(video: bytes, most: int) -> None:
    for content in (video[:900], promising_sound(video[:900]), b"FLV", b"RIFF\5\5\5\5\5\5", b""):
        found = b"".join(iter(partial(WithoutSound(Pipe(content, most)).read, 1000), b""))
        assert found == (video[:900] if content[:4] == b"FLV\1" else content)

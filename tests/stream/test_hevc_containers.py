"""Every container, and a pipe, gives the same of a stream of HEVC."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any, Dict, Optional

import av
import pytest

from edgecvar.stream.reader import open_stream
from tests.stream.hevc_clips import COUNT, SIZE, packets_of, read, same, whole_clip
from tests.stream.known_clips import X265, encode, encode_x264, stream_like, translation


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_clip(tmp_path_factory.mktemp("hevc") / "clip.hevc")


CONTAINERS: Dict[str, Dict[str, Any]] = {
    "hev1.mp4": {},
    "hvc1.mp4": {"tag": "hvc1"},
    "fragmented.mp4": {"options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "clip.mov": {"tag": "hvc1"},
    "clip.mkv": {},
    "clip.ts": {},
    "clip.flv": {},
    "clip.265": {"format": "hevc"},
    "clip.h265": {"format": "hevc"},
}


def remuxed(source: Path, target: Path, tag: str = "", options: Any = None, format: Optional[str] = None) -> Path:
    """The packets of an MP4 file in another container."""
    with av.open(str(source)) as container, av.open(str(target), "w", format=format, options=options or {}) as made:
        stream = stream_like(made, container.streams.video[0])
        if tag:
            stream.codec_context.codec_tag = tag
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    return target


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clip as MP4, whose packets have times."""
    return whole_clip(tmp_path_factory.mktemp("hevc") / "timed.mp4")


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same(clip: Path, timed: Path, tmp_path: Path, name: str) -> None:
    path = remuxed(timed, tmp_path / name, **CONTAINERS[name])
    if "tag" in CONTAINERS[name]:
        assert CONTAINERS[name]["tag"].encode() in path.read_bytes()
    found = read(path)
    assert len(found) == COUNT and all(map(same, read(clip), found))
    for picture in found:
        assert picture.pts_seconds - found[0].pts_seconds == pytest.approx(picture.display_index / 25, abs=2e-3)


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.ts", "clip.hevc"])
def test_times_of_deep_reordering_and_short_gops_go_on(tmp_path: Path, name: str) -> None:
    """Matroska tells no decode times of the first pictures; what is displayed late is decoded early."""
    options = {"x265-params": f"{X265}:b-adapt=0:scenecut=0:open-gop=1:keyint=8:min-keyint=8:bframes=3:b-pyramid=1"}
    path = encode(tmp_path / name, translation(24, SIZE, (2, -1)), "libx265", options, -1)
    assert all(picture.motion.exact for picture in read(path) if picture.motion is not None)


def test_an_avi_has_the_times_and_the_rate_of_its_pictures(clip: Path, tmp_path: Path) -> None:
    """FFmpeg writes none with HEVC, and reads what others do: one of H.264 whose tags are other ones."""
    like = encode_x264(tmp_path / "like.h264", translation(2, SIZE, (1, 0)), 30)
    path = tmp_path / "clip.avi"
    with av.open(str(like)) as container, av.open(str(path), "w") as made:
        stream = stream_like(made, container.streams.video[0])
        for number, data in enumerate(packets_of(clip)):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            made.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"H264", b"HEVC"))
    found = read(path)
    assert len(found) == COUNT and all(map(same, read(clip), found))
    for picture in found:
        assert picture.pts_seconds == pytest.approx(picture.display_index / 25, abs=1e-3)


class Piped(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_pipes(clip: Path, timed: Path, tmp_path: Path) -> None:
    expected = read(clip)
    for path in (clip, remuxed(timed, tmp_path / "clip.ts"), remuxed(timed, tmp_path / "clip.mkv")):
        assert all(map(same, expected, read(Piped(path.read_bytes()))))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    writer.start()
    found = read(pipe)
    writer.join(5)
    assert len(found) == COUNT and all(map(same, expected, found))


def test_frames_are_counted_by_a_rate_of_fractions(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.options = {"x265-params": f"{X265}:bframes=2"}
        for index, picture in enumerate(translation(10, (64, 96), (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_stream(path) as opened:
        pictures = sorted(opened, key=lambda picture: picture.display_index)
        assert opened.info.fps == Fraction(30000, 1001)
    times = [picture.pts_seconds for picture in pictures]
    assert times == pytest.approx([index * 1001 / 30000 for index in range(10)], abs=1e-3)

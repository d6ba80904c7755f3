"""Rotation, edit lists and packed pictures: what containers do to a stream."""

from __future__ import annotations

import io
import os
import struct
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Dict, List, Tuple

import av
import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.anatomy import anatomy
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.png import encode_png
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, encode_x264, translation

UNIT = 1 << 16
MATRICES = {
    0: (UNIT, 0, 0, UNIT),
    90: (0, -UNIT, UNIT, 0),
    180: (-UNIT, 0, 0, -UNIT),
    270: (0, UNIT, -UNIT, 0),
}


def box(data: bytes, *path: bytes) -> Tuple[int, int]:
    """First byte after the header and end of the MP4 box at `path`."""
    start, end = 0, len(data)
    for name in path:
        while data[start + 4 : start + 8] != name:
            start += struct.unpack(">I", data[start : start + 4])[0]
            assert start < end
        start, end = start + 8, start + struct.unpack(">I", data[start : start + 4])[0]
    return start, end


@pytest.mark.parametrize("degrees", MATRICES)
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_rotation_is_told_and_not_applied(tmp_path: Path, extraction: str, degrees: int) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(5, (48, 80), (1, 0)), 26)
    data = bytearray(path.read_bytes())
    at = box(data, b"moov", b"trak", b"tkhd")[0] + 40
    a, b, c, d = MATRICES[degrees]
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    with open_stream(path, extraction) as stream:
        assert stream.info.rotation == degrees
        assert (stream.info.width, stream.info.height) == (80, 48)
        image = next(iter(stream)).image
        assert image is not None and image.shape == (48, 80, 3)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_a_mirror_is_told_and_not_applied(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(5, (48, 80), (1, 0)), 26)
    data = bytearray(path.read_bytes())
    at = box(data, b"moov", b"trak", b"tkhd")[0] + 40
    for matrix, mirrored in (((-UNIT, 0, 0, UNIT), True), ((0, UNIT, UNIT, 0), True), (MATRICES[90], False)):
        a, b, c, d = matrix
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(bytes(data))
        with open_stream(path, extraction) as stream:
            note = stream.info.extraction_note
        assert ("display matrix mirrors the picture: not applied" in note) == mirrored


def test_a_colon_in_a_file_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = encode_x264(tmp_path / "clip.mp4", translation(5, (48, 80), (1, 0)), 26)
    made.rename(tmp_path / "a:b.mp4")
    with open_stream("a:b.mp4") as stream:
        assert len(list(stream)) == 5
    assert len(list(decoded_pictures("a:b.mp4"))) == 5
    Path("c:d.mp4").write_bytes(bytes(5000))
    with pytest.raises(StreamError, match=r"^c:d\.mp4: not a video"):
        open_stream("c:d.mp4")


def noise(path: Path, options: Dict[str, str]) -> Path:
    """An MP4 larger than FFmpeg's read buffer."""
    pictures = [np.random.RandomState(seed).randint(0, 256, (240, 320, 3), dtype=np.uint8) for seed in range(6)]
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.options = {"x264-params": "qp=10"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


class Piped(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_an_index_at_the_end_of_a_pipe_is_explained(tmp_path: Path, extraction: str) -> None:
    path = noise(tmp_path / "late.mp4", {})
    with pytest.raises(StreamError, match=r"index may stand at the end.*\+faststart") as caught:
        open_stream(Piped(path.read_bytes()), extraction)
    assert "\n" not in str(caught.value)
    early = noise(tmp_path / "early.mp4", {"movflags": "+faststart"})
    with open_stream(Piped(early.read_bytes()), extraction) as stream:
        assert len(list(stream)) == 6


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_a_named_pipe_is_opened_once(tmp_path: Path, extraction: str) -> None:
    clip = encode_x264(tmp_path / "clip.h264", translation(5, (48, 80), (1, 0)), 26)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    failed: List[OSError] = []

    def write() -> None:
        try:
            pipe.write_bytes(clip.read_bytes())
        except OSError as error:
            failed.append(error)

    writer = Thread(target=write, daemon=True)
    writer.start()
    with open_stream(pipe, extraction) as stream:
        assert len(list(stream)) == 5
    writer.join(5)
    assert not failed and not writer.is_alive()


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_pictures_are_read_once(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(5, (48, 80), (1, 0)), 26)
    with open_stream(path, extraction) as stream:
        assert next(iter(stream)).kind == "I"
        assert len(list(stream)) == 4  # goes on where it was left
        with pytest.raises(StreamError, match="open it again"):
            iter(stream)
    with open_stream(path, extraction) as closed:
        pass
    with pytest.raises(StreamError, match="open it again"):
        iter(closed)


def edited(path: Path, pictures: int) -> None:
    """An MP4 of 25 pictures a second that begins `pictures` later, by its edit list."""
    data = bytearray(path.read_bytes())
    start, _ = box(data, b"moov", b"trak", b"edts", b"elst")
    media_time = struct.unpack(">i", data[start + 12 : start + 16])[0]
    timescale_at = box(data, b"moov", b"trak", b"mdia", b"mdhd")[0] + 12
    timescale = struct.unpack(">I", data[timescale_at : timescale_at + 4])[0]
    data[start + 12 : start + 16] = struct.pack(">i", media_time + pictures * timescale // 25)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_pictures_that_an_edit_list_hides_are_parsed_and_not_shown(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(20, (48, 80), (1, 0)), 26, b_pictures=2)
    with open_stream(path, extraction) as stream:
        whole = list(stream)
    edited(path, 7)
    with open_stream(path, extraction) as stream:
        pictures = list(stream)
        summary = stream.summary
    with av.open(str(path)) as container:
        player = [frame.time for frame in container.decode(video=0)]
    assert (summary.pictures, summary.hidden, summary.skipped, summary.breaks) == (13, 7, 0, {})
    shown = sorted((p.display_index, p.pts_seconds) for p in pictures if p.shown)
    assert [index for index, _ in shown] == list(range(7, 20)) and [time for _, time in shown] == pytest.approx(player)
    assert [p.kind for p in pictures] == [p.kind for p in whole]
    for a, b in zip(pictures, whole):
        assert a.display_index == b.display_index
        assert a.pts_seconds == pytest.approx(b.pts_seconds - 7 / 25, abs=2e-3)
        if a.residual is not None and b.residual is not None:
            assert np.array_equal(a.residual.y, b.residual.y)
    seen = [(picture.display_index, picture.pts_seconds) for picture in decoded_pictures(path, extraction)]
    assert seen == shown


def test_an_anatomy_is_of_what_is_shown(tmp_path: Path) -> None:
    """GOPs of 12 that jump in their sixth picture, which the edit list hides."""
    pictures = translation(30, (48, 80), (0.5, 0))
    path = encode_x264(tmp_path / "clip.mp4", pictures[:5] + pictures[-15:], 26)
    edited(path, 7)
    with open_stream(path) as stream:
        found = anatomy(stream)
    assert found.kinds == "PPPPPIPPPPPPP" and found.keyframes == 1
    assert found.gop_lengths == [5, 8]
    assert found.motion is not None and found.motion.pictures == 12
    assert found.liveliest is not None and found.liveliest > 7


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
@pytest.mark.parametrize("b_pictures", [0, 2])
def test_h264_in_avi_has_the_times_and_the_rate_of_its_pictures(
    tmp_path: Path, extraction: str, b_pictures: int
) -> None:
    """An AVI whose rate is that of fields: every other chunk is left out."""
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        stream.codec_context.max_b_frames = b_pictures
        for index, picture in enumerate(translation(30, (48, 80), (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = 2 * index, Fraction(1, 50)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_stream(path, extraction) as stream:
        pictures = sorted(stream, key=lambda picture: picture.display_index)
        assert stream.info.fps == 25
    assert [picture.pts_seconds for picture in pictures] == pytest.approx([index / 25 for index in range(30)])


def packed(path: Path, target: Path) -> None:
    """Rewrites an AVI as DivX does it: a B picture shares the packet of the anchor before it."""
    data = path.read_bytes()
    marker = data.index(b"movi") + 4
    chunks, at = [], marker
    while data[at : at + 4] == b"00dc":
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        chunks.append(data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    kinds = [chunk[chunk.index(b"\x00\x00\x01\xb6") + 4] >> 6 for chunk in chunks]
    made, place = [], 0
    while place < len(chunks):
        if kinds[place] != 2 and place + 1 < len(chunks) and kinds[place + 1] == 2:
            placeholder = b"\x00\x00\x01\xb6" + bytes([0x40 | 0x10, 0x7F, 0x7F])
            made += [chunks[place] + chunks[place + 1], placeholder]
            place += 2
        else:
            made.append(chunks[place])
            place += 1
    user = b"\x00\x00\x01\xb2DivX503b1393p"
    first = made[0].index(b"\x00\x00\x01\xb6")
    made[0] = made[0][:first] + user + made[0][first:]
    body = b"movi"
    for chunk in made:
        body += b"00dc" + struct.pack("<I", len(chunk)) + chunk + b"\x00" * (len(chunk) & 1)
    head = data[: marker - 8]
    target.write_bytes(head + struct.pack("<I", len(body)) + body)


def test_packed_b_pictures(tmp_path: Path) -> None:
    pictures = translation(12, (80, 112), (-2.35, 1.3))
    plain = encode(tmp_path / "plain.avi", pictures, "mpeg4", {}, 1, 6)
    packed(plain, tmp_path / "packed.avi")
    with open_stream(plain) as stream:
        expected = list(stream)
    with open_stream(tmp_path / "packed.avi", frames=True) as stream:
        found = list(stream)
    with av.open(str(plain)) as container:
        decoded = [next(iter(frame.planes)) for frame in container.decode(video=0)]
    for p in found:
        assert p.decoded is not None
        luma = np.frombuffer(decoded[p.display_index], np.uint8).reshape(80, -1)[:, :112]
        assert np.array_equal(p.decoded.planes().y, luma)
    assert [p.kind for p in found] == [p.kind for p in expected]
    assert "B" in {p.kind for p in found}
    for a, b in zip(found, expected):
        assert a.display_index == b.display_index
        if a.motion is not None and b.motion is not None:
            assert a.motion.exact and np.array_equal(a.motion.mv_qpel, b.motion.mv_qpel)


def test_a_codec_tag_that_is_no_text(tmp_path: Path) -> None:
    """A stream type of a user's own in the program map: FFmpeg finds the codec out by looking."""
    path = encode_x264(tmp_path / "clip.ts", translation(20, (64, 80), (1, 0)), 26, b_pictures=2)
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), 188):
        if data[at + 1] & 0x40 and (data[at + 1] & 31, data[at + 2]) == (0x10, 0):
            section = at + 5 + data[at + 4]
            stream = section + 12 + ((data[section + 10] & 15) << 8 | data[section + 11])
            assert data[stream] == 0x1B
            data[stream] = 0x88
            end = section + 3 + ((data[section + 1] & 15) << 8 | data[section + 2]) - 4
            data[end : end + 4] = crc32_mpeg(data[section:end]).to_bytes(4, "big")
    with open_stream(path, frames=True) as stream:
        expected = list(stream)
    with open_stream(io.BytesIO(bytes(data)), frames=True) as stream:
        found = list(stream)
    assert len(found) == len(expected) == 20
    for a, b in zip(found, expected):
        assert a.frame is not None and b.frame is not None and np.array_equal(a.frame, b.frame)


def crc32_mpeg(data: bytes) -> int:
    found = 0xFFFFFFFF
    for byte in data:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1 ^ (0x04C11DB7 if found >> 31 else 0)) & 0xFFFFFFFF
    return found


def test_an_audio_file_with_a_cover_is_called_one(tmp_path):
    sound = tmp_path / "sound.mp2"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("mp2", rate=44100)
        for index in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1152), np.int16), format="s16", layout="stereo")
            frame.rate, frame.pts = 44100, index * 1152
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    picture = b"\0image/png\0\x03\0" + encode_png(np.zeros((16, 16, 3), np.uint8))
    cover = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes(len(cover) >> shift & 127 for shift in (21, 14, 7, 0))
    song = tmp_path / "song.mp3"
    song.write_bytes(b"ID3\x03\0\0" + size + cover + sound.read_bytes())
    with pytest.raises(StreamError, match=r"song\.mp3: an audio file, whose only picture is its cover"):
        open_stream(song)

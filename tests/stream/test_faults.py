"""Bad input ends with one line of error, or with counted skips; never with a traceback or a hang."""

from __future__ import annotations

import io
from pathlib import Path
from typing import List

import av
import numpy as np
import pytest

from edgecvar.errors import EdgecvarError, StreamError, UnsupportedCodecError
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, encode_x264, translation


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = translation(30, (64, 80), (1.5, -0.5), patch=True)
    return encode_x264(tmp_path_factory.mktemp("clip") / "clip.h264", pictures, 26, b_pictures=2)


def units(path: Path) -> List[bytes]:
    return list(split_units(path.read_bytes(), None))


def annex_b(parts: List[bytes]) -> bytes:
    return b"".join(b"\x00\x00\x00\x01" + part for part in parts)


def error_of(source: object, extraction: str = "auto") -> str:
    with pytest.raises(StreamError) as caught, open_stream(source, extraction) as stream:  # type: ignore[arg-type]
        for picture in stream:
            assert picture.residual is not None or picture.kind == "I"
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def test_missing_directory_empty_text(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "absent.mp4")
    assert "directory" in error_of(tmp_path)
    assert "cannot be read (File name too long)" in error_of("a" * 300 + ".mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert "empty" in error_of(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 200)
    assert "text.mp4" in error_of(tmp_path / "text.mp4")
    assert error_of(io.BytesIO(b""))
    assert error_of(io.BytesIO(bytes(5000)))


def test_sound_without_picture(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no video stream" in error_of(path)


def test_other_codecs_are_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.avi", translation(3, (32, 48), (1, 0)), "mjpeg", pixel_format="yuvj420p")
    with pytest.raises(UnsupportedCodecError, match=r"mjpeg.*H\.264"):
        open_stream(path)


def test_extraction_is_checked(clip: Path) -> None:
    with pytest.raises(StreamError, match=r"'fast'.*'auto', 'native' or 'ffmpeg'"):
        open_stream(clip, extraction="fast")
    for extraction, used in (("ffmpeg", "ffmpeg"), ("native", "native"), ("auto", "native")):
        with open_stream(clip, extraction=extraction) as stream:
            assert stream.info.extraction == used


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_truncated_stream_gives_what_is_there(clip: Path, tmp_path: Path, extraction: str, keep: float) -> None:
    data = clip.read_bytes()
    path = tmp_path / "cut.h264"
    path.write_bytes(data[: int(len(data) * keep)])
    with open_stream(path, extraction) as stream:
        pictures = list(stream)
        assert 0 < len(pictures) < 30
        assert len(pictures) == stream.summary.pictures
    assert [picture.decode_index for picture in pictures] == list(range(len(pictures)))


def test_truncated_mp4_without_index(tmp_path: Path) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(20, (64, 80), (1, 0)), 26)
    path.write_bytes(path.read_bytes()[:-900])
    assert "clip.mp4" in error_of(path)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_flipped_bytes(clip: Path, tmp_path: Path, extraction: str, seed: int) -> None:
    data = bytearray(clip.read_bytes())
    rng = np.random.RandomState(seed)
    for place in rng.randint(200, len(data), 40):
        data[place] = rng.randint(256)
    path = tmp_path / "damaged.h264"
    path.write_bytes(bytes(data))
    pictures = 0
    try:
        with open_stream(path, extraction) as stream:
            for picture in stream:
                assert picture.residual is not None or picture.kind == "I"
                pictures += 1
            assert stream.summary.pictures == pictures
    except EdgecvarError as error:
        assert "\n" not in str(error)
    assert pictures <= 60


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_lost_pictures_are_no_longer_exact(clip: Path, tmp_path: Path, extraction: str) -> None:
    parts = units(clip)
    slices = [place for place, part in enumerate(parts) if part[0] & 31 == 1 and part[0] >> 5 & 3]
    del parts[slices[1]]  # a P picture that others refer to
    path = tmp_path / "lost.h264"
    path.write_bytes(annex_b(parts))
    with open_stream(path, extraction) as stream:
        pictures = list(stream)
    by_gop: List[List[bool]] = []
    for picture in pictures:
        if picture.kind == "I":
            by_gop.append([])
        elif picture.motion is not None:
            by_gop[-1].append(picture.motion.exact)
    if extraction == "ffmpeg":
        assert not by_gop[0][-1]
    else:  # vectors and references are exact again where nothing that was lost is referred to
        assert not any(by_gop[0][3:7])
    assert by_gop[1][0]


def test_no_keyframe(clip: Path, tmp_path: Path) -> None:
    parts = [part for part in units(clip) if part[0] & 31 != 5]
    path = tmp_path / "headless.h264"
    path.write_bytes(annex_b(parts))
    assert "headless.h264" in error_of(path)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_ffmpeg_says_nothing(clip: Path, tmp_path: Path, extraction: str, capfd: pytest.CaptureFixture) -> None:
    data = bytearray(clip.read_bytes())
    data[400:460] = bytes(range(60))
    path = tmp_path / "noisy.h264"
    path.write_bytes(bytes(data))
    with open_stream(path, extraction) as stream:
        assert list(stream)
    assert capfd.readouterr().err == ""

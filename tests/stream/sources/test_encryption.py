"""An encrypted video is called so, and one whose sound alone is encrypted is read."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.encryption import StreamKey, encryption
from tests.moving_clip import moving_clip

KEY = {"encryption_key": "00112233445566778899aabbccddeeff", "encryption_kid": "0123456789abcdef0123456789abcdef"}


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures=20)


@pytest.fixture(scope="module")
def encrypted(clear: Path) -> Path:
    """The clip with its samples encrypted as cenc has it, and with silence, whose track comes first."""
    target = clear.with_name("cenc.mp4")
    with av.open(str(clear)) as source, av.open(
        str(target), "w", options={"encryption_scheme": "cenc-aes-ctr", **KEY}
    ) as container:
        sound = container.add_stream("aac", rate=8000)
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in source.decode(video=0):
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    return target


@pytest.mark.parametrize("scheme", [b"cenc", b"cbcs"])
def test_an_encrypted_track_is_called_so(encrypted: Path, tmp_path: Path, scheme: bytes) -> None:
    data = encrypted.read_bytes().replace(b"schm\0\0\0\0cenc", b"schm\0\0\0\0" + scheme)
    path = tmp_path / "camera.mp4"
    path.write_bytes(data)
    for source in (path, io.BytesIO(data)):
        with pytest.raises(StreamError, match=rf"its video is encrypted \({scheme.decode()}\); decrypt it first"):
            open_stream(source)


def test_encrypted_sound_is_not_looked_at(encrypted: Path, tmp_path: Path) -> None:
    data = encrypted.read_bytes()
    assert b"enca" in data and b"encv" in data
    path = tmp_path / "sound.mp4"
    path.write_bytes(data.replace(b"encv", b"avc1"))
    try:
        open_stream(path).close()
    except StreamError as error:  # its pictures stay encrypted, which nothing says any more
        assert "is encrypted" not in str(error)


def test_a_scrambled_transport_stream_is_called_so(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.ts", pictures=20)
    with open_stream(path) as stream:
        assert len(list(stream)) == 20
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), 188):
        if (data[at + 1] & 31) << 8 | data[at + 2] == 256:
            data[at + 3] |= 0xC0
            start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
            for place in range(start, at + 188):
                data[place] ^= (place * 73 + 11) & 255
    path.write_bytes(bytes(data))
    with pytest.raises(StreamError, match=r"clip\.ts: its video is encrypted \(scrambled transport stream\)"):
        open_stream(path)
    wide = b"".join(b"\0\0\0\0" + bytes(data[at : at + 188]) for at in range(0, len(data), 188))
    with pytest.raises(StreamError, match="scrambled transport stream"):
        open_stream(io.BytesIO(wide))


def _element(name: str, *content: bytes) -> bytes:
    inner = b"".join(content)
    return bytes.fromhex(name) + bytes([0x80 | len(inner)]) + inner


def _with_encoding(clip: bytes, encoding: bytes) -> bytes:
    """A Matroska file whose only track has that ContentEncoding, in bytes taken from a Void before it."""
    added = _element("6d80", encoding)
    tracks = clip.index(bytes.fromhex("1654ae6b40"))  # behind the one that SeekHead names
    entry = clip.index(b"\xae\x01", tracks)
    void = clip.index(bytes.fromhex("ec01"))
    room = int.from_bytes(clip[void + 2 : void + 9], "big")
    size = int.from_bytes(clip[entry + 2 : entry + 9], "big") + len(added)
    whole = int.from_bytes(clip[tracks + 4 : tracks + 6], "big") + len(added)
    return b"".join(
        [
            clip[: void + 2],
            (room - len(added)).to_bytes(7, "big"),
            clip[void + 9 + len(added) : tracks + 4],
            whole.to_bytes(2, "big"),
            clip[tracks + 6 : entry + 2],
            size.to_bytes(7, "big"),
            added,
            clip[entry + 9 :],
        ]
    )


@pytest.fixture(scope="module")
def matroska(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", pictures=20).read_bytes()


def _encryption(algorithm: int) -> bytes:
    key = _element("47e2", b"edgecvar")
    return _element("6240", _element("5033", b"\1"), _element("5035", _element("47e1", bytes([algorithm])), key))


@pytest.mark.parametrize(("algorithm", "scheme"), [(5, "AES"), (1, "DES"), (9, "ContentEncAlgo 9")])
def test_an_encrypted_matroska_track_is_called_so(matroska: bytes, tmp_path: Path, algorithm: int, scheme: str) -> None:
    data = _with_encoding(matroska, _encryption(algorithm))
    assert len(data) == len(matroska)
    path = tmp_path / "camera.mkv"
    path.write_bytes(data)
    segment = data.index(bytes.fromhex("18538067")) + 4
    live = data[:segment] + b"\1" + 7 * b"\xff" + data[segment + 8 :]  # of unknown size
    for source in (path, io.BytesIO(data), io.BytesIO(live)):
        with pytest.raises(StreamError, match=rf"its video is encrypted \({scheme}\); decrypt it first"):
            open_stream(source)


def test_matroska_frames_that_are_signed_or_compressed_are_read(matroska: bytes) -> None:
    stripped = _element("5034", _element("4254", b"\3"), _element("4255", b""))
    for encoding in (_encryption(0), _element("6240", _element("5033", b"\0"), stripped)):
        with open_stream(io.BytesIO(_with_encoding(matroska, encoding))) as stream:
            assert len(list(stream)) == 20


def check_one_line(data: bytes) -> None:
    """It is read, or refused in a line."""
    try:
        with open_stream(io.BytesIO(data)) as stream:
            list(stream)
    except StreamError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_matroska_head_is_no_traceback(matroska: bytes, seed: int) -> None:
    data = bytearray(_with_encoding(matroska, _encryption(5)))
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, 500, 10):
        data[place] = int(rng.integers(256))
    check_one_line(bytes(data))


@pytest.mark.parametrize("size", ["40", "2000", "11", "0100"])
@pytest.mark.parametrize("before", [0, 20000])
def test_a_matroska_size_that_is_cut_off_ends_what_is_read(size: str, before: int) -> None:
    """A step back by what is missing of it is into what was read, or before it."""
    tracks = bytes.fromhex("ec01") + before.to_bytes(7, "big") + bytes(before) + bytes.fromhex("ae" + size)
    head = bytes.fromhex("1853806701ffffffffffffff1654ae6b01") + len(tracks).to_bytes(7, "big") + tracks
    assert encryption(io.BytesIO(head), "matroska,webm", StreamKey(1, 0)) == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_index_is_no_traceback(encrypted: Path, seed: int) -> None:
    data = bytearray(encrypted.read_bytes())
    rng = np.random.default_rng(seed)
    index = data.rindex(b"moov")
    for place in rng.integers(index - 4, len(data), 30):
        data[place] = int(rng.integers(256))
    check_one_line(bytes(data))

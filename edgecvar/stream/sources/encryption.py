"""Whether a file's video is encrypted: FFmpeg gives what it cannot decrypt out as if it were a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Iterator, List, Tuple

_LARGEST_INDEX = 1 << 26
_HEAD = 1 << 20
_SAMPLE_ENTRY = 78
"""Bytes of a visual sample entry before the boxes in it (ISO/IEC 14496-12)."""
_SEGMENT, _TRACKS, _TRACK_ENTRY = 0x18538067, 0x1654AE6B, 0xAE
_TRACK_TYPE, _CODEC = 0x83, 0x86
_STREAM_TYPES = (1, 2, 17, 33)
"""Video, audio, subtitles and metadata: the tracks that FFmpeg makes streams of."""
_ENCODINGS, _ENCODING, _ENCRYPTION, _ALGORITHM = 0x6D80, 0x6240, 0x5035, 0x47E1
_ALGORITHMS = {1: "DES", 2: "3DES", 3: "Twofish", 4: "Blowfish", 5: "AES"}


@dataclass(frozen=True)
class StreamKey:
    """Which stream of a container: its `id` (the track in MP4, the PID in MPEG-TS) and its `index` among them all."""

    id: int
    index: int


def encryption(file: BinaryIO, container: str, stream: StreamKey) -> str:
    """The scheme that a file's video stream is encrypted with, empty where it is not; the file is left where it was.

    `container` is FFmpeg's name of the format.
    """
    place = file.tell()
    try:
        file.seek(0)
        if container.startswith("mov"):
            return _common_encryption(_index(file), stream.id)
        if container == "mpegts":
            return _scrambling(file.read(_HEAD), stream.id)
        if container.startswith("matroska"):
            return _content_encryption(file.read(_HEAD), stream.index)
        return ""
    finally:
        file.seek(place)


def _index(file: BinaryIO) -> bytes:
    """What is in the moov box."""
    while True:
        header = file.read(8)
        size, head = int.from_bytes(header[:4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        if header[4:] == b"moov":
            return file.read(min(size - head, _LARGEST_INDEX)) if size > head else b""
        if len(header) < 8 or size < head:
            return b""
        file.seek(size - head, 1)


def _common_encryption(index: bytes, track: int) -> str:
    """The scheme of a track, such as cenc or cbcs (ISO/IEC 23001-7)."""
    for kind, content in _boxes(index):
        if kind != b"trak":
            continue
        header = _inside(content, b"tkhd")
        at = 20 if header[:1] == b"\1" else 12
        if int.from_bytes(header[at : at + 4], "big") != track:
            continue
        for coding, entry in _boxes(_inside(content, b"mdia", b"minf", b"stbl", b"stsd")[8:]):
            if coding == b"encv":
                scheme = _inside(entry[_SAMPLE_ENTRY:], b"sinf", b"schm")[4:8]
                return scheme.decode("ascii", "replace") or "encv"
    return ""


def _boxes(content: bytes) -> Iterator[Tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big") or len(content) - at
        if size < 8:
            return
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size


def _inside(content: bytes, *path: bytes) -> bytes:
    """What is in the first box of that path; empty where there is none."""
    for name in path:
        content = next((inner for kind, inner in _boxes(content) if kind == name), b"")
    return content


def _scrambling(head: bytes, pid: int) -> str:
    """Whether most packets of a PID have their scrambling bits set (ISO/IEC 13818-1, 2.4.3.2)."""
    clear = scrambled = 0
    for size in (188, 192, 204):
        start = next((at for at in range(size) if head[at : at + 5 * size : size] == b"G" * 5), None)
        if start is None:
            continue
        for at in range(start, len(head) - 3, size):
            if (head[at + 1] & 31) << 8 | head[at + 2] == pid:
                scrambled += head[at + 3] >= 64
                clear += head[at + 3] < 64
        break
    return "scrambled transport stream" if scrambled > clear else ""


def _content_encryption(head: bytes, index: int) -> str:
    """The algorithm of a Matroska track's frames (RFC 9559, 5.1.4.1.31): where there is none they may be signed."""
    entries = [entry for tracks in _elements(head, _SEGMENT, _TRACKS) for entry in _elements(tracks, _TRACK_ENTRY)]
    streams = [each for each in entries if _number(each, _TRACK_TYPE) in _STREAM_TYPES and _elements(each, _CODEC)]
    for content in _elements(streams[index], _ENCODINGS, _ENCODING, _ENCRYPTION) if index < len(streams) else ():
        algorithm = _number(content, _ALGORITHM)
        if algorithm:
            return _ALGORITHMS.get(algorithm, f"ContentEncAlgo {algorithm}")
    return ""


def _elements(content: bytes, *path: int) -> List[bytes]:
    """What is in each EBML element of that path (RFC 8794); of a cut one what is there."""
    found = [content]
    for name in path:
        found = [inner for outer in found for kind, inner in _children(outer) if kind == name]
    return found


def _number(content: bytes, name: int) -> int:
    return int.from_bytes(next(iter(_elements(content, name)), b""), "big")


def _children(content: bytes) -> Iterator[Tuple[int, bytes]]:
    at = 0
    while at < len(content):
        name, at = _variable(content, at)
        marked, start = _variable(content, at)
        if not marked:  # damaged, or cut
            return
        marker = 1 << 7 * (start - at)
        # A live stream's sizes may be unknown, all bits set: what follows is in it.
        at = len(content) if marked == 2 * marker - 1 else start + marked - marker
        yield name, content[start:at]


def _variable(content: bytes, at: int) -> Tuple[int, int]:
    """A number of one to eight bytes with the mark of its length in it and where it ends; 0 where none is whole."""
    length = 9 - content[at].bit_length() if at < len(content) else 9
    end = at + length
    return (0, at) if length > 8 or end > len(content) else (int.from_bytes(content[at:end], "big"), end)

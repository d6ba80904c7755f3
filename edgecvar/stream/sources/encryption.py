"""Whether a file's video is encrypted: FFmpeg gives what it cannot decrypt out as if it were a picture."""

from __future__ import annotations

from typing import BinaryIO, Iterator, Tuple

_LARGEST_INDEX = 1 << 26
_TS_HEAD = 1 << 20
_SAMPLE_ENTRY = 78
"""Bytes of a visual sample entry before the boxes in it (ISO/IEC 14496-12)."""


def encryption(file: BinaryIO, container: str, stream_id: int) -> str:
    """The scheme that a file's video stream is encrypted with, empty where it is not; the file is left where it was.

    `container` is FFmpeg's name of the format, `stream_id` the number of the track in MP4, the PID in MPEG-TS.
    """
    place = file.tell()
    try:
        file.seek(0)
        if container.startswith("mov"):
            return _common_encryption(_index(file), stream_id)
        if container == "mpegts":
            return _scrambling(file.read(_TS_HEAD), stream_id)
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

"""A live camera made of a file: its packets in FLV, each when it is there, over and over."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Callable, Iterator, Tuple

from edgecvar.errors import StreamError
from edgecvar.stream.container import open_video

_HEADER = b"FLV\1\1\0\0\0\x09\0\0\0\0"
_VIDEO, _AVC = 9, 7
_CONFIGURATION, _PICTURE = 0, 1


@dataclass(frozen=True)
class CodedFile:
    """Packets in decode order, with how many pictures later each is displayed; `configuration` is their record.

    `codec` is "h264", whose record is an avcC, or "hevc", whose is an hvcC.
    """

    codec: str
    fps: float
    configuration: bytes
    packets: Tuple[Tuple[bytes, bool, int], ...]


def read_coded(path: Path) -> CodedFile:
    """The packets of an MP4 or Matroska file with H.264 or HEVC; raises StreamError."""
    with open_video(path) as video:
        configuration = bytes(video.context.extradata or b"")
        if video.codec not in ("h264", "hevc") or configuration[:1] != b"\1":
            raise StreamError(f"{path}: a camera is played from MP4 or Matroska with H.264 or HEVC; remux it")
        fps, base = float(video.fps), video.stream.time_base
        assert base is not None
        packets = []
        for packet in video.input.packets(video.stream):
            if packet.size and packet.pts is not None and packet.dts is not None:
                later = round(float((packet.pts - packet.dts) * base) * fps)
                packets.append((bytes(packet), packet.is_keyframe, later))
    if not packets or not packets[0][1]:
        raise StreamError(f"{path}: it does not begin with a keyframe, so it cannot be played over and over")
    return CodedFile(video.codec, fps, configuration, tuple(packets))


class LiveCamera:
    """A file object that cannot seek: a read waits for the next picture. `close` ends it, from any thread.

    `moment` is when a picture, by its number in decode order, is sent, by `time.perf_counter`; the first one is when it
    is first read from. What comes after a reader that was slow comes at once, as of a socket.
    """

    def __init__(self, file: CodedFile, name: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.name = name
        self._file, self._clock = file, clock
        self._begin = 0.0
        self._over = Event()
        self._left = b""
        self._tags = self._sent()

    def moment(self, number: int) -> float:
        return self._begin + number / self._file.fps

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> bytes:
        if not self._left:
            self._left = next(self._tags, b"")
        given, self._left = self._left[:size], self._left[size:]
        return given

    def close(self) -> None:
        self._over.set()

    def _sent(self) -> Iterator[bytes]:
        self._begin = self._clock()
        packets, fps, codec = self._file.packets, self._file.fps, self._file.codec
        yield _HEADER + _tag(codec, 0, True, _CONFIGURATION, self._file.configuration)
        number = 0
        while not self._over.wait(max(0.0, self.moment(number) - self._clock())):
            content, keyframe, later = packets[number % len(packets)]
            shown_later = round(later * 1000 / fps).to_bytes(3, "big")
            yield _tag(codec, round(number * 1000 / fps), keyframe, _PICTURE, shown_later + content)
            number += 1


def _tag(codec: str, milliseconds: int, keyframe: bool, kind: int, content: bytes) -> bytes:
    """An FLV tag with its size behind it (Adobe's Video File Format Specification 10.1, annex E.4).

    HEVC is tagged as Enhanced RTMP has it, where the kind of a packet takes the place of the codec, whose name follows.
    """
    frame = (1 if keyframe else 2) << 4
    if codec == "hevc":
        body = bytes([0x80 | frame | kind]) + b"hvc1" + content
    else:
        no_delay = b"\0\0\0" if kind == _CONFIGURATION else b""
        body = bytes([frame | _AVC, kind]) + no_delay + content
    stamp = (milliseconds & 0xFFFFFF).to_bytes(3, "big") + bytes([milliseconds >> 24 & 0xFF])
    head = bytes([_VIDEO]) + len(body).to_bytes(3, "big") + stamp + b"\0\0\0"
    return head + body + struct.pack(">I", len(head) + len(body))

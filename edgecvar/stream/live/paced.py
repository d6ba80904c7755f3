"""A file as a camera would send it: each picture when it is due."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Event
from typing import Iterator

from edgecvar.stream.reader import Stream
from edgecvar.stream.types import CodedPicture, StreamInfo, StreamSummary


class PacedStream:
    """As the `Stream` that it is made of, whose pictures arrive at its own rate, from when the first is asked for."""

    def __init__(self, stream: Stream) -> None:
        self.info: StreamInfo = stream.info
        self._stream = stream
        self._leaving = Event()

    def __enter__(self) -> PacedStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def summary(self) -> StreamSummary:
        return self._stream.summary

    def leave(self) -> None:
        """No more pictures, also for a reader that waits for one."""
        self._leaving.set()
        self._stream.leave()

    def close(self) -> None:
        self.leave()
        self._stream.close()

    def __iter__(self) -> Iterator[CodedPicture]:
        begin = time.perf_counter()
        for picture in self._stream:
            due = begin + picture.decode_index / float(self.info.fps)
            if self._left_within(due - time.perf_counter()):
                return
            yield replace(picture, arrived=max(due, time.perf_counter()))

    def _left_within(self, seconds: float) -> bool:
        """Wait so long, or not at all; whether it was left."""
        return self._leaving.wait(max(0.0, seconds))

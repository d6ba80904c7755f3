"""Packets of a container's stream, however many streams come to light while it is read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


def demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet[Any]]:
    """The packets of `stream`, and at the end an empty one; raises what FFmpeg says."""
    # At the end PyAV looks for streams in MPEG-TS or FLV that were not there when it opened them, and it has none.
    with suppress(IndexError):
        yield from container.demux(stream)

"""Parts of a file: packets from a known one on, which its container's index leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class Entry:
    """A packet that reading may begin at: its number in the file, its times in the stream's time base, its size."""

    number: int
    pts: Optional[int]
    dts: Optional[int]
    size: int

    @staticmethod
    def of(number: int, packet: Packet[Any]) -> Entry:
        """That of a packet as `coded_packets` gives it."""
        return Entry(number, packet.pts, packet.dts, packet.size)

    @property
    def time(self) -> Optional[int]:
        """What it is known by: some containers tell no decode times right after a seek."""
        return self.dts if self.pts is None else self.pts

    def is_of(self, packet: Packet[Any]) -> bool:
        """Whether this is its packet."""
        return packet.is_keyframe and (Entry.of(0, packet).time, packet.size) == (self.time, self.size)

    def seek(self, container: InputContainer, stream: VideoStream) -> None:
        """Goes to its packet, or to somewhere before it; raises FFmpegError or OSError where the container cannot."""
        container.seek(0 if self.time is None else self.time if self.dts is None else self.dts, stream=stream)


@dataclass(frozen=True)
class Stretch:
    """So many packets in a row, from an entry on."""

    entry: Entry
    packets: int

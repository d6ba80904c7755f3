"""Packets parsed ahead of the reading, so that all threads of the core have pictures to parse."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Deque, Iterable, Iterator, List, Optional, Tuple

if TYPE_CHECKING:
    from av.packet import Packet

    from edgecvar.stream.native._core import Parser, Picture

MOST_SAMPLES = 1 << 26
"""Luma samples of pictures that wait: the motion of each takes half a byte a sample."""


@dataclass
class ParsedPacket:
    """What the core said to a packet of these bytes, and the parameter sets in force after it."""

    data: bytes = b""
    sets: bytes = b""
    found: List[Picture] = field(default_factory=list)
    samples: int = 0
    error: Optional[Exception] = None

    def pictures(self) -> List[Picture]:
        """Those in the packet, which may still be parsed; raises what the core raised."""
        if self.error is not None:
            raise self.error
        return self.found


class ParsingAhead:
    """A parser on so many threads, all cores with 0, and the packets that it is ahead of the reading: none with one.

    The reading meets what the parser said, errors too, where it meets the packet. `on_demand` a picture is parsed when
    something of it is asked, and nothing ahead.
    """

    def __init__(self, core: Any, codec: str, extradata: bytes, threads: int, on_demand: bool = False) -> None:
        self.parsed = ParsedPacket()
        self._parser: Optional[Parser] = core.Parser(codec, extradata, threads, on_demand)
        self._waiting: Deque[Tuple[Packet[Any], ParsedPacket]] = deque()
        self._samples = 0

    def packets(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets in their order; `parsed` is that of the one given last. What they raise comes after the last."""
        assert self._parser is not None
        parser, failure = self._parser, None
        try:
            for number, packet in enumerate(packets):
                parsed = _parsed(parser, bytes(packet), number)
                self._waiting.append((packet, parsed))
                self._samples += parsed.samples
                while len(self._waiting) > parser.ahead or self._samples > MOST_SAMPLES:
                    yield self._next()
        except Exception as error:
            failure = error
        while self._waiting:
            yield self._next()
        if failure is not None:
            raise failure

    def without_sets(self, packet: bytes) -> bytes:
        """The packet but for its parameter sets."""
        assert self._parser is not None
        return self._parser.without_sets(packet)

    def close(self) -> None:
        """Lets go of what waits, and of the threads."""
        self._waiting.clear()
        self.parsed = ParsedPacket()
        self._parser = None

    def _next(self) -> Packet[Any]:
        packet, self.parsed = self._waiting.popleft()
        self._samples -= self.parsed.samples
        return packet


def _parsed(parser: Parser, packet: bytes, number: int) -> ParsedPacket:
    try:
        pictures = parser.parse(packet, number)
    except Exception as error:  # it belongs to this packet, and the reading is not there yet
        return ParsedPacket(packet, error=error)
    samples = 0
    if parser.ahead:  # else none waits
        samples = sum(picture.sequence.coded_width * picture.sequence.coded_height for picture in pictures)
    return ParsedPacket(packet, parser.parameter_sets(), pictures, samples)

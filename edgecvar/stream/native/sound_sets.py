"""Packets with no damaged parameter set in them, for decoders that would follow it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Optional, cast

from edgecvar.stream.nal.composed import ComposedPacket
from edgecvar.stream.nal.units import Sets, length_size_of, sets_among, split_units
from edgecvar.stream.native.choice import CODECS, native_core

if TYPE_CHECKING:
    from av.packet import Packet

    from edgecvar.stream.native._core import Parser

SETS_REFUSED = "parameter set that its pictures do not follow"


class SoundSets:
    """Follows the parameter sets of a stream, whose packets are to be `checked` in their order.

    The native core judges (held_sets.h): it reads the first picture, and later ones only where a set differs from the
    one that holds, until that is settled. A set is withheld where a picture is whole by the one that holds. Where there
    is no core, or it does not read the stream, every packet is left as it is.
    """

    def __init__(self, codec: str, extradata: Optional[bytes]) -> None:
        core = native_core() if codec in CODECS else ""
        self._core: Any = None if isinstance(core, str) else core
        self._codec = codec
        self._length_size = length_size_of(extradata, codec) if codec in CODECS else None
        self._parser: Optional[Parser] = None
        self._held: Sets = {}
        self._given: Sets = {}
        self._read = 0
        self._begun = self._settled = False
        if self._core is not None:
            with suppress(self._core.Damage, self._core.Unsupported):
                self._parser = self._core.Parser(codec, extradata or b"")
                self._held = self._given = self._sets(self._parser.parameter_sets())

    def checked(self, packet: Packet[Any]) -> Packet[Any]:
        """The packet itself, or one like it with the sets that hold in place of its own."""
        if self._parser is None:
            return packet
        data = bytes(packet)
        sets = self._sets(data)
        if self._settled and sets.items() <= self._held.items():
            return packet
        first, whole = not self._begun, self._follow(self._parser, data)
        if self._parser is None:
            return packet
        units = self._parser.parameter_sets()
        held, before = self._sets(units), self._held
        given = {**self._given, **sets}
        agree = held.items() <= given.items()
        if first:
            self._settled = self._begun
        elif sets:
            self._settled = agree and held == before and sets.items() <= held.items()
        self._held, self._given = held, given
        if agree or not whole:
            return packet
        self._given = {**given, **held}
        sound = units + self._parser.without_sets(data)
        return cast("Packet[Any]", ComposedPacket(packet, sound, keyframe=packet.is_keyframe))

    def _follow(self, parser: Parser, data: bytes) -> bool:
        """Whether there is a picture in a packet, and it is whole by the sets that hold after it."""
        number, self._read = self._read, self._read + 1
        try:
            pictures = parser.parse(data, number)
        except self._core.Damage:
            return False
        except self._core.Unsupported:
            self._parser = None
            return False
        self._begun = self._begun or bool(pictures)
        return bool(pictures) and all(picture.whole for picture in pictures)

    def _sets(self, data: bytes) -> Sets:
        """The parameter sets of a packet."""
        return sets_among(split_units(data, self._length_size), self._codec)

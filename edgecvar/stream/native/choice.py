"""Whether a stream is read by the native core: it is asked before the first picture is given."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, Union

from edgecvar.errors import StreamError, UnsupportedCodecError, reason

if TYPE_CHECKING:
    from av.packet import Packet

    from edgecvar.stream.native._core import Sequence

CODECS = ("h264", "hevc")
"""What it parses."""
MODULE = "edgecvar.stream.native._core"
EXTENDED = 88
"""profile_idc of H.264's Extended profile: data partitions and SP slices may follow sound I-pictures (A.2.3)."""
ALONE = ("hevc",)
"""Codecs whose vectors nothing else gives."""
_OTHERWISE = "use extraction='ffmpeg' (--extraction ffmpeg)"
_RECODE = (
    "FFmpeg gives no vectors of HEVC either: set the camera to 4:2:0 of 8 or 10 bits, or re-encode the file (ffmpeg -i "
    "INPUT -c:v libx265 -pix_fmt yuv420p OUTPUT.mp4)"
)
LOOK_AHEAD = 64
"""Packets that are looked at for a first picture."""


@dataclass
class Probe:
    """The packets looked at, and what the native core said to them: `refused` is empty where it takes the stream.

    `empty`: there was no picture in them.

    Of the first picture: `sequence`, the number `first` of its packet, that `packet` itself, the parameter `sets` that
    it was read with, and whether it is an I-picture (`intra`).
    """

    core: Any = None
    codec: str = ""
    refused: str = ""
    empty: bool = False
    sequence: Optional[Sequence] = None
    first: int = 0
    packet: bytes = b""
    sets: bytes = b""
    intra: bool = False
    packets: List[Packet[Any]] = field(default_factory=list)


def native_core() -> Union[Any, str]:
    """The compiled module, or why there is none."""
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError:
        return "its compiled module is not installed here"
    except ImportError as error:
        return f"its compiled module cannot be loaded ({reason(error)})"


def probe_packets(codec: str, extradata: Optional[bytes], packets: Iterator[Packet[Any]]) -> Probe:
    """Asks the core about a stream, reading no more packets than that takes: one, as a rule.

    Of the Extended profile it reads on to the first P or B picture.
    """
    if codec not in CODECS:
        return Probe(refused="it reads H.264 and HEVC alone")
    core = native_core()
    if isinstance(core, str):
        return Probe(refused=core)
    probe = Probe(core, codec)
    damage = "the stream has no packets"
    try:
        parser = core.Parser(codec, extradata or b"")
        for number, packet in enumerate(itertools.islice(packets, LOOK_AHEAD)):
            probe.packets.append(packet)
            try:
                pictures = parser.parse(bytes(packet), number)
            except core.Damage as error:
                damage = str(error)
                continue
            damage = "packets without a picture"
            if pictures and probe.sequence is None:
                probe.sequence, probe.first = pictures[0].sequence, number
                probe.packet, probe.sets = bytes(packet), parser.parameter_sets()
                probe.intra = pictures[0].kind == "I"
            if any(picture.kind != "I" or picture.sequence.profile_idc != EXTENDED for picture in pictures):
                return probe
    except core.Unsupported as error:
        probe.refused = str(error)
        return probe
    except core.Damage as error:
        damage = str(error)
    if probe.sequence is None:
        probe.empty = True
        probe.refused = f"no picture found at the start ({damage})"
    return probe


def refusal(name: str, codec: str, probe: Probe) -> StreamError:
    """The error for a stream called `name` that nothing is to read, as the core does not or is not to."""
    why = f"{name}: the native core does not read it: {probe.refused}"
    if codec not in ALONE:
        return StreamError(f"{why}; {_OTHERWISE}")
    if not probe.refused:
        return UnsupportedCodecError(
            f"{name}: FFmpeg gives no vectors of HEVC, which the native core reads: use extraction='auto' "
            "(--extraction auto)"
        )
    if probe.core is None:
        return UnsupportedCodecError(
            f"{why}, and nothing else reads HEVC; install edgecvar with pip, which compiles it"
        )
    return UnsupportedCodecError(f"{why}; {_RECODE}")


def remedy_in_midstream(codec: str) -> str:
    """What to do about a stream that the core cannot read any further."""
    return _RECODE if codec in ALONE else _OTHERWISE


def rejoined(probe: Probe, packets: Iterator[Packet[Any]]) -> Iterable[Packet[Any]]:
    """All packets again, those already looked at first."""
    looked_at, probe.packets = probe.packets, []
    return itertools.chain(looked_at, packets)

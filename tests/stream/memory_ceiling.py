"""A process that reads a hostile stream in every way and prints the most memory it took: `python -m ... NAME WAY`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from edgecvar.errors import EdgecvarError
from edgecvar.stream.reader import open_stream


class Bits:
    """Bits written one after the other, as H.264 codes its headers."""

    def __init__(self) -> None:
        self._bits = ""

    def bits(self, value: int, count: int) -> Bits:
        self._bits += format(value, f"0{count}b")
        return self

    def ue(self, *values: int) -> Bits:
        for value in values:
            code = format(value + 1, "b")
            self._bits += "0" * (len(code) - 1) + code
        return self

    def unit(self, kind: int) -> bytes:
        """The NAL unit behind its start code, with emulation prevention."""
        whole = self._bits + "1"
        whole += "0" * (-len(whole) % 8)
        plain = bytes(int(whole[at : at + 8], 2) for at in range(0, len(whole), 8))
        return b"\0\0\0\1" + bytes([0x60 | kind]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", plain)


def sets(width: int, height: int, references: int, level: int = 62) -> bytes:
    """Parameter sets of so many macroblocks, Main profile, CAVLC."""
    sps = Bits().bits(77, 8).bits(0, 8).bits(level, 8).ue(0, 0, 0, 4, references).bits(0, 1)
    sps.ue(width - 1, height - 1).bits(0b1100, 4)
    pps = Bits().ue(0, 0).bits(0, 2).ue(0, max(references, 1) - 1, 0).bits(0, 3).ue(0, 0, 0).bits(0, 3)
    return sps.unit(7) + pps.unit(8)


def idr() -> bytes:
    return Bits().ue(0, 7, 0).bits(0, 4).ue(0).bits(0, 8).bits(0, 2).ue(0).unit(5)


def predicted(number: int, first: int = 0) -> bytes:
    """A P slice that breaks off after its header."""
    return Bits().ue(first, 5, 0).bits(number % 16, 4).bits(2 * number % 256, 8).bits(0, 3).ue(0, 0).unit(1)


def large(width: int, height: int, references: int, pictures: int) -> bytes:
    return sets(width, height, references) + idr() + b"".join(predicted(number) for number in range(1, pictures))


def sliced(pictures: int, slices: int) -> bytes:
    """Pictures of 4096x2304 with a slice a macroblock, each with 16 references."""
    coded = [predicted(number, mb) for number in range(1, pictures) for mb in range(slices)]
    return sets(256, 144, 16, 51) + idr() + b"".join(coded)


STREAMS = {
    "too large": lambda: large(512, 272, 16, 5),
    "too many references": lambda: large(256, 256, 16, 5),
    "as large as may be": lambda: large(256, 256, 9, 24),
    "as many references as may be": lambda: large(256, 144, 16, 36),
}


def read(data: bytes, extraction: str, frames: bool) -> str:
    try:
        with open_stream(io.BytesIO(data), extraction, frames) as stream:
            for picture in stream:
                for access in ("motion", "weights", "residual", "image", "frame"):
                    try:
                        getattr(picture, access)
                    except EdgecvarError:
                        continue
            return repr(stream.summary)
    except EdgecvarError as error:
        return str(error)


if __name__ == "__main__":
    name, way = sys.argv[1:]
    said = read(STREAMS[name](), "auto" if way == "frames" else way, way == "frames")
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    print(int(peak.group(1)) // 1024 if peak else -1, said)

"""Streams of x265 whose headers are rewritten to what x265 never asks for; the coded blocks stay, and mean others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import List, Tuple

from tests.stream.hevc_truth import nal_units

PLAIN = "log-level=error:pools=1:frame-threads=1:wpp=0:sao=0:weightp=0:weightb=0:b-pyramid=0:scenecut=0:keyint=250"
"""Settings whose headers are read here, to which others may be added."""
SPS, PPS, IDR_W_RADL, CRA = 33, 34, 19, 21
B_SLICE, I_SLICE = 0, 2


@dataclass(frozen=True)
class Rewriting:
    """What to change; whatever is drawn follows from the seed."""

    seed: int = 0
    parallel_merge_log2: int = 2
    long_term: bool = False  # all but the nearest of the references before a picture
    lists: bool = False  # entries of the reference lists are drawn
    collocated: bool = False  # which picture is collocated is drawn, or that none is


class Header:
    """Bits that are read and, unless others are put in their place, written."""

    def __init__(self, payload: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in payload)
        self.at = 0
        self.written = ""

    def read(self, count: int) -> int:
        self.at += count
        return int(self.bits[self.at - count : self.at] or "0", 2)

    def read_ue(self) -> int:
        zeros = self.bits.index("1", self.at) - self.at
        self.at += zeros
        return self.read(zeros + 1) - 1

    def write(self, count: int, value: int) -> None:
        self.written += f"{value:0{count}b}" if count else ""

    def write_ue(self, value: int) -> None:
        self.write(2 * (value + 1).bit_length() - 1, value + 1)

    def copy(self, count: int) -> int:
        value = self.read(count)
        self.write(count, value)
        return value

    def copy_ue(self, count: int = 1) -> int:
        """The last of so many."""
        values = [self.read_ue() for _ in range(count)]
        for value in values:
            self.write_ue(value)
        return values[-1]

    def finished(self) -> bytes:
        """The payload with the rest of the bits."""
        bits = (self.written + self.bits[self.at :]).rstrip("0")
        return bytes(int(bits[k : k + 8].ljust(8, "0"), 2) for k in range(0, len(bits), 8))


class Rewriter:
    """Rewrites the NAL units of one stream in their order."""

    def __init__(self, rewriting: Rewriting) -> None:
        self._asked = rewriting
        self._random = Random(rewriting.seed)
        self._defaults = [1, 1]
        self._cabac_init = self._across = False

    def unit(self, unit: bytes) -> bytes:
        kind, payload = unit[0] >> 1 & 63, unit[2:].replace(b"\0\0\3", b"\0\0")
        if kind == SPS:
            payload = self._sps(payload)
        elif kind == PPS:
            payload = self._pps(payload)
        elif kind < 10 or kind == CRA:
            payload = self._slice(payload, kind)
        return unit[:2] + re.sub(b"\0\0(?=[\0-\3])", b"\0\0\3", payload)

    def _sps(self, payload: bytes) -> bytes:
        header = Header(payload)
        assert header.copy(4 + 3) & 7 == 0
        header.copy(1 + 96)
        assert header.copy_ue(2) == 1
        header.copy_ue(2)
        if header.copy(1):
            header.copy_ue(4)
        assert header.copy_ue(3) == 4  # log2_max_pic_order_cnt_lsb is 8
        header.copy(1)
        header.copy_ue(3 + 6)
        assert header.copy(1) == 0
        header.copy(2)
        assert header.copy(1) == 0 and header.copy_ue() == 0 and header.read(1) == 0
        header.write(1, self._asked.long_term)
        if self._asked.long_term:
            header.write_ue(0)
        return header.finished()

    def _pps(self, payload: bytes) -> bytes:
        header = Header(payload)
        header.copy_ue(2)
        assert header.copy(5) == 0
        header.copy(1)
        self._cabac_init = bool(header.copy(1))
        self._defaults = [header.copy_ue() + 1, header.copy_ue() + 1]
        header.copy_ue()
        header.copy(2)
        if header.copy(1):
            header.copy_ue()
        header.copy_ue(2)
        assert header.copy(3) == 0
        header.copy(1)
        assert header.copy(2) == 0
        self._across = bool(header.copy(1))
        assert header.copy(1) == 0 and header.copy(1) == 0 and header.read(1) == 0
        header.write(1, self._asked.lists)
        assert header.read_ue() == 0
        header.write_ue(self._asked.parallel_merge_log2 - 2)
        return header.finished()

    def _slice(self, payload: bytes, kind: int) -> bytes:
        header = Header(payload)
        assert header.copy(1) == 1
        if kind >= 16:
            header.copy(1)
        header.copy_ue()
        slice_type = header.copy_ue()
        order = header.copy(8)
        total = self._references(header, order)
        temporal = bool(header.read(1))
        written = temporal or self._asked.collocated
        if self._asked.collocated and slice_type != I_SLICE:
            written = self._random.random() < 0.8
        header.write(1, written)
        if slice_type != I_SLICE:
            self._lists(header, slice_type == B_SLICE, total, temporal, written)
            header.copy_ue()
        header.copy_ue()
        if self._across:
            header.copy(1)
        assert header.read(1) == 1 and header.read(-header.at % 8) == 0, "this is not where the slice data begins"
        header.write(1, 1)
        header.write(-len(header.written) % 8, 0)
        return header.finished()

    def _references(self, header: Header, order: int) -> int:
        """Rewrites the reference picture set; how many of it the picture uses."""
        assert header.copy(1) == 0
        counts = [header.read_ue(), header.read_ue()]
        pictures: List[List[Tuple[int, int]]] = [[(header.read_ue(), header.read(1)) for _ in range(n)] for n in counts]
        kept = 1 if self._asked.long_term and counts[0] else counts[0]
        header.write_ue(kept)
        header.write_ue(counts[1])
        for distance, used in pictures[0][:kept] + pictures[1]:
            header.write_ue(distance)
            header.write(1, used)
        if self._asked.long_term:
            header.write_ue(counts[0] - kept)
            for k in range(kept, counts[0]):
                header.write(8, (order - sum(distance + 1 for distance, _ in pictures[0][: k + 1])) % 256)
                header.write(1, pictures[0][k][1])
                header.write(1, 0)
        return sum(used for _, used in pictures[0] + pictures[1])

    def _lists(self, header: Header, two: bool, total: int, temporal: bool, written: bool) -> None:
        """From num_ref_idx_active_override_flag to before five_minus_max_num_merge_cand."""
        counts = list(self._defaults)
        if header.copy(1):
            counts = [header.copy_ue() + 1, header.copy_ue() + 1 if two else 0]
        if self._asked.lists and total > 1:
            for count in counts[: 1 + two]:
                header.write(1, 1)
                for _ in range(count):
                    header.write((total - 1).bit_length(), self._random.randrange(total))
        if two:
            header.copy(1)
        if self._cabac_init:
            header.copy(1)
        zero, index = True, 0
        if temporal:
            zero = bool(header.read(1)) if two else True
            index = header.read_ue() if counts[not zero] > 1 else 0
        if not written:
            return
        if self._asked.collocated:
            zero = not two or self._random.random() < 0.5
            index = self._random.randrange(counts[not zero])
        if two:
            header.write(1, zero)
        if counts[not zero] > 1:
            header.write_ue(index)


def rewrite(path: Path, rewriting: Rewriting, folder: Path) -> Path:
    """Writes the rewritten form of an Annex B stream with one slice a picture into a folder."""
    rewriter = Rewriter(rewriting)
    units = [rewriter.unit(unit) for unit in nal_units(path.read_bytes(), 0)]
    target = folder / f"rewritten_{path.name}"
    target.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    return target

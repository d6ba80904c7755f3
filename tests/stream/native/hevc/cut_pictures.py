"""P-pictures cut into tiles, wavefronts and dependent slice segments, coded here without an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Dict, List, Optional, Tuple

import numpy as np

from tests.stream.native.hevc.pcm_pictures import HEIGHT, WIDTH, Arithmetic, Bits, PcmPicture, Place, escaped, unit

Contexts = Dict[str, Tuple[int, int]]  # pStateIdx and valMps by syntax element and ctxInc

# Tables 9-5 to 9-37, of P slices.
INITIAL = {"skip0": 197, "skip1": 185, "skip2": 201, "intra": 149, "part0": 154, "part1": 139, "part2": 154}
INITIAL.update({"merge": 110, "mvp": 168, "root": 79, "greater0": 140, "greater1": 198})
SLICE_QP = 26

# Table 9-52, columns by qRangeIdx.
RANGES = (
    "128 128 128 123 116 111 105 100 95 90 85 81 77 73 69 66 62 59 56 53 51 48 46 43 41 39 37 35 33 32 30 29 "
    "27 26 24 23 22 21 20 19 18 17 16 15 14 14 13 12 12 11 11 10 10 9 9 8 8 7 7 7 6 6 6 2",
    "176 167 158 150 142 135 128 122 116 110 104 99 94 89 85 80 76 72 69 65 62 59 56 53 50 48 45 43 41 39 37 35 "
    "33 31 30 28 27 26 24 23 22 21 20 19 18 17 16 15 14 14 13 12 12 11 11 10 9 9 9 8 8 7 7 2",
    "208 197 187 178 169 160 152 144 137 130 123 117 111 105 100 95 90 86 81 77 73 69 66 63 59 56 54 51 48 46 43 41 "
    "39 37 35 33 32 30 29 27 26 25 23 22 21 20 19 18 17 16 15 15 14 13 12 12 11 11 10 10 9 9 8 2",
    "240 227 216 205 195 185 175 166 158 150 142 135 128 122 116 110 104 99 94 89 85 80 76 72 69 65 62 59 56 53 50 48 "
    "45 43 41 39 37 35 33 31 30 28 27 25 24 23 22 21 20 19 18 17 16 15 14 14 13 12 12 11 11 10 9 2",
)
RANGE_LPS = [tuple(map(int, column.split())) for column in RANGES]
NEXT_LPS = (
    *(0, 0, 1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9, 11, 11, 12, 13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21, 21, 22, 22, 23),
    *(24, 24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33, 33, 33, 34, 34, 35, 35, 35, 36, 36, 36, 37),
    *(37, 37, 38, 38, 63),
)


def fresh() -> Contexts:
    """As they are at a slice's start (9.3.2.2)."""
    contexts = {}
    for name, value in INITIAL.items():
        slope, offset = (value >> 4) * 5 - 45, ((value & 15) << 3) - 16
        state = min(126, max(1, (slope * SLICE_QP >> 4) + offset))
        contexts[name] = (state - 64, 1) if state > 63 else (63 - state, 0)
    return contexts


class Bins(Arithmetic):
    """A substream with bins of contexts, and bins of none."""

    def __init__(self, contexts: Contexts) -> None:
        super().__init__()
        self.contexts = contexts
        self.start()

    def bin(self, name: str, value: int) -> None:
        state, likely = self.contexts[name]
        least = RANGE_LPS[self.range >> 6 & 3][state]
        self.range -= least
        if value == likely:
            state = min(62, state + 1)
        else:
            self.low, self.range = self.low + self.range, least
            likely, state = (likely if state else 1 - likely), NEXT_LPS[state]
        self.contexts[name] = state, likely
        self.renormalize()

    def bypass(self, value: int) -> None:
        self.low = 2 * self.low + self.range * value
        if self.low >= 1024 or self.low < 512:
            self.put(int(self.low >= 1024))
            self.low -= 1024 * (self.low >= 1024)
        else:
            self.low -= 512
            self.outstanding += 1

    def difference(self, x: int, y: int) -> None:
        """mvd_coding (7.3.8.9)."""
        sizes = abs(x), abs(y)
        for size in sizes:
            self.bin("greater0", int(size > 0))
        for size in sizes:
            if size:
                self.bin("greater1", int(size > 1))
        for value, size in ((x, sizes[0]), (y, sizes[1])):
            if size > 1:
                self.exp_golomb(size - 2)
            if size:
                self.bypass(int(value < 0))

    def exp_golomb(self, rest: int) -> None:
        """EG1 (9.3.3.6)."""
        order = 1
        while rest >= 1 << order:
            self.bypass(1)
            rest -= 1 << order
            order += 1
        self.bypass(0)
        for bit in reversed(range(order)):
            self.bypass(rest >> bit & 1)


@dataclass(frozen=True)
class CutPicture(PcmPicture):
    """CTBs that are skipped, PCM, or moved in one to four parts, drawn by `seed`; it refers to the picture before."""

    kind: int = 1  # TRAIL_R
    seed: int = 0

    def packet(self, planes: Tuple[np.ndarray, ...], poc: int) -> bytes:
        chance, order, packet = Random(self.seed + poc), self.order(), b""
        skipped: Dict[Tuple[int, int, int, int], int] = {}  # by place and slice
        after: Dict[Tuple[int, int, int, int], Contexts] = {}
        contexts, whole = fresh(), 0
        ends = [start for start, _ in self.segments[1:]] + [len(order)]
        for (start, dependent), end in zip(self.segments, ends):
            whole = whole if dependent else start
            substreams: List[bytes] = []
            for places in self.substreams(start, end):
                contexts = self.contexts(places[0], after, whole, contexts if dependent else None)
                data = Bins(contexts)
                for place in places:
                    x, y, tile = place
                    neighbours = [skipped.get((*each, tile, whole), 0) for each in ((x - 1, y), (x, y - 1))]
                    skipped[(*place, whole)] = self.unit(data, planes, place, sum(neighbours), chance)
                    after[(*place, whole)] = dict(contexts)
                    data.terminate(place == order[end - 1])
                if places[-1] != order[end - 1]:
                    data.terminate(True)  # end_of_subset_one_bit
                substreams.append(data.bytes())
            x, y, _ = order[start]
            packet += unit(self.kind, self.header(y * WIDTH + x, dependent, substreams, poc))
        return packet

    def contexts(
        self, place: Place, after: Dict[Tuple[int, int, int, int], Contexts], whole: int, kept: Optional[Contexts]
    ) -> Contexts:
        """At the start of a substream (9.3.1)."""
        x, y, tile = place
        found: Optional[Contexts] = kept
        if (x, y) == min((other[1], other[0]) for other in self.order() if other[2] == tile)[::-1]:
            found = None
        elif self.sync and x in self.columns:
            found = after.get((x + 1, y - 1, tile, whole))
        return dict(found) if found else fresh()

    def unit(
        self, data: Bins, planes: Tuple[np.ndarray, ...], place: Place, skipped_around: int, chance: Random
    ) -> int:
        """One coding unit; whether it is skipped."""
        way = chance.choice((0, 0, 1, 2, 2, 2, 2, 2))
        data.bin(f"skip{skipped_around}", int(way == 0))
        if way == 0:
            return 1
        data.bin("intra", int(way == 1))
        if way == 1:
            data.bin("part0", 1)
            data.terminate(True)  # pcm_flag
            self.samples(data, planes, place[0], place[1])
            return 0
        parts = chance.choice(((1,), (0, 1), (0, 0, 1), (0, 0, 0)))
        for index, part in enumerate(parts):
            data.bin(f"part{index}", part)
        for _ in range(1 if parts == (1,) else 4 if parts == (0, 0, 0) else 2):
            merged = len(parts) > 1 and chance.randrange(3) == 0  # a merged whole would need a residual
            data.bin("merge", int(merged))
            if not merged:
                data.difference(chance.randint(-9, 9), chance.choice((0, 1, -2, 30)))
                data.bin("mvp", chance.randrange(2))
        data.bin("root", 0)
        return 0

    def header(self, address: int, dependent: bool, substreams: List[bytes], poc: int) -> bytes:
        bits = Bits().u(address == 0, 1).ue(0)
        if address:
            bits.u(dependent, 1).u(address, 5)
        if not dependent:
            bits.ue(1).u(1, 1)  # P, put out
            bits.u(poc % 256, 8).u(0, 1).ue(1, 0).ue(0).u(1, 1)  # the picture before
            bits.ue(0).u(1, 1).u(0, 1)  # no long-term one, temporal prediction, one reference
            bits.ue(4).ue(0)  # one candidate to merge with
        if self.tiled or self.sync:
            sizes = [len(escaped(each)) for each in substreams[:-1]]
            bits.ue(len(sizes))
            if sizes:
                bits.ue(15)
            for size in sizes:
                bits.u(size - 1, 16)
        return bits.align().bytes() + b"".join(substreams)


CUTS: Dict[str, PcmPicture] = {
    "whole": PcmPicture(),
    "tiles": PcmPicture(columns=(0, 1, 4), rows=(0, 3)),
    "wavefronts": PcmPicture(sync=True),
    "segments": PcmPicture(segments=((0, False), (3, True), (7, False), (8, True), (19, True))),
    "segments_of_wavefronts": PcmPicture(
        sync=True, segments=((0, False), (5, True), (8, True), (10, False), (15, True))
    ),
    "segments_of_tiles": PcmPicture(columns=(0, 2), segments=((0, False), (8, True))),
    "wavefronts_in_tiles": PcmPicture(columns=(0, 3), rows=(0, 2), sync=True),
}


def stream(cut: PcmPicture, first: int = 0, count: int = 4) -> bytes:
    """An IDR picture of PCM blocks, and pictures that refer each to the one before; from `first` on."""
    random, packets = np.random.default_rng(1), []
    layout = (cut.columns, cut.rows, cut.sync, cut.segments)
    for poc in range(first, count):
        planes = tuple(random.integers(0, 256, (HEIGHT * size, WIDTH * size)).astype(np.uint8) for size in (16, 8, 8))
        coded = CutPicture(*layout, seed=7) if poc else PcmPicture(*layout, kind=19)
        packets.append(coded.packet(planes, poc))
    return cut.sets() + b"".join(packets)

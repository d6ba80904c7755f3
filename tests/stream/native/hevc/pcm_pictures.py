"""I-pictures of PCM blocks in tiles, wavefronts and dependent slice segments, coded here without an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np

Place = Tuple[int, int, int]  # x, y and tile of a CTB

WIDTH, HEIGHT = 5, 4  # in CTBs of 16 x 16, each one coding unit of PCM samples

# Table 9-52, of the states that the one context here comes to: part_mode is 1 throughout, as the context expects.
LEAST_PROBABLE = (
    *((128, 176, 208, 240), (128, 167, 197, 227), (128, 158, 187, 216), (123, 150, 178, 205), (116, 142, 169, 195)),
    *((111, 135, 160, 185), (105, 128, 152, 175), (100, 122, 144, 166), (95, 116, 137, 158), (90, 110, 130, 150)),
    *((85, 104, 123, 142), (81, 99, 117, 135), (77, 94, 111, 128), (73, 89, 105, 122), (69, 85, 100, 116)),
    *((66, 80, 95, 110), (62, 76, 90, 104), (59, 72, 86, 99), (56, 69, 81, 94), (53, 65, 77, 89)),
)


class Bits:
    """A payload written bit by bit."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, count: int) -> Bits:
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Bits:
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def align(self) -> Bits:
        """A bit 1, and zeros to the end of the byte."""
        self.text += "1"
        self.text += "0" * (-len(self.text) % 8)
        return self

    def bytes(self) -> bytes:
        return bytes(int(self.text[at : at + 8], 2) for at in range(0, len(self.text), 8))


class Arithmetic(Bits):
    """A substream: bins of one context that come as expected, bins before the end, raw samples (9.3.4)."""

    def start(self) -> None:
        self.low, self.range, self.first, self.outstanding = 0, 510, True, 0

    def put(self, bit: int) -> None:
        self.text += "" if self.first else str(bit)
        self.first = False
        self.text += str(1 - bit) * self.outstanding
        self.outstanding = 0

    def renormalize(self) -> None:
        while self.range < 256:
            if 256 <= self.low < 512:
                self.low -= 256
                self.outstanding += 1
            else:
                self.put(int(self.low >= 512))
                self.low -= 512 * (self.low >= 512)
            self.range, self.low = 2 * self.range, 2 * self.low

    def expected(self, state: int) -> None:
        self.range -= LEAST_PROBABLE[state][self.range >> 6 & 3]
        self.renormalize()

    def terminate(self, ends: bool) -> None:
        """The bin itself; where it is 1, what stands in the register and the alignment follow it."""
        self.range -= 2
        if ends:
            self.low, self.range = self.low + self.range, 2
        self.renormalize()
        if ends:
            self.put(self.low >> 9 & 1)
            self.u(self.low >> 8 & 1, 1).align()


def escaped(payload: bytes) -> bytes:
    """With emulation prevention bytes."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def unit(kind: int, payload: bytes) -> bytes:
    return b"\0\0\0\1" + bytes([kind << 1, 1]) + escaped(payload)


@dataclass(frozen=True)
class PcmPicture:
    """How a picture is cut up: where tiles and segments begin; a segment's place is in tile scan."""

    columns: Tuple[int, ...] = (0,)
    rows: Tuple[int, ...] = (0,)
    sync: bool = False
    segments: Tuple[Tuple[int, bool], ...] = ((0, False),)  # and whether it is dependent
    kind: int = 21  # nal_unit_type: CRA
    output: bool = True

    @property
    def tiled(self) -> bool:
        return len(self.columns) * len(self.rows) > 1

    def sets(self) -> bytes:
        """VPS, SPS (cropped, reordering) and PPS."""
        profile = Bits().u(1, 8).u(0x60000000, 32).u(0x90, 8).u(0, 40).u(93, 8)
        video = Bits().u(0, 4).u(3, 2).u(0, 6).u(0, 3).u(1, 1).u(0xFFFF, 16)
        video.text += profile.text + Bits().u(1, 1).ue(4, 2, 0).u(0, 6).ue(0).u(0, 2).text
        sequence = Bits().u(0, 4).u(0, 3).u(1, 1)
        sequence.text += profile.text
        sequence.ue(0, 1, 16 * WIDTH, 16 * HEIGHT).u(1, 1).ue(1, 2, 0, 1).ue(0, 0, 4).u(1, 1).ue(4, 2, 0)
        sequence.ue(1, 0, 0, 2, 0, 0).u(0, 1).u(0, 2).u(1, 1).u(7, 4).u(7, 4).ue(1, 0).u(1, 1)  # 16: CTB, CB, PCM
        sequence.ue(0).u(1, 1).ue(0).u(1, 1).u(0, 3)
        return unit(32, video.align().bytes()) + unit(33, sequence.align().bytes()) + unit(34, self.picture_set())

    def picture_set(self) -> bytes:
        bits = Bits().ue(0, 0).u(1, 1).u(1, 1).u(0, 3).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0).u(0, 4)
        bits.u(self.tiled, 1).u(self.sync, 1)
        if self.tiled:
            bits.ue(len(self.columns) - 1, len(self.rows) - 1).u(0, 1)
            for starts in (self.columns, self.rows):
                bits.ue(*(b - a - 1 for a, b in zip(starts, starts[1:])))
            bits.u(0, 1)
        bits.u(0, 1).u(1, 1).u(0, 1).u(1, 1)  # no filter across slices, no deblocking
        return bits.u(0, 2).ue(0).u(0, 2).align().bytes()

    def order(self) -> List[Place]:
        """x, y and tile of the CTBs in tile scan."""
        tiles = [
            (x, x_end, y, y_end)
            for y, y_end in zip(self.rows, (*self.rows[1:], HEIGHT))
            for x, x_end in zip(self.columns, (*self.columns[1:], WIDTH))
        ]
        return [
            (x, y, tile)
            for tile, (left, right, top, bottom) in enumerate(tiles)
            for y in range(top, bottom)
            for x in range(left, right)
        ]

    def packet(self, planes: Tuple[np.ndarray, ...], poc: int) -> bytes:
        """The slice segments of a picture with these samples: y 64 x 80, cb and cr 32 x 40, uint8."""
        order, packet = self.order(), b""
        after: Dict[Tuple[int, int, int, int], int] = {}  # the context's state after a CTB, by its place and slice
        state = whole = 0
        ends = [start for start, _ in self.segments[1:]] + [len(order)]
        for (start, dependent), end in zip(self.segments, ends):
            whole = whole if dependent else start
            substreams: List[bytes] = []
            for places in self.substreams(start, end):
                state = self.first_state(places[0], after, whole, state if dependent else 0)
                data = Arithmetic()
                data.start()
                for place in places:
                    data.expected(state)
                    state += 1
                    after[(*place, whole)] = state
                    data.terminate(True)  # pcm_flag
                    self.samples(data, planes, place[0], place[1])
                    data.terminate(place == order[end - 1])
                if places[-1] != order[end - 1]:
                    data.terminate(True)  # end_of_subset_one_bit
                substreams.append(data.bytes())
            x, y, _ = order[start]
            packet += unit(self.kind, self.header(y * WIDTH + x, dependent, substreams, poc))
        return packet

    def first_state(self, place: Place, after: Dict[Tuple[int, int, int, int], int], whole: int, kept: int) -> int:
        """Of the context at the start of a substream of the slice `whole` (9.3.2)."""
        x, y, tile = place
        if (x, y) == min((other[1], other[0]) for other in self.order() if other[2] == tile)[::-1]:
            return 0
        if self.sync and x in self.columns:
            return after.get((x + 1, y - 1, tile, whole), 0)
        return kept

    def substreams(self, start: int, end: int) -> List[List[Place]]:
        """The CTBs of each substream of a segment."""
        groups: List[List[Place]] = []
        for place in self.order()[start:end]:
            begins = not groups or place[2] != groups[-1][-1][2] or (self.sync and place[1] != groups[-1][-1][1])
            if begins:
                groups.append([])
            groups[-1].append(place)
        return groups

    def samples(self, data: Arithmetic, planes: Tuple[np.ndarray, ...], x: int, y: int) -> None:
        for plane, size in zip(planes, (16, 8, 8)):
            block = plane[y * size : (y + 1) * size, x * size : (x + 1) * size]
            data.text += "".join(f"{int(sample):08b}" for sample in block.ravel())
        data.start()

    def header(self, address: int, dependent: bool, substreams: List[bytes], poc: int) -> bytes:
        bits = Bits().u(address == 0, 1)
        if 16 <= self.kind <= 23:
            bits.u(1, 1)  # no_output_of_prior_pics_flag
        bits.ue(0)
        if address:
            bits.u(dependent, 1).u(address, 5)
        if not dependent:
            bits.ue(2).u(self.output, 1)  # I, pic_output_flag
            if self.kind not in (19, 20):
                bits.u(poc % 256, 8).u(0, 1).ue(1, 0).ue(0).u(0, 1)  # a picture of which nothing is used
                bits.ue(1).u(poc % 7, 8).u(0, 1).u(0, 1).u(0, 1)  # and a long-term one; no temporal prediction
            bits.ue(0)
        if self.tiled or self.sync:
            sizes = [len(escaped(each)) for each in substreams[:-1]]
            bits.ue(len(sizes))
            if sizes:
                bits.ue(15)
            for size in sizes:
                bits.u(size - 1, 16)
        return bits.align().bytes() + b"".join(substreams)

"""x265's headers rewritten: long-term references, modified lists, merge levels and weights that it never writes.

What is coded in blocks is read the same whatever these say, and means something else: every decoder must agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Set, Tuple

import numpy as np


class Bits:
    """Reads a NAL unit's payload bit by bit, and copies what it reads where it is told to."""

    def __init__(self, unit: bytes) -> None:
        payload = unit.replace(b"\0\0\3", b"\0\0")
        self.text = "".join(f"{byte:08b}" for byte in payload)
        self.at = 16
        self.copied = [self.text[:16]]

    def u(self, length: int) -> int:
        text = self.text[self.at : self.at + length]
        self.at += length
        self.copied.append(text)
        return int(text or "0", 2)

    def ue(self) -> int:
        zeros = self.text.index("1", self.at) - self.at
        return self.u(2 * zeros + 1) - 1

    def skip(self, *kinds: str) -> None:
        for kind in kinds:
            self.u(int(kind)) if kind.isdigit() else self.ue()

    def write(self, value: int, length: int = 0) -> None:
        """A number of so many bits, or of Exp-Golomb code."""
        if length:
            self.copied.append(f"{value:0{length}b}")
        else:
            self.copied.append("0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}")

    def write_signed(self, value: int) -> None:
        self.write(2 * value - 1 if value > 0 else -2 * value)

    def drop(self, parts: int) -> None:
        """What was copied last is not."""
        del self.copied[-parts:]

    def unit(self, rest: str = "") -> bytes:
        """A NAL unit of what was copied, aligned, and of whole bytes after it."""
        text = "".join(self.copied) + "1"
        text += "0" * (-len(text) % 8) + rest
        payload = bytes(int(text[k : k + 8], 2) for k in range(0, len(text), 8))
        escaped, zeros = bytearray(), 0
        for byte in payload:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(escaped)


@dataclass
class Rewriter:
    """Draws by `seed` what becomes of the references; of streams of x265 with one slice a picture, without WPP."""

    seed: int
    merge_level: int = 2
    weights: bool = False
    chroma: bool = True
    sps: Dict[str, int] = field(default_factory=dict)
    pps: Dict[str, int] = field(default_factory=dict)
    long_term: Set[int] = field(default_factory=set)
    made: Dict[str, int] = field(default_factory=lambda: {"long": 0, "lists": 0, "weights": 0})

    def units(self, units: Iterable[bytes]) -> List[bytes]:
        self._random = np.random.RandomState(self.seed)
        kinds = {33: self._sequence, 34: self._picture}
        written = []
        for unit in units:
            kind = unit[0] >> 1 & 63
            written.append(kinds[kind](unit) if kind in kinds else self._slice(unit) if kind < 32 else unit)
        return written

    def _sequence(self, unit: bytes) -> bytes:
        bits = Bits(unit)
        bits.skip("4", "3", "1", *("32", "32", "32"), "ue", "ue", "ue", "ue")
        if bits.u(1):
            bits.skip("ue", "ue", "ue", "ue")
        bits.skip("ue", "ue")
        self.sps["lsb"] = bits.ue() + 4
        bits.skip("1", *("ue",) * 9)
        assert bits.u(1) == 0  # no scaling lists
        bits.skip("1")
        self.sps["sao"] = bits.u(1)
        assert bits.u(1) == 0 and bits.ue() == 0  # no PCM, no reference picture sets
        assert bits.u(1) == 0
        bits.drop(1)
        bits.write(1, 1)  # long_term_ref_pics_present_flag
        bits.write(0)  # num_long_term_ref_pics_sps
        self.sps["temporal"] = bits.u(1)
        bits.copied.append(bits.text[bits.at :].rstrip("0")[:-1])
        return bits.unit()

    def _picture(self, unit: bytes) -> bytes:
        bits = Bits(unit)
        bits.skip("ue", "ue")
        assert bits.u(5) == 0  # no dependent slices, no output flags, no extra bits
        bits.skip("1")
        self.pps["cabac_init"] = bits.u(1)
        self.pps["l0"], self.pps["l1"] = bits.ue() + 1, bits.ue() + 1
        bits.skip("ue", "1", "1")
        if bits.u(1):
            bits.skip("ue")
        bits.skip("ue", "ue")
        self.pps["chroma"] = bits.u(1)
        assert bits.u(2) == 0  # no weights
        bits.drop(1)
        bits.write(3 * self.weights, 2)
        bits.skip("1")
        assert bits.u(2) == 0  # no tiles, no wavefronts
        self.pps["across"] = bits.u(1)
        self.pps["deblocking"] = 1
        if bits.u(1):
            assert bits.u(1) == 0
            self.pps["deblocking"] = 1 - bits.u(1)
            if self.pps["deblocking"]:
                bits.skip("ue", "ue")
        assert bits.u(2) == 0  # no scaling lists, no modification of lists
        bits.drop(1)
        bits.write(1, 2)
        bits.ue()
        bits.drop(1)
        bits.write(self.merge_level - 2)
        bits.skip("1")
        assert bits.u(1) == 0
        return bits.unit()

    def _slice(self, unit: bytes) -> bytes:
        bits, kind = Bits(unit), unit[0] >> 1 & 63
        assert bits.u(1) == 1
        if kind >= 16:
            bits.skip("1")
        bits.skip("ue")
        slice_type = bits.ue()
        total = 0
        if kind in (19, 20):
            self.long_term.clear()
        else:
            total = self._references(bits)
        sao = [bits.u(1) for _ in range(self.sps["sao"] * (1 + self.chroma))]
        if slice_type != 2:
            self._lists(bits, slice_type == 0, total)
        bits.skip("ue")
        if self.pps["chroma"]:
            bits.skip("ue", "ue")
        if self.pps["across"] and (any(sao) or self.pps["deblocking"]):
            bits.skip("1")
        rest = bits.text[bits.at :]
        assert rest[0] == "1"
        return bits.unit(rest[1 + (-(bits.at + 1) % 8) :])

    def _references(self, bits: Bits) -> int:
        """The pictures of the slice's set, some of them as long-term ones; how many may be referred to."""
        lsb = bits.u(self.sps["lsb"])
        assert bits.u(1) == 0
        before = len(bits.copied)
        counts = (bits.ue(), bits.ue())
        sets: List[List[Tuple[int, int]]] = []
        for count, sign in zip(counts, (-1, 1)):
            poc, found = lsb, []
            for _ in range(count):
                poc += sign * (bits.ue() + 1)
                found.append((poc, bits.u(1)))
            sets.append(found)
        bits.drop(len(bits.copied) - before)
        pocs = {poc for found in sets for poc, _ in found}
        self.long_term = {poc for poc in pocs if poc in self.long_term or self._random.rand() < 0.3}
        kept = [[entry for entry in found if entry[0] not in self.long_term] for found in sets]
        for found in kept:
            bits.write(len(found))
        for found in kept:
            at = lsb
            for poc, used in found:
                bits.write(abs(poc - at) - 1)
                bits.write(used, 1)
                at = poc
        far = [entry for found in sets for entry in found if entry[0] in self.long_term]
        bits.write(len(far))
        for poc, used in far:
            bits.write(poc, self.sps["lsb"])
            bits.write(used << 1, 2)
        self.made["long"] += len(far)
        if self.sps["temporal"]:
            self.pps["slice_temporal"] = bits.u(1)
        return sum(used for found in sets for _, used in found)

    def _lists(self, bits: Bits, both: bool, total: int) -> None:
        sizes = [self.pps["l0"], self.pps["l1"]]
        if bits.u(1):
            sizes = [bits.ue() + 1, bits.ue() + 1 if both else 0]
        if total > 1:
            for size in sizes[: 1 + both]:
                changed = int(self._random.rand() < 0.6)
                bits.write(changed, 1)
                self.made["lists"] += changed
                for _ in range(size if changed else 0):
                    bits.write(self._draw(0, total), (total - 1).bit_length())
        if both:
            bits.skip("1")
        if self.pps["cabac_init"]:
            bits.skip("1")
        if self.sps["temporal"] and self.pps["slice_temporal"]:
            first = bits.u(1) if both else 1
            if sizes[1 - first] > 1:
                bits.ue()
                bits.drop(1)
                bits.write(self._draw(0, sizes[1 - first]))
        if self.weights:
            self._weights(bits, sizes[: 1 + both])
        bits.skip("ue")

    def _weights(self, bits: Bits, sizes: List[int]) -> None:
        """A pred_weight_table of all that may be in one."""
        denominator = self._draw(0, 8)
        bits.write(denominator)
        if self.chroma:
            bits.write_signed(self._draw(0, 8) - denominator)
        for size in sizes:
            luma = [self._draw(0, 2) for _ in range(size)]
            chroma = [self._draw(0, 2) * self.chroma for _ in range(size)]
            for flag in luma + chroma * self.chroma:
                bits.write(flag, 1)
            for has_luma, has_chroma in zip(luma, chroma):
                if has_luma:
                    bits.write_signed(self._draw(-128, 128))
                    bits.write_signed(self._draw(-128, 128))
                for _ in range(2 * has_chroma):
                    bits.write_signed(self._draw(-128, 128))
                    bits.write_signed(self._draw(-512, 512))
                self.made["weights"] += has_luma + has_chroma

    def _draw(self, least: int, end: int) -> int:
        return int(self._random.randint(least, end))

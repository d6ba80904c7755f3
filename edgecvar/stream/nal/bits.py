"""Reading single bits and Exp-Golomb codes from the front of a coded header."""

from __future__ import annotations


class HeaderEnded(Exception):
    """A header wants more bits than its bytes hold, or says what its standard does not have."""


class BitReader:
    """Reads a byte string most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    @property
    def left(self) -> int:
        return self._left

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned number."""
        if count > self._left:
            raise HeaderEnded(f"{count} bits wanted, {self._left} left")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.bits(1) == 1

    def skip(self, count: int) -> None:
        self.bits(count)

    def unsigned(self, most: int = (1 << 32) - 1) -> int:
        """One ue(v) code (H.264 section 9.1) of at most `most`; raises HeaderEnded."""
        rest = self._value & ((1 << self._left) - 1)
        zeros = self._left - rest.bit_length()
        if zeros > 32:
            raise HeaderEnded("an Exp-Golomb code longer than 32 bits")
        value = self.bits(2 * zeros + 1) - 1
        if value > most:
            raise HeaderEnded(f"{value} where the standard has at most {most}")
        return value

    def signed(self) -> int:
        """One se(v) code (H.264 section 9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)

"""Protocol buffers' wire format, as far as ONNX files use it: a device has no onnx package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Tuple, Union

Bytes = Union[bytes, memoryview]


@dataclass(frozen=True)
class Field:
    """A field of a message: its number, its content (a varint's too), and all its bytes with the tag."""

    number: int
    content: memoryview
    whole: memoryview

    @property
    def text(self) -> str:
        return bytes(self.content).decode("utf-8", "replace")


def read_fields(message: Bytes) -> Iterator[Field]:
    """The fields in their order, not copied; raises ValueError where the bytes are no message."""
    view = memoryview(message)
    at = 0
    while at < len(view):
        start = at
        tag, at = read_varint(view, at)
        begin, kind = at, tag & 7
        if kind == 2:
            length, begin = read_varint(view, at)
            at = begin + length
        elif kind == 0:
            _, at = read_varint(view, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"no wire type {kind}")
        if at > len(view):
            raise ValueError("a field is longer than the message")
        yield Field(tag >> 3, view[begin:at], view[start:at])


def read_varint(message: Bytes, at: int) -> Tuple[int, int]:
    """The number that begins at a byte, and where the next thing begins; raises ValueError."""
    value, shift = 0, 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("a number does not end")
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if not byte & 0x80:
            return value, at


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number that is not negative."""
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])

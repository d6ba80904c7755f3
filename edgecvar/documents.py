"""Documents from strangers: a file's text, and JSON, within bounds that are checked before anything uses them.

What is outside them is a ValueError that says in words what the document is instead.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, Dict, Hashable, Iterable, List, NoReturn, Optional, Set, Tuple

MEBIBYTE = 1 << 20
DEPTH = 64
"""Mappings and lists inside each other: ours have some six."""
DIGITS = 40
"""Of a whole number: Python takes time that grows with their square."""


def read_text(path: Path, limit: int = 16 * MEBIBYTE) -> str:
    """The UTF-8 text of a regular file of at most `limit` bytes; raises OSError and ValueError."""
    return as_text(read_document(path, limit))


def read_document(path: Path, limit: int = 16 * MEBIBYTE) -> bytes:
    """The bytes of a regular file of at most `limit`; raises OSError and ValueError.

    A device or a pipe is never read, nor waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        content: Optional[bytes] = file.read(limit + 1)
    if content is None:  # of the kernel's, such as /proc/kmsg, which waits as a pipe does
        raise ValueError("not a regular file")
    if len(content) > limit:
        raise ValueError(f"larger than {limit / MEBIBYTE:g} MiB")
    return content


def as_text(content: bytes) -> str:
    """Bytes as UTF-8 text, its lines ended in one way; raises ValueError."""
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from error


def parse_json(text: str) -> Any:
    """The value of a JSON text whose keys differ, whose numbers are finite and whose strings are Unicode.

    Raises ValueError.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_mapping,
            parse_constant=_no_number,
            parse_float=lambda number: finite(float(number), number),
            parse_int=whole,
        )
    except RecursionError:
        raise too_deep() from None
    _check_depth(value)
    if "\\u" in text:
        check_unicode(json.dumps(value, ensure_ascii=False))
    return value


def finite(value: float, text: str) -> float:
    """The number that `text` states; ValueError where it is none, or too large."""
    if not math.isfinite(value):
        raise ValueError(f"{text[:DIGITS]} is no number, or too large a one")
    return value


def whole(text: str) -> int:
    """The whole number that a text states; ValueError where it is too large."""
    check_digits(text)
    return int(text)


def check_digits(text: str) -> None:
    """ValueError for a whole number that takes too long to be read, however it is written."""
    if len(text) > DIGITS:
        raise ValueError(f"{text[:DIGITS]}... is too large a number")


def check_unicode(text: str) -> None:
    """ValueError where a half of a surrogate pair is in it, as of bytes that are no text: UTF-8 cannot say it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a character ({error.object[error.start]!a}) in a string") from error


def check_keys(keys: Iterable[Hashable]) -> None:
    """ValueError that names a key given twice."""
    seen: Set[Hashable] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"key {key!r} is given twice")
        seen.add(key)


def too_deep() -> ValueError:
    """The error for a document of more than DEPTH levels."""
    return ValueError(f"more than {DEPTH} mappings and lists inside each other")


def _mapping(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    check_keys(key for key, _ in pairs)
    return dict(pairs)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise too_deep()


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()

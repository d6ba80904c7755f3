"""Names of files as they may be written: a name is bytes, and may hold anything but a slash."""

from __future__ import annotations


def as_text(name: str) -> str:
    """The name for a document: bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """The text for a terminal: what could move its cursor or break the line is escaped, too."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)

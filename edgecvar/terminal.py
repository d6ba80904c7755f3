"""How text leaves the program: nothing in it moves a cursor, breaks a line, or cannot be encoded."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from contextlib import contextmanager
from typing import Any, Iterator, TextIO, Tuple


def printable(text: str) -> str:
    """The text for a person, on one line: control characters, bytes that are no UTF-8 and the like are escaped."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()


def json_line(document: Any) -> str:
    """The document for a program, on one line; bytes of a name that are no UTF-8 become text such as \\udcff."""
    text = json.dumps(document, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_json_escaped, text))


def _json_escaped(sign: str) -> str:
    if sign.isprintable():
        return sign
    # Half a surrogate pair, as Python has it in such names, is no JSON for many readers.
    lone = 0xD800 <= ord(sign) <= 0xDFFF
    return json.dumps(_escaped(sign) if lone else sign)[1:-1]


def say(text: str = "", err: bool = False) -> None:
    """One line to standard output, or standard error, whole also where several threads say something."""
    out: TextIO = sys.stderr if err else sys.stdout
    print(f"{printable(text)}\n", end="", file=out, flush=True)


def say_json(document: Any) -> None:
    """One document to standard output."""
    print(json_line(document), flush=True)


def settle_streams() -> None:
    """Standard streams that the program was started without lead nowhere; what one cannot encode is escaped."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # a file opened later would take its number, and be written to
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            if name != "stdin":
                setattr(sys, name, open(descriptor, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escape(error: UnicodeError) -> Tuple[str, int]:
    """As JSON has it, which people can read as well."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


_ESCAPED = "edgecvar.escaped"
codecs.register_error(_ESCAPED, _escape)


@contextmanager
def own_output() -> Iterator[TextIO]:
    """Standard output for what is written here alone: what libraries print there meanwhile goes to standard error.

    NVIDIA's decoders print to it, into what another program is to read. A terminal is left as it is.
    """
    out = sys.stdout
    try:
        descriptor = -1 if out.isatty() else out.fileno()
    except (OSError, ValueError):  # none of the system's
        descriptor = -1
    if descriptor < 0:
        yield out
        return
    out.flush()
    kept = os.dup(descriptor)
    os.dup2(2, descriptor)
    try:
        with open(os.dup(kept), "w", encoding=out.encoding, errors=out.errors, newline="\n") as mine:
            yield mine
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)

"""What a service does, a line each on standard error: when, how grave, what happened, and to what."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Literal, Optional, TextIO

from edgecvar.stream.sources.opening import without_password
from edgecvar.terminal import json_line, printable

Form = Literal["plain", "json"]
PRIORITY = {"info": "<6>", "warning": "<4>", "error": "<3>"}
"""By which journald knows how grave a line is (sd-daemon(3))."""


class Log:
    """Lines of key=value, or of JSON; from any thread. Passwords in URLs are never in them."""

    def __init__(self, form: Form = "plain", out: Optional[TextIO] = None, journal: bool = False) -> None:
        self.form = form
        self._out = sys.stderr if out is None else out
        self._journal = journal
        self._turn = threading.Lock()

    def info(self, event: str, **values: Any) -> None:
        self._write("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        self._write("warning", event, values)

    def error(self, event: str, **values: Any) -> None:
        self._write("error", event, values)

    def _write(self, level: str, event: str, values: Any) -> None:
        known = {key: _safe(value) for key, value in values.items() if value is not None}
        if self.form == "json":
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            line = json_line({"time": now, "level": level, "event": event, **known})
        else:
            pairs = [f"{key}={_quoted(value)}" for key, value in known.items()]
            shown = [] if self._journal else [datetime.now().astimezone().isoformat(timespec="milliseconds")]
            line = printable(" ".join([*shown, f"level={level}", f"event={_quoted(event)}", *pairs]))
        line = f"{PRIORITY[level]}{line}" if self._journal else line
        with self._turn, suppress(OSError, ValueError):  # nobody reads, which must end no stream
            self._out.write(line + "\n")
            self._out.flush()


def _safe(value: Any) -> Any:
    """As JSON has it, without passwords."""
    if isinstance(value, (bool, int)):
        return value
    return round(value, 6) if isinstance(value, float) else without_password(str(value))


def _quoted(value: Any) -> str:
    text = str(value)
    if text and not any(sign in text for sign in ' "=\\') and text.isprintable():
        return text
    return json_line(text)

"""Where a profiler listens: named spans of the one code path that runs and is measured."""

from __future__ import annotations

from contextlib import nullcontext
from typing import ContextManager, Optional, Protocol


class Clock(Protocol):
    """Times spans by name.

    Reader thread: "read" (every picture; headers, where pictures are parsed on demand), "trace" (every picture, where
    the spec accumulates), "parse" (sampled pictures), "prepare" (those; in the caller's thread where it
    had nothing to do). A thread of its own: "image" (I-pictures that are needed, decoded and prepared). Caller's
    thread: "stage:<name>", "decide".
    """

    def span(self, name: str, picture: Optional[int] = None) -> ContextManager[None]:
        """A context that lasts as long as the work called `name`; entered from several threads at a time.

        `picture`: decode index of the picture that it is for, where that is known when it begins.
        """
        ...


class NoClock:
    """Times nothing."""

    _nothing: ContextManager[None] = nullcontext()

    def span(self, name: str, picture: Optional[int] = None) -> ContextManager[None]:
        return self._nothing

"""Action recognition on compressed video: read the stream, train, compile, run and profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecvar.stream.reader import open_stream as open_stream

__version__ = "0.1.0"
__all__ = ["__version__", "open_stream"]


def __getattr__(name: str) -> Any:
    if name == "open_stream":
        from edgecvar.stream.reader import open_stream

        return open_stream
    raise AttributeError(f"module 'edgecvar' has no attribute {name!r}")

"""Tables and bars on a terminal."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.text import Text

from edgecvar.terminal import printable

PIPE_WIDTH = 200
"""Columns of what is no terminal: rows must not be folded there at a terminal's width."""


class Console(rich.console.Console):
    """rich's, for which a string is plain text, not markup; printed alone it is a line that the terminal may break."""

    def __init__(self, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width = PIPE_WIDTH

    def print(self, *objects: Any, **options: Any) -> None:
        options.setdefault("soft_wrap", all(isinstance(each, str) for each in objects))
        super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:  # type: ignore[override]
        """Where strings become what rich draws, in tables too."""
        return super().render_str(printable(text), **options)

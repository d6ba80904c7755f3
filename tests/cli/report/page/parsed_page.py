"""A page as a browser takes it apart: well formed, asking for nothing, running nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, Dict, List, Optional, Tuple

from edgecvar.cli.report.page.elements import VOID

Attributes = List[Tuple[str, Optional[str]]]


class ParsedPage(HTMLParser):
    """Raises AssertionError where a tag is not closed in its turn, or anything is loaded or run."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: List[Tuple[str, Dict[str, Any]]] = []
        self.texts: List[Tuple[str, str]] = []
        self._open: List[str] = []
        assert document.startswith("<!DOCTYPE html>")
        self.feed(document)
        self.close()
        assert self._open == []
        ids = [value for _, attributes in self.tags for name, value in attributes.items() if name == "id"]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        for name, value in attributes:
            assert not name.startswith("on"), f"<{tag} {name}> runs something"
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                assert re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", value or ""), (
                    f"<{tag} {name}={value}>"
                )
            if name == "style":
                assert re.fullmatch(r"(--share: \d\.\d\d|--wide: \d+rem|max-width: \d+rem)", value or ""), value
        assert tag not in ("script", "iframe", "object", "embed", "form", "base"), f"<{tag}>"
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            assert "url(" not in data and "@import" not in data
        if data.strip():
            self.texts.append((inside, data))

    @property
    def text(self) -> str:
        """All that is shown."""
        return "\n".join(data for inside, data in self.texts if inside != "style")

    def of(self, tag: str) -> List[str]:
        """The texts directly inside a tag."""
        return [data for inside, data in self.texts if inside == tag]

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.tags if name == tag)

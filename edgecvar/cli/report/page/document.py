"""A document that a browser shows by itself: one file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

from edgecvar.cli.report.page.elements import Markup, element
from edgecvar.cli.report.page.report import Fact
from edgecvar.cli.report.page.style import STYLE
from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Whatever a name holds, a browser loads nothing and runs nothing."""


def document(title: str, facts: Sequence[Fact], *content: Any, style: str = "") -> str:
    """The document: the title and the figures that matter most, then its content; `style` is said after STYLE."""
    header = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE + style)),
    )
    end = element("p", "Made by edgecvar. This page needs nothing beside it.", class_="faint")
    body = element("body", _head(title, facts), element("main", content, end))
    return f"<!DOCTYPE html>\n{element('html', header, body, lang='en')}\n"


def write_document(target: Path, text: str) -> None:
    """Write it, whole or not at all; raises ConfigError where it cannot be written."""
    try:
        with whole_file(target) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({reason(error)}); choose another place") from error


def _head(title: str, facts: Sequence[Fact]) -> Markup:
    shown = [
        element(
            "div",
            element("dt", fact.name),
            element("dd", fact.value, element("small", fact.note) if fact.note else None),
        )
        for fact in facts
    ]
    return element("header", element("h1", title), element("dl", shown, class_="facts"))

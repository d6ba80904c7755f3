"""Every message that docs/troubleshooting.md quotes stands in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import List, Set

import edgecvar

TOP = Path(__file__).resolve().parents[1]
PACKAGE = Path(edgecvar.__file__).parent
LEFT_OPEN = "…"
"""What differs from case to case, in the page and, for what is filled in, in the code's own texts."""


def quoted(page: str) -> List[str]:
    """The headings that are messages, without their backticks."""
    return [found[1].strip() for found in re.findall(r"^### (`+)(.+?)\1$", page, re.MULTILINE)]


def template(node: ast.AST) -> str:
    """A string of the code, what is filled in left open; of anything else nothing is known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return LEFT_OPEN


def texts() -> Set[str]:
    """Every string of the package, f-strings whole."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Constant, ast.JoinedStr)):
                found.add(template(node))
    return found - {LEFT_OPEN}


def stands_in(message: str, text: str) -> bool:
    """Whether a text of the code can have become the message: each part of it in its order."""
    parts = [part.strip() for part in message.split(LEFT_OPEN)]
    return re.search(".*".join(re.escape(part) for part in parts if part), text, re.DOTALL) is not None


def test_every_quoted_message_stands_in_the_code() -> None:
    messages, code = quoted((TOP / "docs" / "troubleshooting.md").read_text(encoding="utf-8")), texts()
    assert len(messages) > 40
    assert [each for each in messages if not any(stands_in(each, text) for text in code)] == []


def test_a_message_that_is_gone_is_missed() -> None:
    code = {template(ast.parse('f"{path}: no such {what}; give {other}"', mode="eval").body)}
    assert quoted("### `…: no such …; give …`\n### No message\n### ``a `b` ``\n") == ["…: no such …; give …", "a `b`"]
    assert any(stands_in("…: no such …; give …", text) for text in code)
    assert not any(stands_in("give …: no such", text) for text in code)


def test_a_quoted_message_is_long_enough_to_tell_by() -> None:
    messages = quoted((TOP / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))
    assert [each for each in messages if len(each.replace(LEFT_OPEN, "").strip()) < 12] == []

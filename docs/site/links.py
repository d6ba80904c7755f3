"""Links between the repository's documents as links between the site's pages."""

from __future__ import annotations

import posixpath
import re

BESIDE = {"jetson/README.md": "jetson.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Documents outside docs/ that are pages, too."""
PAGES = {**BESIDE, "README.md": "index.md"}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!#|[a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def relink(markdown: str, page: str) -> str:
    """A page's text, in which links lead to pages of the site; of what is none only the words stay."""
    document = {made: given for given, made in BESIDE.items()}.get(page, f"docs/{page}")

    def replaced(found: re.Match[str]) -> str:
        words, target, place = found[1], found[2], found[3] or ""
        there = posixpath.normpath(posixpath.join(posixpath.dirname(document), target))
        path = PAGES.get(there) or PAGES.get(f"{there}/README.md") or _inside(there)
        if path is None:
            return words
        return f"[{words}]({posixpath.relpath(path, posixpath.dirname(page) or '.')}{place})"

    return "".join(part if part.startswith("```") else LINK.sub(replaced, part) for part in FENCED.split(markdown))


def _inside(path: str) -> str | None:
    if not path.startswith("docs/"):
        return None
    return re.sub(r"\.ipynb$", ".md", path[len("docs/") :])

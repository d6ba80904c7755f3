"""HTML by construction: what is text is escaped, what was made here is not escaped again."""

from __future__ import annotations

import base64
import html
from typing import Any, Iterable, Optional, Sequence, Tuple

from edgecvar.terminal import printable

VOID = ("br", "col", "img", "link", "meta")
LONGEST = 96
"""Signs of a name that a page shows; class names and paths are a stranger's."""


class Markup(str):
    """Finished HTML."""


def element(tag: str, *children: Any, **attributes: Any) -> Markup:
    """An element; children are text, Markup, None (nothing) or iterables of these.

    Attributes are named as keywords can be: `class_`, `stroke_width`; those that are None are left out.
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(printable(str(value)))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Markup(f"<{tag}{shown}>")
    return Markup(f"<{tag}{shown}>{joined(*children)}</{tag}>")


def joined(*children: Any) -> Markup:
    """Children one after the other, escaped where they are text."""
    return Markup("".join(_inner(child) for child in children))


def text_lines(text: str) -> Markup:
    """Text of several lines, for <pre>: what moves a cursor or turns text round is shown as an escape."""
    return Markup("\n".join(html.escape(printable(line)) for line in text.split("\n")))


def short(name: str) -> str:
    """A name as long as a table has room for; of a longer one the middle is left out."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]} ... {name[-LONGEST // 3 :]}"


def percent(part: Optional[float]) -> str:
    """A part as a page writes it."""
    return "-" if part is None else f"{part:.1%}"


def section(title: str, *children: Any) -> Markup:
    """A part of the page under its heading."""
    return element("section", element("h2", title), *children)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], names: Sequence[int]) -> Markup:
    """A table that scrolls sideways where it is too wide; columns `names` hold text, the others figures."""
    looks = ["name" if place in names else None for place in range(len(heads))]
    head = element("tr", [element("th", text, class_=look, scope="col") for text, look in zip(heads, looks)])
    body = [element("tr", [element("td", text, class_=look) for text, look in zip(row, looks)]) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="scroll")


def plain_list(pairs: Sequence[Tuple[str, str]]) -> Markup:
    """Names and what they are."""
    return element("dl", [joined(element("dt", name), element("dd", value)) for name, value in pairs], class_="plain")


def image(data: bytes, text: str, look: Optional[str] = None, kind: str = "jpeg") -> Markup:
    """A picture inside the page; `text` says what is in it to who cannot see it."""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return element("img", src=source, alt=text, class_=look, loading="lazy")


def _inner(child: Any) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Iterable) and not isinstance(child, (str, bytes)):
        return joined(*child)
    return html.escape(printable(str(child)))

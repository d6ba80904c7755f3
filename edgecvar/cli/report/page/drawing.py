"""Parts of a drawing in SVG, whose text is text."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from edgecvar.cli.report.page.elements import Markup, element


def svg(title: str, size: Tuple[float, float], *parts: Any, look: Optional[str] = None) -> Markup:
    """A drawing (width, height) that `title` says to who cannot see it."""
    box = f"0 0 {size[0]:g} {size[1]:g}"
    return element("svg", element("title", title), parts, viewBox=box, role="img", aria_label=title, class_=look)


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    """A straight line from (x1, y1) to (x2, y2)."""
    return element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=look)


def text_at(x: float, y: float, text: str, look: str = "", anchor: Optional[str] = None) -> Markup:
    """Text whose base line begins at (x, y), has its middle there or ends there."""
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", class_=look or None, text_anchor=anchor)


def rectangle(x: float, y: float, width: float, height: float, *inside: Any, **attributes: Any) -> Markup:
    """One whose upper left corner is (x, y); `inside` may be a title."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{max(width, 0.0):.1f}", "height": f"{height:.1f}"}
    return element("rect", *inside, **place, **attributes)

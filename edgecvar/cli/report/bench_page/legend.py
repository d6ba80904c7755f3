"""Colours by kind, with a legend that wraps where a drawing would not."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping

from edgecvar.bench.summary import ORDER
from edgecvar.cli.report.bench_page.style import COLOURS
from edgecvar.cli.report.page.elements import Markup, element, short

NAMED = 40
"""Kinds that a legend names; the others are counted."""


def span_colours(names: Iterable[str]) -> Dict[str, int]:
    """A colour for every span's name, in the order of the data; stages keep their own order."""
    known = [name for name in ORDER if name not in ("stage", "decode", "scale")]
    found = list(dict.fromkeys(names))
    first = [name for name in known if name in found]
    rest = [name for name in found if name not in known]
    colours = {name: known.index(name) for name in first}
    colours.update({name: len(known) + number % (COLOURS - len(known)) for number, name in enumerate(rest)})
    return colours


def legend(colours: Mapping[str, int]) -> Markup:
    """Names beside their colours."""
    items: List[Markup] = [
        element("li", element("i", class_=f"c-{colour}"), short(name)) for name, colour in list(colours.items())[:NAMED]
    ]
    if len(colours) > NAMED:
        items.append(element("li", f"and {len(colours) - NAMED} more"))
    return element("ul", items, class_="legend")

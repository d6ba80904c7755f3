"""What the page of a measurement adds to the look of any page."""

from __future__ import annotations

COLOURS = 12
"""That are told apart; more kinds share them."""

_FILLS = (
    "4e79a7",
    "9c755f",
    "3f9b94",
    "59a14f",
    "b07aa1",
    "8a8f96",
    "f28e2b",
    "e15759",
    "c9a227",
    "d37295",
    "6b8e23",
    "2f4b7c",
)

BENCH_STYLE = (
    "".join(f".c-{number} {{ fill: #{fill}; background: #{fill}; }}\n" for number, fill in enumerate(_FILLS))
    + "".join(f".line-{number} {{ stroke: #{fill}; }}\n" for number, fill in enumerate(_FILLS))
    + """
svg.drawn { width: var(--wide); }
svg.drawn text { font-size: 13px; }
svg.drawn text.small { font-size: 11.5px; }
svg.drawn text.strong { font-weight: 650; }
svg.drawn text.figure { font-size: 17px; font-weight: 650; }
svg.drawn text.halo { paint-order: stroke; stroke: var(--back); stroke-width: 4px; stroke-linejoin: round; }
svg rect.box { fill: var(--raised); stroke: var(--line); stroke-width: 1; }
svg rect.held { stroke: var(--second); stroke-width: 3; }
svg rect.filled { fill: var(--first); }
svg text.held { fill: var(--second); font-weight: 650; }
svg text.predicted { fill: var(--first); }
svg path.edge { fill: none; stroke: var(--faint); stroke-width: 1.5; }
svg polygon.head { fill: var(--faint); }
svg polyline.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .roof { fill: none; stroke: var(--text); stroke-width: 2; }
svg .dot { stroke: var(--back); stroke-width: 1; fill-opacity: 0.8; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; margin: 0.4rem 0;
  max-width: none; font-size: 0.9rem; }
.legend li { overflow-wrap: anywhere; }
.legend i { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 0.15rem; margin-right: 0.4rem; }
.legend svg { display: inline-block; width: 0.9rem; height: 0.9rem; margin-right: 0.35rem; vertical-align: -0.1rem; }
.note { border-left: 4px solid var(--second); background: var(--raised); padding: 0.5rem 0.8rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
h3 { margin-top: 1.25rem; }
main th.name, main td.name { min-width: 9.5rem; }
details td.name { min-width: 12rem; }
details > .scroll, details > details { margin-top: 0.4rem; }
summary { overflow-wrap: anywhere; }
"""
)

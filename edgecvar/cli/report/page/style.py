"""How the page looks: in light, in dark, on a phone, on paper."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --back: #ffffff; --raised: #f5f6f8; --text: #1c2128; --faint: #59636e; --line: #d5dae0;
  --first: #0b6bb8; --second: #b3510a; --good: #1a7f37; --grid: #e4e8ec;
  --right: 26, 127, 55; --wrong: 188, 76, 0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12161c; --raised: #1b2129; --text: #e3e8ee; --faint: #9aa5b1; --line: #343d48;
    --first: #6cb6ff; --second: #f0a35e; --good: #57c46f; --grid: #2a323c;
    --right: 63, 185, 80; --wrong: 240, 136, 62;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.25rem; max-width: 62rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 0.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
p, li { max-width: 46rem; }
p { margin: 0.4rem 0; }
.faint, figcaption { color: var(--faint); font-size: 0.9rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 0; }
.facts div { background: var(--raised); border-radius: 0.5rem; padding: 0.6rem 0.9rem; flex: 1 1 9rem; }
.facts dt { color: var(--faint); font-size: 0.85rem; }
.facts dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.facts dd small { display: block; font-size: 0.8rem; font-weight: 400; color: var(--faint); }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; }
.pair > figure { flex: 1 1 20rem; }
figure { margin: 0.5rem 0; min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding: 0.25rem 0; }
th, td { padding: 0.25rem 0.6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { font-weight: 600; }
th.name, td.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 6rem; }
.matrix th, .matrix td { padding: 0.25rem 0.4rem; min-width: 2rem; text-align: center; }
.matrix th.name { text-align: left; min-width: 7rem; }
.matrix td.none { color: var(--faint); }
.right { background: rgba(var(--right), var(--share)); }
.wrong { background: rgba(var(--wrong), var(--share)); }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--text); font-size: 13px; }
svg .tick { fill: var(--faint); }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .axis { stroke: var(--faint); stroke-width: 1; }
svg .mark { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg text.mark-text { fill: var(--good); }
svg .chance { stroke: var(--faint); stroke-width: 1.5; stroke-dasharray: 2 4; }
svg .first, svg .second { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
svg .first { stroke: var(--first); }
svg .second { stroke: var(--second); stroke-dasharray: 8 4; }
svg circle.first { fill: var(--first); }
svg circle.second { fill: var(--second); }
svg text.first { fill: var(--first); stroke: none; font-weight: 600; }
svg text.second { fill: var(--second); stroke: none; font-weight: 600; }
svg rect.bar { fill: var(--first); fill-opacity: 0.55; stroke: var(--first); stroke-width: 1; }
.large-matrix { width: 100%; max-width: 36rem; image-rendering: pixelated; border: 1px solid var(--line); }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: 1rem; }
.clips article { background: var(--raised); border-radius: 0.5rem; padding: 0.75rem; min-width: 0; }
.clips .strip { display: flex; gap: 0.4rem; }
.clips .strip figure { flex: 1 1 0; margin: 0.25rem 0; }
.clips img { width: 100%; height: auto; border-radius: 0.25rem; display: block; }
pre { background: var(--raised); border-radius: 0.5rem; padding: 0.75rem; overflow-x: auto; font-size: 0.85rem; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; }
dl.plain { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; font-size: 0.9rem; }
dl.plain dt { color: var(--faint); }
dl.plain dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 32rem) { body { padding: 0.9rem; } svg text { font-size: 15px; } }
@media print { body { max-width: none; } details > * { display: block; } }
"""

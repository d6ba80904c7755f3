"""When each span of the first second was, a lane a thread."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from edgecvar.bench.observed import Moment
from edgecvar.cli.report.bench_page.amounts import figure
from edgecvar.cli.report.bench_page.flow_picture import sized
from edgecvar.cli.report.bench_page.legend import legend, span_colours
from edgecvar.cli.report.page.charts import number_axis
from edgecvar.cli.report.page.drawing import line, rectangle, svg, text_at
from edgecvar.cli.report.page.elements import Markup, element, section, short

LONGEST_MS = 1000.0
DRAWN = 1500
"""Spans at most; where a second has more, less of it is drawn."""
LANES = 16
"""Threads at most, the busiest first."""
LANE, LABEL = 24, 20
NARROWEST, WIDEST = 920, 3200
"""Pixels across; the more spans, the wider."""
SPAN_WIDTH = 9
SCREEN = 600
"""Pixels that have a few ticks."""


def timeline_section(moments: Sequence[Moment]) -> Markup:
    """The drawing, its legend, and how much of the run it is."""
    begin = min(each.start_ms for each in moments)
    shown = sorted((each for each in moments if each.start_ms - begin < LONGEST_MS), key=lambda each: each.start_ms)
    shown = shown[:DRAWN]
    span_ms = max(max(each.start_ms + each.ms for each in shown) - begin, 1e-3)
    lanes: Dict[str, List[Moment]] = {}
    for each in shown:
        lanes.setdefault(each.thread, []).append(each)
    threads = sorted(lanes, key=lambda name: -sum(each.ms for each in lanes[name]))[:LANES]
    kept = [thread for thread in lanes if thread in threads]
    colours = span_colours(each.name for each in shown)
    text = f"The first {figure(span_ms)} ms of the run, a lane a thread: {len(shown)} spans, {_streams(shown)}"
    text += "what runs at the same time lies below each other."
    left = len(lanes) - len(kept)
    return section(
        "Timeline",
        element("p", text + (f" {left} threads that did less are left out." if left else "")),
        legend(colours),
        element("div", _drawing({name: lanes[name] for name in kept}, colours, begin, span_ms), class_="scroll"),
    )


def _streams(moments: Sequence[Moment]) -> str:
    streams = {each.stream for each in moments if each.stream}
    return f"of {len(streams)} streams; " if len(streams) > 1 else ""


def _drawing(lanes: Mapping[str, Sequence[Moment]], colours: Mapping[str, int], begin: float, span_ms: float) -> Markup:
    most = max(len(lane) for lane in lanes.values())
    wide = min(WIDEST, max(NARROWEST, SPAN_WIDTH * most))
    tall = len(lanes) * (LANE + LABEL)
    per_ms = wide / span_ms
    ticks = _ticks(span_ms, wide)
    parts = [line(4 + value * per_ms, 4, 4 + value * per_ms, tall + 8, "grid") for value in ticks]
    for number, (thread, lane) in enumerate(lanes.items()):
        y = 4 + number * (LANE + LABEL)
        parts.append(text_at(4, y + LABEL - 6, short(thread), "tick small"))
        parts += [
            rectangle(
                4 + (each.start_ms - begin) * per_ms,
                y + LABEL,
                max(each.ms * per_ms, 0.8),
                LANE - 4,
                element("title", _said(each, begin)),
                class_=f"c-{colours[each.name]}",
            )
            for each in lane
        ]
    parts += [text_at(4 + value * per_ms, tall + 24, f"{value:.4g} ms", "tick small") for value in ticks]
    size = (wide + 60, tall + 32)
    return sized(svg("Spans of the run by thread", size, parts, look="drawn"), size[0])


def _ticks(span_ms: float, wide: float) -> List[float]:
    """Round milliseconds, some of them on any screen however wide the drawing is."""
    first = number_axis("", [0.0, span_ms * min(1.0, SCREEN / wide)]).ticks
    step = first[1] - first[0]
    return [number * step for number in range(int(span_ms / step + 1e-9) + 1)]


def _said(moment: Moment, begin: float) -> str:
    picture = "" if moment.picture is None else f", picture {moment.picture}"
    stream = f", {moment.stream}" if moment.stream else ""
    return f"{moment.name}: {figure(moment.ms)} ms at {figure(moment.start_ms - begin)} ms{picture}{stream}"

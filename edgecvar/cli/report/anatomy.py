"""What a video's bitstream is made of, as lines or a document."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import groupby
from typing import Any, Dict, Iterator, List, Tuple

from rich.text import Text

from edgecvar.console import Console
from edgecvar.stream.anatomy import Anatomy
from edgecvar.stream.types import StreamSummary

STRIP_LINES, STRIP_WIDTH = 16, 72
"""Lines of the strip and pictures in one, at most; what is left out is said."""

COLOURS = {"I": "bold white on red", "P": "black on cyan", "B": "black on bright_black"}


Fact = Tuple[str, str]
"""Its name, and what is said of it."""


def anatomy_document(anatomy: Anatomy) -> Dict[str, Any]:
    """As plain data."""
    document = asdict(anatomy)
    document["info"]["fps"] = float(anatomy.info.fps)
    document["info"]["time_base"] = str(anatomy.info.time_base)
    return document


def print_anatomy(path: str, anatomy: Anatomy, console: Console) -> None:
    """A line a fact, then the strip of GOPs in display order."""
    console.print(path, style="bold")
    for name, text in [*_stream_facts(anatomy), *_content_facts(anatomy), *_losses(anatomy.summary)]:
        console.print(f"{name:>11}  {text}")
    console.print(f"{'first':>11}  {'long':>4}  GOPs in display order")
    _print_strip(anatomy.kinds, console)


def _stream_facts(anatomy: Anatomy) -> Iterator[Fact]:
    info = anatomy.info
    size = f"{info.width} x {info.height}"
    if (info.coded_width, info.coded_height) != (info.width, info.height):
        size += f" (coded {info.coded_width} x {info.coded_height})"
    turned = f", turned {info.rotation} degrees" if info.rotation else ""
    yield "codec", f"{info.codec}, {size}{turned}"
    yield "rate", f"{float(info.fps):.5g} pictures/s, {anatomy.seconds:.2f} s from first to last picture"
    yield "extraction", f"{info.extraction}: {info.extraction_note}" if info.extraction_note else info.extraction
    yield "pictures", ", ".join(f"{count} {kind}" for kind, count in anatomy.counts.items()) + _key_note(anatomy)
    yield "GOP", _gop_note(anatomy.gop_lengths)


def _content_facts(anatomy: Anatomy) -> Iterator[Fact]:
    if anatomy.motion is not None:
        m = anatomy.motion
        exact = f"references exact in {m.exact:.0%} of {m.pictures} P and B pictures"
        yield "vectors", f"mean {m.mean_speed:.2f}, p99 {m.p99_speed:.2f} pixels a frame; {exact}"
        lists = f"{m.backward:.1%} from the future, {m.bipredicted:.1%} bi-predicted, {m.weighted:.1%} weighted"
        yield "blocks", f"{m.intra:.1%} intra, {m.still:.1%} still, {lists}"
    if anatomy.residual is not None:
        r = anatomy.residual
        sizes = f"mean |r| {r.mean_absolute:.2f}, largest {r.largest}"
        yield "residual", f"{r.zero:.1%} of samples zero, {sizes} ({r.pictures} sampled)"
    if anatomy.residual_note:
        yield "residual", anatomy.residual_note


def _losses(summary: StreamSummary) -> Iterator[Fact]:
    yield "skipped", _counted(summary.skipped, summary.reasons)
    if summary.hidden:
        yield "hidden", f"{summary.hidden} by an edit list or the stream"
    if summary.other_layers:
        yield "left out", f"{summary.other_layers} NAL units of other layers than the base one"
    if summary.breaks:
        yield "breaks", _counted(sum(summary.breaks.values()), summary.breaks)
    if summary.damaged:
        yield "damaged", _counted(summary.damaged, summary.damage)


def _counted(number: int, reasons: Dict[str, int]) -> str:
    return f"{number}" + "".join(f"; {n} x {why}" for why, n in reasons.items())


def _key_note(anatomy: Anatomy) -> str:
    return f"; {anatomy.keyframes} key pictures" if anatomy.keyframes != anatomy.counts["I"] else ""


def _gop_note(lengths: List[int]) -> str:
    if not lengths:
        return "none"
    if len(lengths) == 1:
        return f"one, {lengths[0]} pictures"
    ordered = sorted(lengths)
    if ordered[0] == ordered[-1]:
        return f"{len(lengths)} of {ordered[0]} pictures"
    return f"{len(lengths)}, {ordered[0]} to {ordered[-1]} pictures, median {ordered[len(ordered) // 2]}"


def _print_strip(kinds: str, console: Console) -> None:
    """A line for each GOP, or for several alike: number of the first picture, pictures, pattern in display order."""
    gops = re.findall("I[^I]*|^[^I]+", kinds)
    lines, start = [], 0
    for pattern, alike in groupby(gops):
        times = len(list(alike))
        lines.append((start, pattern, times))
        start += times * len(pattern)
    for start, pattern, times in lines[:STRIP_LINES]:
        strip = Text(f"{start:>11}  {len(pattern):>4}  ")
        for kind in _short(pattern):
            strip.append(kind, COLOURS.get(kind, ""))
        console.print(strip.append(f"  {times} times" if times > 1 else ""), soft_wrap=True)
    left = lines[STRIP_LINES:]
    if left:
        lengths, gops_left = [len(pattern) for _, pattern, _ in left], sum(times for _, _, times in left)
        console.print(f"{'...':>11}        {gops_left} more, of {min(lengths)} to {max(lengths)} pictures")


def _short(pattern: str) -> str:
    """The pattern itself, or where no line holds it its period with how often that comes: I (BBP) x 83."""
    if len(pattern) <= STRIP_WIDTH:
        return pattern
    rest = pattern[1:]
    for period in range(1, 17):
        unit, times = rest[:period], len(rest) // period
        if unit * times == rest[: times * period]:
            return f"{pattern[0]} ({unit}) x {times} {rest[times * period :]}".rstrip()
    return pattern[:STRIP_WIDTH] + "..."

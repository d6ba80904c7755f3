"""What a video's bitstream is made of, as lines or a document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, List

from rich.text import Text

from edgecvar.console import Console
from edgecvar.stream.anatomy import Anatomy

STRIP_LIMIT = 2000
"""Pictures that the strip draws at most; a longer stream is cut, and says so."""

COLOURS = {"I": "bold white on red", "P": "black on cyan", "B": "black on bright_black"}


def anatomy_document(anatomy: Anatomy) -> Dict[str, Any]:
    """As plain data."""
    document = asdict(anatomy)
    document["info"]["fps"] = float(anatomy.info.fps)
    document["info"]["time_base"] = str(anatomy.info.time_base)
    return document


def print_anatomy(path: str, anatomy: Anatomy, console: Console) -> None:
    """A line a fact, then the strip of pictures in display order."""
    info, summary = anatomy.info, anatomy.summary
    console.print(path, style="bold")
    size = f"{info.width} x {info.height}"
    if (info.coded_width, info.coded_height) != (info.width, info.height):
        size += f" (coded {info.coded_width} x {info.coded_height})"
    turned = f", turned {info.rotation} degrees" if info.rotation else ""
    rows = [
        ("codec", f"{info.codec}, {size}{turned}"),
        ("rate", f"{float(info.fps):.5g} pictures/s, {anatomy.seconds:.2f} s from first to last picture"),
        ("extraction", f"{info.extraction}: {info.extraction_note}" if info.extraction_note else info.extraction),
        ("pictures", ", ".join(f"{count} {kind}" for kind, count in anatomy.counts.items()) + _key_note(anatomy)),
        ("GOP", _gop_note(anatomy.gop_lengths)),
    ]
    if anatomy.motion is not None:
        m = anatomy.motion
        rows += [
            ("vectors", f"mean {m.mean_speed:.2f}, p99 {m.p99_speed:.2f} pixels a frame; references exact in "
             f"{m.exact:.0%} of {m.pictures} P and B pictures"),
            ("blocks", f"{m.intra:.1%} intra, {m.still:.1%} still, {m.backward:.1%} from the future, "
             f"{m.bipredicted:.1%} bi-predicted, {m.weighted:.1%} weighted"),
        ]  # fmt: skip
    if anatomy.residual is not None:
        r = anatomy.residual
        rows.append(
            ("residual", f"{r.zero:.1%} of samples zero, mean |r| {r.mean_absolute:.2f}, largest {r.largest} "
             f"({r.pictures} pictures sampled)")
        )  # fmt: skip
    if anatomy.residual_note:
        rows.append(("residual", anatomy.residual_note))
    rows.append(("skipped", _counted(summary.skipped, summary.reasons)))
    if summary.hidden:
        rows.append(("hidden", f"{summary.hidden} by an edit list"))
    if summary.breaks:
        rows.append(("breaks", _counted(sum(summary.breaks.values()), summary.breaks)))
    if summary.damaged:
        rows.append(("damaged", _counted(summary.damaged, summary.damage)))
    for name, text in rows:
        console.print(f"{name:>11}  {text}")
    _print_strip(anatomy.kinds, console)


def _counted(number: int, reasons: Dict[str, int]) -> str:
    return f"{number}" + "".join(f"; {n} x {why}" for why, n in reasons.items())


def _key_note(anatomy: Anatomy) -> str:
    return f"; {anatomy.keyframes} key pictures" if anatomy.keyframes != anatomy.counts["I"] else ""


def _gop_note(lengths: List[int]) -> str:
    if len(lengths) == 1:
        return f"one, {lengths[0]} pictures"
    ordered = sorted(lengths)
    return f"{len(lengths)}, {ordered[0]} to {ordered[-1]} pictures, median {ordered[len(ordered) // 2]}"


def _print_strip(kinds: str, console: Console) -> None:
    strip = Text()
    for kind in kinds[:STRIP_LIMIT]:
        strip.append(kind, COLOURS[kind])
    console.print(strip, soft_wrap=not console.is_terminal)
    if len(kinds) > STRIP_LIMIT:
        console.print(f"... and {len(kinds) - STRIP_LIMIT} more")

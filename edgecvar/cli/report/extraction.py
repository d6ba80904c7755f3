"""How a comparison of ways to get vectors is shown: a table for people, a document for machines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Set

from rich.table import Table

from edgecvar.bench.extract_session import (
    BASES,
    DECODE,
    EXPORTED,
    IMAGES,
    LARGE,
    MV_EXTRACTOR,
    NATIVE,
    RESIDUALS,
    Across,
    ClipTimes,
    ExtractSession,
    summarise_extract,
)
from edgecvar.console import Console

CODECS = {"h264": "H.264", "hevc": "HEVC"}
TITLES = {
    NATIVE: "native: vectors",
    RESIDUALS: "native: and residuals",
    IMAGES: "native: and I images",
    EXPORTED: "PyAV exported vectors",
    DECODE: "PyAV decode alone",
    MV_EXTRACTOR: "mv-extractor",
}


def extract_document(session: ExtractSession) -> Dict[str, Any]:
    """Every round of every file, its rates and ratios, and what the files say together, ready for JSON."""
    document = session.model_dump()
    for entry, clip in zip(document["clips"], session.clips):
        entry["pictures_per_cpu_second"] = {way: clip.rate(way) for way in clip.cpu_seconds}
        entry["ratio"] = {way: clip.ratio(way) for way in clip.cpu_seconds}
        entry["threads_ratio"] = clip.gains()
        entry["ratio_of_rounds"] = {way: clip.ratios(way) for way in clip.cpu_seconds}
        entry["ratio_to"] = clip.base
    document["summary"] = {codec: asdict(summary) for codec, summary in summarise_extract(session).items()}
    return document


def print_extract(session: ExtractSession, console: Console) -> None:
    """Draws the table, and says what was measured how."""
    limit = f"{session.rounds} rounds, at most {session.picture_limit} pictures a file"
    console.print(f"pictures a second of CPU time on one thread; medians of {limit}", style="bold")
    console.print("machine: " + ", ".join(f"{key} {value}" for key, value in session.machine.items()))
    console.print(_table(session))
    for line in [*_smallest(session), *_threads(session), *_damage(session), *_left_out(session), *_meanings(session)]:
        console.print(line)


def _table(session: ExtractSession) -> Table:
    ways = [way for way in session.ways if any(way in clip.given for clip in session.clips)]
    table = Table()
    table.add_column("clip", overflow="fold")
    for column in ("size", "profile"):
        table.add_column(column)
    for column in ("pictures", "P and B"):
        table.add_column(column, justify="right")
    for way in ways:
        table.add_column(TITLES[way], justify="right")
    for clip in session.clips:
        cells = (_cell(clip, way) for way in ways)
        profile = clip.profile if clip.codec == "h264" else f"{CODECS[clip.codec]} {clip.profile}"
        size = f"{clip.width}x{clip.height}"
        table.add_row(Path(clip.path).name, size, profile, str(clip.pictures), str(clip.inter), *cells)
    for codec, summary in summarise_extract(session).items():
        for name, across in (("median", summary.all), (f"median, {LARGE}p and larger", summary.large)):
            if across:
                table.add_section()
                files = next(iter(across.values())).files
                ratios = (f"{across[way].median:.2f} x" if way in across else "" for way in ways)
                title = f"{CODECS[codec]}, {name}"
                table.add_row(title, f"{files} file{'s' * (files > 1)}", "", "", "", *ratios)
    return table


def _cell(clip: ClipTimes, way: str) -> str:
    rate, ratio = clip.rate(way), clip.ratio(way)
    if rate is None or ratio is None:
        return "-"
    return f"{rate:.0f}" if way == clip.base else f"{rate:.0f}  {ratio:.2f} x"


def _smallest(session: ExtractSession) -> List[str]:
    lines = []
    for codec, summary in summarise_extract(session).items():
        for way in (NATIVE, RESIDUALS):
            if way in summary.all:
                line = f"smallest ratio of {CODECS[codec]}, {TITLES[way]}: {_where(summary.all[way])}"
                if way in summary.large:
                    line += f"; {LARGE}p and larger: {_where(summary.large[way])}"
                lines.append(line)
    return lines


def _where(across: Across) -> str:
    return f"{across.smallest:.2f} x ({across.smallest_path})"


def _threads(session: ExtractSession) -> List[str]:
    return [
        f"{clip.path}: parsed on {threads} threads {gain:.2f} x as fast as on one, by the clock on the wall"
        for clip in session.clips
        for threads, gain in clip.gains().items()
    ]


def _damage(session: ExtractSession) -> List[str]:
    lines = []
    for clip in session.clips:
        notes = [f"{clip.damaged} damaged"] if clip.damaged else []
        decoded = clip.given[clip.base]
        if decoded != clip.pictures:
            notes.append(f"PyAV gave {decoded}")
        if notes:
            lines.append(f"{clip.path}: of {clip.pictures} pictures {', '.join(notes)}")
    return lines


def _left_out(session: ExtractSession) -> List[str]:
    return [f"left out: {entry.path}: {entry.reason}" for entry in session.left_out]


def _meanings(session: ExtractSession) -> List[str]:
    bases = [(CODECS[codec], TITLES[base]) for codec, base in BASES.items() if codec in _codecs(session)]
    lines = [
        f"x: the median of the rounds' ratios to {', '.join(f'{base} ({codec})' for codec, base in bases)}; the rounds "
        "take the ways in turn, each on the same packets in memory, opening not counted",
        "native leaves the pixels of I-pictures undecoded"
        + (
            "; I images are decoded where the column says so, as RGB, beside the vectors"
            if IMAGES in session.ways
            else ": --images adds a column with them"
        )
        + "; PyAV decodes every picture whole, and exported vectors are turned into an array each",
    ]
    if "hevc" in _codecs(session):
        lines.append(
            "HEVC: FFmpeg exports no vectors of it; PyAV decode alone gives pictures, neither vectors nor residuals"
        )
    if MV_EXTRACTOR in session.ways:
        lines.append(
            "mv-extractor opens and demuxes the file itself, with threads of its own: their CPU time is added up; "
            "its conversion to BGR is left out where it can be"
        )
    lines += [f"{TITLES[way]}: {reason}" for way, reason in session.absent.items()]
    return lines


def _codecs(session: ExtractSession) -> Set[str]:
    return {clip.codec for clip in session.clips}

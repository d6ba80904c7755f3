"""How the preparing of a data set is shown: lines for people, documents for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, Sequence

from edgecvar.datasets.journal import MANIFEST
from edgecvar.datasets.papers import PAPERS
from edgecvar.datasets.preparation import Plan, Request, Result
from edgecvar.datasets.sources import LeftOut
from edgecvar.terminal import say

SHOWN = 5
"""Clips that are named; the others are counted."""


def plan_document(plan: Plan) -> Dict[str, Any]:
    """As plain data: what would be done."""
    return {
        "folder": str(plan.request.folder),
        "settings": dict(plan.settings),
        "todo": [{"source": job.source.name, "output": job.source.output} for job in plan.todo],
        "kept": [clip.output for clip in plan.kept],
        "gone": [clip.output for clip in plan.gone],
        "left_out": [asdict(each) for each in plan.left_out],
    }


def result_document(request: Request, result: Result) -> Dict[str, Any]:
    """As plain data; the clips themselves are in the manifest."""
    return {
        "folder": str(request.folder),
        "as": request.settings.paper,
        "manifest": str(request.folder / MANIFEST) if result.clips else None,
        "clips": len(result.clips),
        "done": result.done,
        "gone": result.gone,
        "pictures": sum(clip.pictures for clip in result.clips),
        "bytes": sum(clip.stamp.bytes for clip in result.clips),
        "repeated": sum(clip.repeated for clip in result.clips),
        "dropped": sum(clip.dropped for clip in result.clips),
        "damaged": sum(bool(clip.lost) for clip in result.clips),
        "left_out": [asdict(each) for each in result.left_out],
    }


def print_plan(plan: Plan) -> None:
    """What would be done, with the first clips by name."""
    request = plan.request
    say(f"{request.folder}: {PAPERS[request.settings.paper].words}, at {_rate(request)}")
    say(f"{len(plan.todo)} clips to prepare, {len(plan.kept)} there already, {len(plan.left_out)} left out")
    for job in plan.todo[:SHOWN]:
        cut = "" if job.source.stretch is None else f", {job.source.stretch[0]} to {job.source.stretch[1]} s"
        say(f"  {job.source.name}{cut} -> {job.source.output}")
    if len(plan.todo) > SHOWN:
        say(f"  and {len(plan.todo) - SHOWN} more")
    _print_left_out(plan.left_out)


def print_result(request: Request, result: Result) -> None:
    """What is in the folder now, and what is not."""
    pictures = sum(clip.pictures for clip in result.clips)
    there = len(result.clips) - result.done
    say(
        f"{request.folder}: {len(result.clips)} clips, {pictures} pictures ({result.done} clips prepared now, {there} "
        f"there already), {PAPERS[request.settings.paper].words}"
    )
    if result.gone:
        say(f"{result.gone} clips stay whose sources are not in {request.data} any more")
    damaged = [clip for clip in result.clips if clip.lost]
    if damaged:
        lost = sum(sum(clip.lost.values()) for clip in damaged)
        say(f"{len(damaged)} clips have damage, {lost} times in all: {_some([clip.source for clip in damaged])}")
    uneven = [clip for clip in result.clips if clip.repeated or clip.dropped]
    if uneven:
        repeated, dropped = (sum(getattr(clip, name) for clip in uneven) for name in ("repeated", "dropped"))
        say(f"{len(uneven)} clips had times unlike their rate: {repeated} pictures repeated, {dropped} dropped")
    _print_left_out(result.left_out)
    if result.clips:
        say(f"listed in {request.folder / MANIFEST}")


def _rate(request: Request) -> str:
    fps = request.settings.fps
    return "the rate of each source" if fps is None else f"{fps} pictures a second"


def _print_left_out(left_out: Sequence[LeftOut]) -> None:
    for each in left_out[:SHOWN]:
        say(f"left out: {each.name}: {each.reason}")
    if len(left_out) > SHOWN:
        say(f"left out: and {len(left_out) - SHOWN} more")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

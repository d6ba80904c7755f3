"""The clips of a run, listed, read and reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from edgecvar.bundle.stages import takes_frames
from edgecvar.errors import DatasetError
from edgecvar.nets.catalog import network_stages
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.labels import LabelledClip, count_by_label, load_split
from edgecvar.train.data.store import ClipStore, ScanReport
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe


@dataclass(frozen=True)
class Clips:
    """The readable clips of a run, where their values are kept and, if a loss asks for it, their optical flow."""

    labels: List[str]
    train: List[LabelledClip]
    validation: List[LabelledClip]
    store: ClipStore
    report: ScanReport
    flow: Optional[FlowCache] = None


def read_clips(recipe: Recipe, listener: Listener, with_flow: bool = False) -> Clips:
    """List and read the clips of a recipe; raises DatasetError."""
    split = load_split(recipe)
    if split.missing:
        listener.say(f"{split.missing} clips of the official lists are not in {recipe.data}: left out")
    frames = takes_frames(network_stages(recipe.model, recipe.network, recipe.input))
    store = ClipStore(recipe.input, int(recipe.cache_gib * 2**30), frames)
    everything = [*split.train, *split.validation]
    listener.begin("reading clips", len(everything))
    try:
        readable, report = store.scan(
            everything, workers=recipe.workers, skip_unreadable=recipe.skip_unreadable, on_clip=listener.step
        )
    finally:
        listener.end()
    known = set(readable)
    train = [clip for clip in split.train if clip in known]
    validation = [clip for clip in split.validation if clip in known]
    _check_every_class(recipe, train, split.labels)
    flow = None
    if with_flow:
        flow = _flow_cache(recipe)
        indices = {clip.path: store.index(clip.path) for clip in train}
        report.unreadable += flow.fill(indices, recipe.workers, recipe.skip_unreadable, listener)
        train = [clip for clip in train if clip.path in flow]
        _check_every_class(recipe, train, split.labels)
    for line in [*report.unreadable, *report.damaged]:
        listener.say(line)
    kept = f"{report.kept} of {len(readable)} kept in {report.kept_bytes / 2**20:.0f} MiB"
    listener.say(f"{len(split.labels)} classes, {len(train)} clips train, {len(validation)} validate; {kept}")
    return Clips(split.labels, train, validation, store, report, flow)


def _check_every_class(recipe: Recipe, train: Sequence[LabelledClip], labels: Sequence[str]) -> None:
    for label, count in count_by_label(train, labels):
        if count == 0:
            raise DatasetError(f"{recipe.data}: no readable clip of class {label!r} is left to train on")


def _flow_cache(recipe: Recipe) -> FlowCache:
    data = Path(recipe.data)
    beside = (data if data.is_dir() else data.parent) / ".flow"
    return FlowCache(recipe.flow, beside if recipe.flow.cache is None else Path(recipe.flow.cache))

"""The clips of a run, listed, read and reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.labelled import Clip
from edgecvar.errors import DatasetError
from edgecvar.nets.catalog import network_stages
from edgecvar.train.advice.before import cautions
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.near_repeats import near_repeats
from edgecvar.train.data.repeats import check_repeats
from edgecvar.train.data.store import ClipStore, ScanReport
from edgecvar.train.parts import Architecture, Data, Machine
from edgecvar.train.progress import Listener


@dataclass(frozen=True)
class Clips:
    """The readable clips of a run, where their values are kept and, if a loss asks for it, their optical flow."""

    labels: List[str]
    train: List[Clip]
    validation: List[Clip]
    store: ClipStore
    report: ScanReport
    flow: Optional[FlowCache] = None


def read_clips(
    data: Data, network: Architecture, machine: Machine, listener: Listener, with_flow: bool = False
) -> Clips:
    """List and read the clips of a recipe; raises DatasetError."""
    split = load_split(data)
    if split.missing:
        listener.say(f"{split.missing} clips of the official lists are not in {data.source}: left out")
    if not data.allow_repeats:
        check_repeats(split, data.source)
    flow = _flow_cache(data) if with_flow else None
    frames = takes_frames(network_stages(network.model, network.options, network.input))
    store = ClipStore(network.input, int(machine.cache_gib * 2**30), frames)
    everything = [*split.train, *split.validation]
    with listener.phase("reading clips", len(everything)):
        readable, report = store.scan(
            everything, workers=machine.workers, skip_unreadable=data.skip_unreadable, on_clip=listener.step
        )
    intact = set(readable)
    train = [clip for clip in split.train if clip in intact]
    validation = [clip for clip in split.validation if clip in intact]
    _check_every_class(data, train, split.labels)
    if flow is not None:
        indices = {clip.path: store.index(clip.path) for clip in train}
        report.unreadable += flow.fill(indices, machine.workers, data.skip_unreadable, listener)
        train = [clip for clip in train if clip.path in flow]
        _check_every_class(data, train, split.labels)
    for line in [*report.unreadable, *report.damaged]:
        listener.say(line)
    if report.unreadable:
        listener.say(f"warning: {len(report.unreadable)} of {len(everything)} clips cannot be used and are left out")
    alike = near_repeats(report.looks, (clip.path for clip in train), (clip.path for clip in validation))
    for line in cautions(split, train, validation, alike):
        listener.say(line)
    memory = f"{report.kept} of {len(readable)} kept in {report.kept_bytes / 2**20:.0f} MiB"
    listener.say(f"{len(split.labels)} classes, {len(train)} clips train, {len(validation)} validate; {memory}")
    return Clips(split.labels, train, validation, store, report, flow)


def _check_every_class(data: Data, train: Sequence[Clip], labels: Sequence[str]) -> None:
    learnt = {clip.label for clip in train}
    for label in labels:
        if label not in learnt:
            raise DatasetError(f"{data.source}: no readable clip of class {label!r} is left to train on")


def _flow_cache(data: Data) -> FlowCache:
    source = Path(data.source)
    beside = (source if source.is_dir() else source.parent) / ".flow"
    return FlowCache(data.flow, beside if data.flow.cache is None else Path(data.flow.cache))

"""The clips of a run, listed, read and reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Collection, Dict, List, Mapping, Optional, Sequence

from edgecvar.clips.gop import pictures_of_parts
from edgecvar.clips.labelled import Clip, chance_level
from edgecvar.clips.spec import PREPARED
from edgecvar.errors import DatasetError
from edgecvar.nets.catalog import network_outline
from edgecvar.train.advice.before import cautions
from edgecvar.train.augment.reencoded import ReencodedClips
from edgecvar.train.augment.settings import Reencode
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.near_repeats import near_repeats
from edgecvar.train.data.repeats import check_repeats
from edgecvar.train.data.splits import Split
from edgecvar.train.data.store import ClipStore, ScanReport
from edgecvar.train.parts import Architecture, Data, Machine
from edgecvar.train.progress import Listener


@dataclass(frozen=True)
class Clips:
    """The readable clips of a run, where their values are kept and, if a loss asks for it, their optical flow.

    `variants`: by a training clip's path, other encodings of it, which the store knows too; they count with it as one.
    `sources`: the prepared inputs that the network takes. `sees_flow`: whether it takes optical flow too, so that clips
    that validate have theirs.
    """

    labels: List[str]
    train: List[Clip]
    validation: List[Clip]
    store: ClipStore
    report: ScanReport
    flow: Optional[FlowCache] = None
    variants: Mapping[Path, Sequence[Path]] = field(default_factory=dict)
    sources: Collection[str] = PREPARED
    sees_flow: bool = False

    @property
    def chance(self) -> float:
        """The chance level of the clips that validate, or without any of those that train."""
        return chance_level(Counter(clip.label for clip in self.validation or self.train).values()) or 0.0


def read_clips(
    data: Data,
    network: Architecture,
    machine: Machine,
    listener: Listener,
    with_flow: bool = False,
    reencode: Optional[Reencode] = None,
) -> Clips:
    """List and read the clips of a recipe, and their variants where they are asked for; raises DatasetError.

    `with_flow`: the training clips have their optical flow even if the network itself looks at none.
    """
    split = load_split(data)
    if split.missing:
        listener.say(f"{split.missing} clips of the official lists are not in {data.source}: left out")
    if not data.allow_repeats:
        check_repeats(split, data.source)
    outline = network_outline(network.model, network.options, network.input)
    flow = flow_cache(data) if with_flow or outline.sees_flow else None
    reencoded = None if reencode is None else _reencoded_clips(data, reencode)
    sources = outline.prepared_inputs()
    store = ClipStore(network.input, int(machine.cache_gib * 2**30), sources)
    everything = [*split.train, *split.validation]
    with listener.phase("reading clips", len(everything)):
        readable, report = store.scan(
            everything, workers=machine.workers, skip_unreadable=data.skip_unreadable, on_clip=listener.step
        )
    intact = set(readable)
    train = [clip for clip in split.train if clip in intact]
    validation = [clip for clip in split.validation if clip in intact]
    _check_every_class(data, train, split.labels)
    variants = {} if reencoded is None else _read_variants(reencoded, train, store, machine.workers, listener)
    if flow is not None:
        seen = [*train, *(validation if outline.sees_flow else ())]
        originals = {clip.path: store.index(clip.path) for clip in seen}
        report.unreadable += flow.fill(originals, machine.workers, data.skip_unreadable, listener)
        train = [clip for clip in train if clip.path in flow]
        validation = [clip for clip in validation if clip.path in flow or not outline.sees_flow]
        _check_every_class(data, train, split.labels)
        variants = _with_flow(flow, variants, store, machine.workers, listener)
    clips = Clips(split.labels, train, validation, store, report, flow, variants, sources, outline.sees_flow)
    _tell(split, clips, len(readable), listener)
    return clips


def _tell(split: Split, clips: Clips, readable: int, listener: Listener) -> None:
    """What was found wrong, what is doubtful, and what there is."""
    report, everything = clips.report, len(split.train) + len(split.validation)
    for line in [*report.unreadable, *report.damaged]:
        listener.say(line)
    if report.unreadable:
        listener.say(f"warning: {len(report.unreadable)} of {everything} clips cannot be used and are left out")
    train, validation = clips.train, clips.validation
    alike = near_repeats(report.looks, (clip.path for clip in train), (clip.path for clip in validation))
    for line in cautions(split, train, validation, alike):
        listener.say(line)
    memory = f"{report.kept} of {readable} kept in {report.kept_bytes / 2**20:.0f} MiB"
    listener.say(f"{len(split.labels)} classes, {len(train)} clips train, {len(validation)} validate; {memory}")


def tell_breaks(clips: Clips, listener: Listener) -> None:
    """How much a recipe that samples streams leaves out: of a clip that breaks all but its longest part."""
    parts = [pictures_of_parts(clips.store.index(clip.path).windows) for clip in [*clips.train, *clips.validation]]
    broken = [list(counts.values()) for counts in parts if len(counts) > 1]
    if broken:
        left = sum(sum(counts) - max(counts) for counts in broken)
        listener.say(
            f"warning: {len(broken)} clips have a break in them, after which nothing is remembered: of each the "
            f"longest part is looked at, and {left} of {sum(map(sum, broken))} pictures are left out"
        )


def _with_flow(
    flow: FlowCache, variants: Mapping[Path, Sequence[Path]], store: ClipStore, workers: int, listener: Listener
) -> Dict[Path, List[Path]]:
    """The variants whose optical flow can be computed; the others are told and left out, as the originals are there."""
    indices = {file: store.index(file) for files in variants.values() for file in files}
    for line in flow.fill(indices, workers, True, listener) if indices else ():
        listener.say(line)
    return {path: [file for file in files if file in flow] for path, files in variants.items()}


def _read_variants(
    reencoded: ReencodedClips, train: Sequence[Clip], store: ClipStore, workers: int, listener: Listener
) -> Dict[Path, List[Path]]:
    """Other encodings of training clips, by the path of the original; those that give nothing to sample are told."""
    indices = {clip.path: store.index(clip.path) for clip in train}
    variants, left_out = reencoded.fill(indices, workers, listener)
    files = [Clip(file, clip.label) for clip in train for file in variants.get(clip.path, ())]
    with listener.phase("reading variants", len(files)):
        readable, report = store.scan(files, workers=workers, skip_unreadable=True, on_clip=listener.step)
    intact = {clip.path for clip in readable}
    for line in [*left_out, *report.unreadable]:
        listener.say(line)
    memory = f"{report.kept} of {len(readable)} kept in {report.kept_bytes / 2**20:.0f} MiB"
    listener.say(f"{len(variants)} of {len(train)} clips in other encodings too; {memory}")
    return {path: [file for file in several if file in intact] for path, several in variants.items()}


def _check_every_class(data: Data, train: Sequence[Clip], labels: Sequence[str]) -> None:
    learnt = {clip.label for clip in train}
    for label in labels:
        if label not in learnt:
            raise DatasetError(f"{data.source}: no readable clip of class {label!r} is left to train on")


def flow_cache(data: Data) -> FlowCache:
    """Where the optical flow of a data set's clips is kept; raises ConfigError as FlowCache does."""
    return FlowCache(data.flow, _kept_at(data, ".flow", data.flow.cache))


def _reencoded_clips(data: Data, reencode: Reencode) -> ReencodedClips:
    return ReencodedClips(reencode, _kept_at(data, ".reencoded", reencode.cache))


def _kept_at(data: Data, hidden: str, cache: Optional[str]) -> Path:
    """The folder that a recipe names, else a hidden one beside the clips."""
    source = Path(data.source)
    return (source if source.is_dir() else source.parent) / hidden if cache is None else Path(cache)

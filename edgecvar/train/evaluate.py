"""A checkpoint measured as papers do: many pictures, clips, crops and mirror images of each video, scores averaged."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Callable, Collection, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch

from edgecvar.clips.gop import pictures_of_parts
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.clips.prepare import Preparer, View, centre_view
from edgecvar.clips.sampling import Sample, running_samples, stretch
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.errors import ConfigError, DatasetError, EdgecvarError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import find_entry
from edgecvar.nets.coviar import LateFused
from edgecvar.nets.network import Network
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.looks import CORNERS
from edgecvar.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from edgecvar.train.data.batches import Batches, collate, fixed_samples, of_length, prepare_recorded, with_flow
from edgecvar.train.data.dataset import Clips, flow_cache
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.parts import Data, Machine, Views
from edgecvar.train.protocols import protocols
from edgecvar.train.recipe import Recipe, first_outside, parse_recipe
from edgecvar.train.settings import TestProtocol

SETTABLE = (
    *("test", "data", "validation", "validation_pattern", "split", "split_by", "validation_fraction", "split_seed"),
    *("flow.cache", "device", "threads", "workers"),
)
"""Keys of a checkpoint's recipe that say how it is tested and on what; the others made it what it is."""

CROPS = {1: CORNERS[:1], 3: ((0, 0), (0, -1), (0, 1)), 5: CORNERS}
"""(down, right) of each crop: the centre, with left and right, with the four corners."""


Prepared = Union[List[List[ClipBatch]], EdgecvarError]
"""What each test looks at of a clip, or why it cannot be read."""


def open_checkpoint(path: Path, overrides: Sequence[str] = ()) -> Tuple[Checkpoint, Recipe]:
    """The checkpoint of a run folder (its best) or file, and its recipe with overrides; raises ConfigError."""
    file = path / BEST if path.is_dir() else path
    checkpoint = load_checkpoint(file)
    wrong = first_outside(overrides, SETTABLE)
    if wrong is not None:
        raise ConfigError(f"{wrong!r}: a checkpoint keeps its recipe; only {', '.join(SETTABLE)} may be set")
    return checkpoint, parse_recipe(checkpoint.recipe, overrides, str(file))


def held_out(checkpoint: Checkpoint, data: Data, run: Optional[Path] = None) -> List[Clip]:
    """The clips that validate in the checkpoint's recipe; raises DatasetError where there are none.

    Also where they are drawn, and the draw from what is there now has some that `run`, its folder, trained on.
    """
    split = load_split(data)
    if data.is_drawn and run is not None and (run / LAST).is_file():
        trained = set((load_checkpoint(run / LAST).training or {}).get("clips", ()))
        known = [clip for clip in split.validation if f"{clip.label}/{clip.path.name}" in trained]
        if known:
            raise DatasetError(
                f"{data.source}: it has other clips than {run} was trained on, and of those that would be drawn to "
                f"validate it trained on {len(known)} ({known[0].path}); name a folder of clips that it has not seen"
            )
    if not split.validation:
        raise DatasetError(f"{data.source}: no clip validates in this recipe; name a folder of clips")
    if sorted(split.labels) != sorted(checkpoint.labels):
        raise DatasetError(f"{data.source}: {len(split.labels)} classes, not those that the checkpoint was trained on")
    return split.validation


def regions(info: StreamInfo, spec: InputSpec, protocol: TestProtocol) -> List[View]:
    """The regions that a test looks at: crops of the central view's size, each perhaps mirrored too."""
    centre = centre_view(info, spec)
    room = (1 - centre.height) / 2, (1 - centre.width) / 2
    crops = [
        replace(centre, top=room[0] * (1 + down), left=room[1] * (1 + right)) for down, right in CROPS[protocol.crops]
    ]
    return [replace(crop, flip=flip) for crop in crops for flip in ((False, True) if protocol.flip else (False,))]


def score_checkpoint(
    checkpoint: Checkpoint, views: Views, machine: Machine, clips: Sequence[Clip], data: Optional[Data] = None
) -> Iterator[ClipScore]:
    """The scores of every clip in turn, by the recipe's `test`; raises ConfigError for a protocol it cannot run.

    `data`: the recipe's, which says how optical flow is computed and where it is kept, for a network that looks at it.
    """
    segments, fixed = views.test_segments, checkpoint.network.get("segments")
    if fixed is not None and segments != fixed and not find_entry(checkpoint.model).any_length:
        raise ConfigError(f"test.segments={segments}, but {checkpoint.model} looks at clips of {fixed} pictures")
    network = checkpoint.build()
    tests = protocols(network, views, checkpoint.model)
    device = machine.torch_device()
    network.to(device)
    assert data is not None or not network.sees_flow, "a network that looks at flow is tested with its recipe's data"
    flow = flow_cache(data) if data is not None and network.sees_flow else None
    reader = _Reader(checkpoint.input, [test for test, _ in tests], network.prepared_inputs(), flow)
    for clip, looks in _prepared(clips, reader, max(1, machine.workers)):
        if isinstance(looks, EdgecvarError):
            yield ClipScore(clip, None, str(looks))
            continue
        with torch.inference_mode():
            mean = _scores(network, [streams for _, streams in tests], looks, device).numpy()
        if not np.isfinite(mean).all():
            raise ConfigError(f"{clip.path}: the network gives NaN or infinity; test another checkpoint")
        yield ClipScore(clip, mean)


def _scores(
    network: Network, streams: Sequence[Tuple[str, ...]], looks: Sequence[Sequence[ClipBatch]], device: torch.device
) -> torch.Tensor:
    """A clip's scores (classes,): the mean over all that was looked at, by each stream of a test of its own."""
    if isinstance(network, LateFused) and any(streams):
        each = {
            name: _mean(batches, partial(network.stream_scores, name), device)
            for names, batches in zip(streams, looks)
            for name in names
        }
        fused: torch.Tensor = network.fuse(*(each[name].to(device) for name in network.streams))
        return fused.cpu()
    (batches,) = looks
    return _mean(batches, network, device)


def _mean(views: Sequence[ClipBatch], score: Callable[[ClipBatch], torch.Tensor], device: torch.device) -> torch.Tensor:
    """The mean (classes,) over all views, and in each over all pictures of its clips, of which each has its own."""
    means = []
    for batch in views:
        scores, lengths = score(batch.to(device)).double().cpu(), batch.lengths
        means.append(scores.mean(0) if lengths is None else (scores * lengths[:, None]).sum(0) / lengths.sum())
    return torch.stack(means).mean(0)


def validation_scores(network: Network, recipe: Recipe, clips: Clips) -> Iterator[ClipScore]:
    """The clips that validate in a run, seen as its validation sees them: top-1 is that of the epoch it was."""
    device = recipe.machine.torch_device()
    network.to(device).eval()
    names = iter(clips.validation)
    with closing(Batches(recipe.views, recipe.network.input, clips, recipe.machine.workers).validation()) as batches:
        for batch in batches:
            with torch.inference_mode():
                scores = network(batch.to(device)).double().cpu().numpy()
            for row in scores:
                yield ClipScore(next(names), row)


def clip_batches(
    clip: RecordedClip,
    spec: InputSpec,
    views: Views,
    sources: Collection[str] = PREPARED,
    flow: Optional[Tuple[FlowCache, Path]] = None,
) -> List[ClipBatch]:
    """One batch of `test.clips` clips, of those sources, for each region of a video that the test looks at.

    `flow`: where the optical flow of the clip is, and by which path, if it is wanted too.
    """
    batches, sampled = [], _sampled(clip, spec, views)
    for view in regions(clip.info, spec, views.test):
        preparer = Preparer(clip.info, spec, view)
        clips = [prepare_recorded(clip, samples, preparer, sources) for samples in sampled]
        if flow is not None:
            cache, path = flow
            clips = [
                with_flow(prepared, path, samples, cache, clip.display, preparer)
                for prepared, samples in zip(clips, sampled)
            ]
        clips = [of_length(each, views.test_segments, views.sampling) for each in clips]
        batches.append(collate(clips, [0] * len(clips)))
    return batches


def _sampled(clip: RecordedClip, spec: InputSpec, views: Views) -> List[List[Sample]]:
    """The samples of each clip of a video that is looked at; of a stream those of each part, as a run takes them."""
    if views.sampling.name != "stream":
        places = [(number + 0.5) / views.test.clips for number in range(views.test.clips)]
        return [fixed_samples(clip, spec, views.test_segments, views.test_sampling, within) for within in places]
    stride, left = spec.every(clip.info.fps), views.test_segments
    parts = []
    for part in pictures_of_parts(clip.windows):
        samples = stretch(running_samples(clip.windows, clip.display, stride, clip.hidden, part), left)
        left -= len(samples)
        parts.append(samples)
    return [samples for samples in parts if samples]


@dataclass(frozen=True)
class _Reader:
    """Reads a video and prepares what each test looks at; what cannot be read is its error."""

    spec: InputSpec
    tests: Sequence[Views]
    sources: Collection[str]
    flow: Optional[FlowCache] = None

    def __call__(self, path: Path) -> Prepared:
        try:
            clip = read_clip(path, self.spec, self.sources)
            if self.flow is not None:
                self.flow.add(path, ClipIndex.of(clip))
            flow = None if self.flow is None else (self.flow, path)
            return [clip_batches(clip, self.spec, views, self.sources, flow) for views in self.tests]
        except EdgecvarError as error:
            return error


def _prepared(clips: Sequence[Clip], reader: _Reader, workers: int) -> Iterator[Tuple[Clip, Prepared]]:
    """Each clip with its batches, or the error that reading it gave, read ahead on threads."""
    waiting: List[Tuple[Clip, Future[Prepared]]] = []
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            for clip in clips:
                waiting.append((clip, pool.submit(reader, clip.path)))
                if len(waiting) > workers:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            for each, future in waiting:
                yield each, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

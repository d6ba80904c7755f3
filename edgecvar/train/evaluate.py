"""A checkpoint measured as papers do: many pictures, clips, crops and mirror images of each video, scores averaged."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Collection, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch

from edgecvar.bundle.stages import prepared_sources
from edgecvar.clips.gop import pictures_of_parts
from edgecvar.clips.labelled import Clip, ClipScore
from edgecvar.clips.prepare import Preparer, View, centre_view
from edgecvar.clips.sampling import Sample, running_samples, stretch
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.errors import ConfigError, DatasetError, EdgecvarError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import find_entry
from edgecvar.nets.network import Network
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.looks import CORNERS
from edgecvar.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from edgecvar.train.data.batches import Batches, collate, fixed_samples, of_length, prepare_recorded
from edgecvar.train.data.dataset import Clips
from edgecvar.train.data.labels import load_split
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.parts import Data, Machine, Views
from edgecvar.train.recipe import Recipe, first_outside, parse_recipe
from edgecvar.train.settings import TestProtocol

SETTABLE = (
    *("test", "data", "validation", "validation_pattern", "split", "split_by", "validation_fraction", "split_seed"),
    *("device", "threads", "workers"),
)
"""Keys of a checkpoint's recipe that say how it is tested and on what; the others made it what it is."""

CROPS = {1: CORNERS[:1], 3: ((0, 0), (0, -1), (0, 1)), 5: CORNERS}
"""(down, right) of each crop: the centre, with left and right, with the four corners."""


Prepared = Union[List[ClipBatch], EdgecvarError]
"""What a test looks at of a clip, or why it cannot be read."""


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
    checkpoint: Checkpoint, views: Views, machine: Machine, clips: Sequence[Clip]
) -> Iterator[ClipScore]:
    """The scores of every clip in turn, by the recipe's `test`; raises ConfigError for a protocol it cannot run."""
    if views.sampling.name == "stream" and views.test.clips > 1:
        raise ConfigError(
            f"test.clips={views.test.clips}: with sampling=stream a clip is looked at once, from its start"
        )
    segments, fixed = views.test_segments, checkpoint.network.get("segments")
    if fixed is not None and segments != fixed and not find_entry(checkpoint.model).any_length:
        raise ConfigError(f"test.segments={segments}, but {checkpoint.model} looks at clips of {fixed} pictures")
    network = checkpoint.build()
    device = machine.torch_device()
    network.to(device)
    reader = _Reader(checkpoint.input, views, prepared_sources(network.stages()))
    for clip, batches in _prepared(clips, reader, max(1, machine.workers)):
        if isinstance(batches, EdgecvarError):
            yield ClipScore(clip, None, str(batches))
            continue
        with torch.inference_mode():
            scores = [_mean(network(batch.to(device)).double().cpu(), batch.lengths) for batch in batches]
        mean = torch.stack(scores).mean(0).numpy()
        if not np.isfinite(mean).all():
            raise ConfigError(f"{clip.path}: the network gives NaN or infinity; test another checkpoint")
        yield ClipScore(clip, mean)


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
    clip: RecordedClip, spec: InputSpec, views: Views, sources: Collection[str] = PREPARED
) -> List[ClipBatch]:
    """One batch of `test.clips` clips, of those sources, for each region of a video that the test looks at."""
    batches, sampled = [], _sampled(clip, spec, views)
    for view in regions(clip.info, spec, views.test):
        preparer = Preparer(clip.info, spec, view)
        clips = [prepare_recorded(clip, samples, preparer, sources) for samples in sampled]
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


def _mean(scores: torch.Tensor, lengths: Optional[torch.Tensor]) -> torch.Tensor:
    """The mean over all pictures from those (N, classes) over the `lengths` (N,) of them that each clip has."""
    return scores.mean(0) if lengths is None else (scores * lengths[:, None]).sum(0) / lengths.sum()


@dataclass(frozen=True)
class _Reader:
    """Reads a video and prepares what a test looks at; what cannot be read is its error."""

    spec: InputSpec
    views: Views
    sources: Collection[str]

    def __call__(self, path: Path) -> Prepared:
        try:
            clip = read_clip(path, self.spec, self.sources)
            return clip_batches(clip, self.spec, self.views, self.sources)
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

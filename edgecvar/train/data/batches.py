"""Clips to batches: sampled, looked at, prepared, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Collection, Deque, Dict, Generator, List, Optional, Sequence, Tuple, Union, cast

import numpy as np
import torch

from edgecvar.clips.gop import longest_part
from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import Sample, centre_segments, dense_segments, running_samples, stretch
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.nets.batch import ClipBatch
from edgecvar.train.augment.looks import ORDER, Look, Looks, generator
from edgecvar.train.data.balance import balanced_order
from edgecvar.train.data.dataset import Clips
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.prepared import Array, PreparedClip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.data.store import ClipStore
from edgecvar.train.parts import Views
from edgecvar.train.settings import SamplingSettings

Job = Tuple[int, Clip]
"""A clip and its number among the run's clips, or past them where it comes again: its random generator's."""


def fixed_samples(
    clip: Union[ClipIndex, RecordedClip],
    spec: InputSpec,
    segments: int,
    sampling: SamplingSettings,
    within: float = 0.5,
) -> List[Sample]:
    """The samples of validation and tests, the same on every call; `within`: see clips.sampling.

    Of a short clip they may be fewer, see `of_length`. Of a stream they are those of its longest part without a break:
    what remembers begins anew after each.
    """
    windows = clip.windows
    if sampling.name == "stream":
        stride, part = spec.every(clip.info.fps), longest_part(windows)
        return stretch(running_samples(windows, clip.display, stride, clip.hidden, part), segments)
    if sampling.name == "dense":
        return dense_segments(windows, segments, sampling.span, within, sampling.short == "again")
    return centre_segments(windows, segments, within)


def of_length(clip: PreparedClip, segments: int, sampling: SamplingSettings) -> PreparedClip:
    """The clip over and over, so many segments in all, where a short one is to be shown so."""
    return clip.repeated(segments) if (sampling.name, sampling.short) == ("dense", "again") else clip


def prepare_clip(
    store: ClipStore,
    clip: Clip,
    samples: Sequence[Sample],
    preparer: Preparer,
    flow: Optional[FlowCache] = None,
    sources: Collection[str] = PREPARED,
) -> PreparedClip:
    """Those inputs of a clip's samples, in display order; an I-picture that several of them show is prepared once."""
    pictures = {sample.picture for sample in samples}
    if "image" in sources:
        pictures |= {index for sample in samples for index in (sample.appearance, sample.adjacent)}
    prepared = prepare_recorded(store.clip(clip.path, pictures), samples, preparer, sources)
    if flow is None:
        return prepared
    return with_flow(prepared, clip.path, samples, flow, store.index(clip.path).display, preparer)


def with_flow(
    prepared: PreparedClip,
    path: Path,
    samples: Sequence[Sample],
    flow: FlowCache,
    display: Sequence[int],
    preparer: Preparer,
) -> PreparedClip:
    """The clip at `path`, prepared from those samples, with their optical flow; `display`: as of RecordedClip."""
    samples = in_display_order(samples, display)
    fields = flow.fields(path, [display[sample.picture] for sample in samples])
    return replace(prepared, flow=np.stack([preparer.flow(field) for field in fields]))


def in_display_order(samples: Sequence[Sample], display: Sequence[int]) -> List[Sample]:
    """The samples as time goes, which decoding does not with B-pictures; `display`: as of RecordedClip."""
    return sorted(samples, key=lambda sample: display[sample.picture])


def prepare_recorded(
    recorded: RecordedClip, samples: Sequence[Sample], preparer: Preparer, sources: Collection[str] = PREPARED
) -> PreparedClip:
    """As `prepare_clip`, of a clip that has been read, without optical flow."""
    samples = in_display_order(samples, recorded.display)
    images: Dict[int, Array] = {}
    for sample in samples if "image" in sources else ():
        for index in (sample.appearance, sample.adjacent):
            if index not in images:
                images[index] = preparer.image(recorded.images[index])
    values = [recorded.values[sample.picture] for sample in samples]
    frames = [preparer.image(recorded.frames[sample.picture].unpack()) for sample in samples if recorded.frames]
    return PreparedClip(
        np.stack([images[sample.appearance] for sample in samples]) if images else None,
        np.stack([images[sample.adjacent] for sample in samples]) if images else None,
        np.stack([preparer.motion(cast(Array, value.velocity.unpack())) for value in values]),
        np.stack([preparer.residual(value.residual()) for value in values]) if "residual" in sources else None,
        frame=np.stack(frames) if frames else None,
        intra=np.stack([preparer.intra(value.mask()) for value in values]) if "intra" in sources else None,
    )


def collate(clips: Sequence[PreparedClip], labels: Sequence[int]) -> ClipBatch:
    """N clips as one batch, of as many segments as the longest has; the shorter ones go on from their beginnings."""
    lengths = [len(clip.motion) for clip in clips]
    clips = [clip.repeated(max(lengths)) for clip in clips]
    motion = torch.from_numpy(np.stack([clip.motion for clip in clips]))
    # What the network does not take is there for its shape alone, and takes no memory.
    nothing = torch.zeros(()).expand(*motion.shape[:2], 3, *motion.shape[3:])
    names = ("image", "adjacent", "residual", "flow", "frame", "intra")
    whole = (_together([getattr(clip, name) for clip in clips]) for name in names)
    image, adjacent, residual, flow, frame, intra = whole
    return ClipBatch(
        nothing if image is None else image,
        nothing if adjacent is None else adjacent,
        motion,
        nothing if residual is None else residual,
        torch.tensor(list(labels), dtype=torch.int64),
        flow,
        frame,
        intra,
        torch.tensor(lengths) if min(lengths) < max(lengths) else None,
    )


def _together(values: Sequence[Optional[Array]]) -> Optional[torch.Tensor]:
    """(N, ...) of what each of N clips has; None where they have none."""
    there = [value for value in values if value is not None]
    return torch.from_numpy(np.stack(there)) if there else None


def _even_groups(jobs: Sequence[Job], batch: int) -> List[Sequence[Job]]:
    """As few groups of at most `batch` as will do, their sizes differing by one at most.

    A last batch of one clip that stands still has no variance, and batch norm's gradient then explodes.
    """
    count = -(-len(jobs) // batch)
    edges = [number * len(jobs) // count for number in range(count + 1)]
    return [jobs[start:end] for start, end in zip(edges, edges[1:])]


def _part(jobs: Sequence[Job], number: int, count: int) -> Sequence[Job]:
    """The n-th of as many even parts."""
    return jobs[number * len(jobs) // count : (number + 1) * len(jobs) // count]


class Batches:
    """Training and validation batches of a run's clips, the next ones prepared on threads while torch works.

    `workers`: how many threads; with 0 each batch is prepared when it is asked for. Flow goes to training batches, and
    to those that validate where the network itself looks at it.
    `share`: (n, N), where N processes share each batch and this is the n-th, from 0; of a small one it may have none.
    """

    def __init__(
        self, views: Views, spec: InputSpec, clips: Clips, workers: int = 0, share: Tuple[int, int] = (0, 1)
    ) -> None:
        self._views, self._spec, self._clips, self._workers, self._share = views, spec, clips, workers, share
        self._looks = Looks(views, spec, clips)
        self._numbers = {label: number for number, label in enumerate(clips.labels)}

    def training(self, epoch: int) -> Generator[ClipBatch, None, None]:
        """One epoch's batches, every clip once unless classes are balanced, shuffled and sampled by (seed, epoch)."""
        return self._prefetched(self._epoch_jobs(epoch), epoch)

    def _epoch_jobs(self, epoch: int) -> List[Job]:
        clips, rng = self._clips.train, generator(self._views.seed, epoch, ORDER)
        if self._views.balance != "sampling":
            return [(int(number), clips[int(number)]) for number in rng.permutation(len(clips))]
        jobs, times = [], [0] * len(clips)
        for number in balanced_order([self._numbers[clip.label] for clip in clips], rng):
            # A clip that comes again has a number of its own, and with it other pictures and another view.
            jobs.append((int(number) + times[number] * len(clips), clips[number]))
            times[number] += 1
        return jobs

    def validation(self) -> Generator[ClipBatch, None, None]:
        """The validation batches, the same each time."""
        return self._prefetched(list(enumerate(self._clips.validation)), None)

    def _prefetched(self, jobs: Sequence[Job], epoch: Optional[int]) -> Generator[ClipBatch, None, None]:
        groups = [mine for group in _even_groups(jobs, self._views.batch) if (mine := _part(group, *self._share))]
        if self._workers == 0:
            for group in groups:
                yield self._batch(group, epoch)
            return
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="prepare")
        waiting: Deque[Future[ClipBatch]] = deque()
        try:
            for group in groups:
                waiting.append(pool.submit(self._batch, group, epoch))
                if len(waiting) > self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, jobs: Sequence[Job], epoch: Optional[int]) -> ClipBatch:
        if epoch is None:
            return collate([self._fixed(clip) for _, clip in jobs], [self._numbers[clip.label] for _, clip in jobs])
        looks = [self._looks.draw(epoch, number, clip) for number, clip in jobs]
        return collate([self._looked(look) for look in looks], [self._numbers[look.clip.label] for look in looks])

    def _fixed(self, clip: Clip) -> PreparedClip:
        views, store = self._views, self._clips.store
        index = store.index(clip.path)
        samples = fixed_samples(index, self._spec, views.validation_segments, views.sampling)
        flow = self._clips.flow if self._clips.sees_flow else None
        prepared = prepare_clip(store, clip, samples, Preparer(index.info, self._spec), flow, self._clips.sources)
        return of_length(prepared, views.validation_segments, views.sampling)

    def _looked(self, look: Look) -> PreparedClip:
        store = self._clips.store
        preparer = Preparer(store.index(look.clip.path).info, self._spec, look.view)
        prepared = prepare_clip(store, look.clip, look.samples, preparer, self._clips.flow, self._clips.sources)
        for change in look.changes:
            prepared = change(prepared)
        return of_length(prepared, self._views.segments, self._views.sampling)

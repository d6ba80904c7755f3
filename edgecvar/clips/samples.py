"""Prepared inputs from clips, read the way a run reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Appearance, Demand, Feed, SampledPicture, SecondWindow
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.errors import EdgecvarError
from edgecvar.stream.reader import open_stream

Sample = Tuple[SampledPicture, Appearance]
"""A sampled picture and its neighbour's I-picture, as `StageWalk` takes them."""

EVERY = 12
"""Sampled at least every so many pictures, whatever the spec's stride: clips are short."""

REACH = 4
"""How far into a clip is read: where it begins, often little has happened yet."""

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> List[T]:
    """At most `count` of the items, evenly from first to last."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def clip_starts(samples: Sequence[Sample]) -> List[int]:
    """For each sample the place in the list where its clip begins: what went before is no history of its."""
    clips = [sample.clip for sample, _ in samples]
    starts: List[int] = []
    for place, clip in enumerate(clips):
        starts.append(starts[-1] if place and clip == clips[place - 1] else place)
    return starts


def histories(samples: Sequence[Sample], segments: int) -> NDArray[np.int64]:
    """Places (samples, segments) of what each sample's `segments` newest are, in display order as `StageWalk` has them.

    Of thinned samples those are its history that come before it in the list.
    """
    rows = np.empty((len(samples), segments), np.int64)
    for place, start in enumerate(clip_starts(samples)):
        newest = range(max(start, place + 1 - segments), place + 1)
        clip = sorted(newest, key=lambda each: samples[each][0].display_index)
        rows[place] = [*[clip[0]] * (segments - len(clip)), *clip]
    return rows


def read_samples(
    clips: Sequence[Path],
    spec: InputSpec,
    count: int,
    skip: Optional[Callable[[Path, EdgecvarError], None]] = None,
    *,
    frames: bool = False,
) -> List[Sample]:
    """At most `count` samples, as evenly from all clips as they have them, with `frames` their decoded frames too.

    A clip that cannot be read is told to `skip`, and the others give more; without `skip` its error is raised.
    """
    samples: List[Sample] = []
    chosen = spread(clips, count)
    for place, clip in enumerate(chosen):
        share = -(-(count - len(samples)) // (len(chosen) - place))
        try:
            found = _read(clip, spec, share, frames)
            samples += [(replace(sample, clip=place), neighbour) for sample, neighbour in found]
        except EdgecvarError as error:
            if skip is None:
                raise
            skip(clip, error)
    return samples


def _read(clip: Path, spec: InputSpec, count: int, frames: bool) -> List[Sample]:
    """At most `count` samples, evenly from the clip's start to REACH times as many; neighbours are as in a run."""
    sources = frozenset(source for source in PREPARED if frames or source != "frame")
    demand = Demand(sources, adjacent=True, every=min(spec.stride, EVERY))
    waiting: List[SampledPicture] = []
    ready: List[Sample] = []
    with open_stream(clip, frames=frames) as stream:
        for message in Feed(stream, spec, demand, NoClock()).messages():
            if isinstance(message, SecondWindow):
                ready += [(sample, message.appearance) for sample in waiting]
                waiting = []
            elif message is not None and message.adjacent is None:
                waiting.append(message)
            elif message is not None and message.adjacent is not None:
                ready.append((message, message.adjacent))
            if len(ready) >= REACH * count:
                break
    # The stream ended in its first window: the window is its own neighbour.
    return spread([*ready, *((sample, sample.current) for sample in waiting)], count)

"""Samples from clips, prepared the way a run prepares them, each with its neighbour filled in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import SampledPicture, SecondWindow
from edgecvar.clips.spec import CODED, PREPARED, InputSpec
from edgecvar.errors import EdgecvarError, named
from edgecvar.stream.clock import MAX_REORDER
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import Break

EVERY = 12
"""Sampled at least every so many pictures, whatever the spec's stride: clips are short."""

REACH = 4
"""How far into a clip is read: where it begins, often little has happened yet."""

IN_A_ROW = 32
"""Samples of a clip for a network that remembers: from its beginning, none left out."""

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> List[T]:
    """At most `count` of the items, evenly from first to last."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def clip_starts(samples: Sequence[SampledPicture]) -> List[int]:
    """For each sample the place in the list where its clip begins, or goes on after a break: there its history starts.

    What went before is none of it.
    """
    clips = [(sample.clip, sample.part) for sample in samples]
    starts: List[int] = []
    for place, clip in enumerate(clips):
        starts.append(starts[-1] if place and clip == clips[place - 1] else place)
    return starts


def histories(samples: Sequence[SampledPicture], segments: int) -> NDArray[np.int64]:
    """Places (samples, segments) of what each sample's `segments` newest are, in display order as `StageWalk` has them.

    Of thinned samples those are its history that come before it in the list.
    """
    rows = np.empty((len(samples), segments), np.int64)
    for place, start in enumerate(clip_starts(samples)):
        newest = range(max(start, place + 1 - segments), place + 1)
        clip = sorted(newest, key=lambda each: samples[each].display_index)
        rows[place] = [*[clip[0]] * (segments - len(clip)), *clip]
    return rows


def read_samples(
    clips: Sequence[Path],
    spec: InputSpec,
    count: int,
    skip: Optional[Callable[[Path, EdgecvarError], None]] = None,
    *,
    frames: bool = False,
    remembering: bool = False,
) -> List[SampledPicture]:
    """At most `count` samples, as evenly from all clips as they have them, with `frames` their decoded frames too.

    For a `remembering` network they are the first of each clip, IN_A_ROW or, of few clips, more, none left out. A clip
    that cannot be read is told to `skip`, and the others give more; without `skip` its error is raised. A sample's
    `clip` is a place among the clips.
    """
    samples: List[SampledPicture] = []
    numbered = list(enumerate(clips))
    sources = _spread_first(numbered, count // IN_A_ROW) if remembering else spread(numbered, count)
    for turn, (place, clip) in enumerate(sources):
        left = count - len(samples)
        share = -(-left // (len(sources) - turn))
        if remembering:
            share = min(left, max(IN_A_ROW, share))
        try:
            some = _read(clip, spec, share + MAX_REORDER if remembering else REACH * share, frames)
            some = _first(some, share) if remembering else spread(some, share)
            samples += [replace(sample, clip=place) for sample in some]
        except EdgecvarError as error:
            if skip is None:
                raise named(str(clip), error) from error
            skip(clip, named(str(clip), error))
        if remembering and len(samples) >= count:
            break
    return samples


def sampled_clips(clips: Sequence[Path], samples: Sequence[SampledPicture]) -> List[Path]:
    """Those of the clips that gave a sample to `read_samples`, in their order."""
    return [clips[place] for place in sorted({sample.clip for sample in samples})]


def _spread_first(clips: Sequence[Tuple[int, Path]], count: int) -> List[Tuple[int, Path]]:
    """All clips, so many of them that are spread over all first."""
    first = spread(clips, max(1, count))
    return [*first, *(clip for clip in clips if clip not in first)]


def _first(samples: Sequence[SampledPicture], count: int) -> List[SampledPicture]:
    """Those that are displayed first, in the order that they have."""
    shown = sorted(sample.display_index for sample in samples)[:count]
    return [sample for sample in samples if shown and sample.display_index <= shown[-1]]


def _read(clip: Path, spec: InputSpec, count: int, frames: bool) -> List[SampledPicture]:
    """The clip's samples, `count` or a few more where it has so many; neighbours are as in a run."""
    sources = frozenset(PREPARED if frames else CODED)
    waiting: List[SampledPicture] = []
    ready: List[SampledPicture] = []
    with open_stream(clip, frames=frames, on_demand=True) as stream:
        demand = Demand(sources, adjacent=True, every=min(spec.every(stream.info.fps), EVERY))
        for message in Feed(stream, spec, demand, NoClock()).messages():
            if isinstance(message, SecondWindow):
                ready += [replace(sample, adjacent=message.appearance) for sample in waiting]
                waiting = []
            elif isinstance(message, Break):
                # The part before ended in its first window: the window is its own neighbour.
                ready += [replace(sample, adjacent=sample.current) for sample in waiting]
                waiting = []
            elif isinstance(message, SampledPicture):
                (waiting if message.adjacent is None else ready).append(message)
            if len(ready) >= count:
                break
    # The stream ended in its first window: the window is its own neighbour.
    return [*ready, *(replace(sample, adjacent=sample.current) for sample in waiting)]

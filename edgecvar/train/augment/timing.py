"""Which pictures of a clip are looked at: a part of its time, other places, older I-pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence

import numpy as np

from edgecvar.clips.gop import Window
from edgecvar.clips.sampling import Sample


def part_of(windows: Sequence[Window], share: float, place: float) -> List[Window]:
    """The windows with the pictures of one stretch alone, `share` of all P and B pictures but one at least.

    `place`: where it begins in the room that there is, from 0 to below 1. Windows stay in their places, some of them
    without pictures, so that their neighbours are what they were.
    """
    count = sum(len(window.pictures) for window in windows)
    length = min(count, max(1, round(count * share)))
    first = int(place * (count - length + 1))
    cut, before = [], 0
    for window in windows:
        start, end = max(first - before, 0), max(first + length - before, 0)
        cut.append(replace(window, pictures=window.pictures[start:end]))
        before += len(window.pictures)
    return cut


def jittered(
    samples: Sequence[Sample], windows: Sequence[Window], reach: int, rng: np.random.Generator
) -> List[Sample]:
    """Each sampled picture moved by at most `reach` P and B pictures in decode order, never over a break.

    In another window its I-picture is that window's, and its neighbour the one that it was in.
    """
    places = [(window, picture) for window in windows for picture in window.pictures]
    at: Dict[int, int] = {picture: number for number, (_, picture) in enumerate(places)}
    moved = []
    for sample in samples:
        old, _ = places[at[sample.picture]]
        number = at[sample.picture] + int(rng.integers(-reach, reach + 1))
        new, picture = places[min(max(number, 0), len(places) - 1)]
        if new.part != old.part:
            moved.append(sample)
        elif new.index == old.index:
            moved.append(replace(sample, picture=picture))
        else:
            moved.append(Sample(new.appearance, old.appearance, picture))
    return moved


def in_older_gops(samples: Sequence[Sample], windows: Sequence[Window]) -> List[Sample]:
    """The samples as if the I-picture between them and the one before had not been: their GOP began there.

    What has no older I-picture in its part stays. Where the older one was the neighbour, the newer one takes its place.
    """
    older: Dict[int, int] = {}
    for before, window in zip(windows, windows[1:]):
        if before.part == window.part:
            same = before.appearance == window.appearance
            older[window.appearance] = older.get(before.appearance, before.appearance) if same else before.appearance
    aged = []
    for sample in samples:
        appearance = older.get(sample.appearance, sample.appearance)
        adjacent = sample.appearance if sample.adjacent == appearance else sample.adjacent
        aged.append(Sample(appearance, adjacent, sample.picture))
    return aged

"""Which pictures a network sees: segments of a clip when training, one of every k pictures when running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Container, List, Optional, Sequence, Set

import numpy as np

from edgecvar.clips.gop import Window
from edgecvar.errors import StreamError


@dataclass(frozen=True)
class Sample:
    """Decode indices of one network input: its I-picture, the neighbouring window's, and the P or B picture."""

    appearance: int
    adjacent: int
    picture: int


def sample_segments(windows: Sequence[Window], segments: int, rng: np.random.Generator) -> List[Sample]:
    """T samples for training: the clip in T equal segments (TSN), of each one window, of that one P or B picture.

    The neighbour is drawn from the windows before and after (Huo et al. 2020, section 3.4); a clip of one window
    is its own neighbour. Raises StreamError when the clip has no P or B picture.
    """
    usable = _with_motion(windows)
    samples = []
    for segment in range(segments):
        first = segment * len(usable) // segments
        last = max(first + 1, (segment + 1) * len(usable) // segments)
        window = usable[int(rng.integers(first, last))]
        picture = window.pictures[int(rng.integers(len(window.pictures)))]
        step = 1 if rng.random() < 0.5 else -1
        samples.append(Sample(window.appearance, _neighbour(windows, window.index, step), picture))
    return samples


def centre_segments(windows: Sequence[Window], segments: int, within: float = 0.5) -> List[Sample]:
    """T samples at the segments' centres, the same on every call, with the neighbour that running takes.

    `within`: another place in each segment, from 0 to below 1.
    """
    usable = _with_motion(windows)
    samples = []
    for segment in range(segments):
        position = (segment + within) * len(usable) / segments
        window = usable[int(position)]
        picture = window.pictures[int((position % 1.0) * len(window.pictures))]
        samples.append(Sample(window.appearance, _neighbour(windows, window.index, -1), picture))
    return samples


def dense_segments(
    windows: Sequence[Window], segments: int, span: int, within: float = 0.5, fewer: bool = False
) -> List[Sample]:
    """T samples at equal steps of `span` P and B pictures in a row, all of the clip where it has no more.

    `within`: where they begin in the room that there is, from 0 to below 1. With `fewer` steps are those of the span
    in a shorter clip too, which then has fewer samples. The neighbour is the one that running takes. Raises StreamError
    when the clip has no picture that may be sampled.
    """
    places = [(window, picture) for window in _with_motion(windows) for picture in window.pictures]
    length = min(span, len(places))
    first = int(within * (len(places) - length + 1))
    over = span if fewer else length
    samples = []
    for place in (segment * over // segments for segment in range(segments)):
        if place >= length:
            break
        window, picture = places[first + place]
        samples.append(Sample(window.appearance, _neighbour(windows, window.index, -1), picture))
    return samples


def running_samples(
    windows: Sequence[Window],
    display: Sequence[int],
    stride: int,
    hidden: Container[int] = (),
    part: Optional[int] = None,
) -> List[Sample]:
    """What a run takes of a clip, in display order, with the neighbours that it takes.

    `display`: display indices by decode index; `hidden`: decode indices of pictures that nobody is to see; `part`: of
    that one between two breaks alone. Raises StreamError when the clip has no picture that may be sampled.
    """
    _with_motion(windows)
    samples: List[Sample] = []
    seen: Set[int] = set()
    picker, current = OneOfEvery(stride), 0
    for window in windows:
        if window.part != current:
            picker, current = OneOfEvery(stride), window.part
        adjacent = _neighbour(windows, window.index, -1)
        image, own = window.appearance, sorted((*window.pictures, *window.unsampled))
        # A window may go on with the I-picture before, and a recovered picture is among its own.
        if image not in seen and image not in own and image not in hidden:
            picker.push(display[image], "I")
        seen.add(image)
        samples += [
            Sample(window.appearance, adjacent, picture)
            for picture in own
            if picker.push(display[picture], "P", picture in window.pictures) and part in (None, current)
        ]
    return sorted(samples, key=lambda sample: display[sample.picture])


def stretch(samples: Sequence[Sample], count: int, first: float = 0.0, speed: float = 1.0) -> List[Sample]:
    """At most `count` samples in a row from place `first` on, of the clip as if played `speed` times as fast."""
    places = [int(first + place * speed) for place in range(count)]
    return [samples[place] for place in places if place < len(samples)]


class OneOfEvery:
    """Takes one of every `stride` pictures in display order, over all places in a GOP, whatever the two lengths.

    Which one changes from each `stride` to the next (a low-discrepancy sequence), as the same one of each would meet
    the same place of every GOP whose length divides by it. An I-picture has no motion: its turn goes to one of the
    pictures after it, which come so much more often. The turn of a picture that does not fit goes to one of the next
    ones that do, of as many as `stride` pictures have of them so far: so the pace is kept where there are enough of
    them, and all of them come as often. `first`: the display index to count from, by default the first asked for.
    """

    def __init__(self, stride: int, first: Optional[int] = None) -> None:
        if stride < 1:
            raise ValueError(f"stride: got {stride}, expected at least 1")
        self._stride = stride
        self._first = first
        self._instead: Set[int] = set()
        self._asked = self._fitting = 0
        self._owed: Set[int] = set()  # by how many fitted before them

    def push(self, display_index: int, kind: str, fits: bool = True) -> bool:
        """Whether a picture is taken; to be asked in decode order, of all shown ones, whether they fit or not."""
        if self._first is None:
            self._first = display_index
        turn, place = divmod(display_index - self._first, self._stride)
        has_turn = place == _spread(turn, GOLDEN, self._stride) or display_index in self._instead
        self._instead.discard(display_index)
        self._asked += 1
        if kind == "I":
            if has_turn:
                self._instead.add(display_index + 1 + _spread(turn, SILVER, self._stride - 1))
            return False
        taken = fits and (has_turn or self._fitting in self._owed)
        owes = has_turn and (not fits or self._fitting in self._owed)
        if fits:
            self._owed.discard(self._fitting)
            self._fitting += 1
        if owes:
            self._owe(turn)
        return taken

    def _owe(self, turn: int) -> None:
        """The turn goes to one of the next that fit, unless all of them have one."""
        among = max(1, round(self._stride * self._fitting / self._asked))
        first = _spread(turn, SILVER, among)
        for place in range(among):
            ordinal = self._fitting + (first + place) % among
            if ordinal not in self._owed:
                self._owed.add(ordinal)
                return


GOLDEN, SILVER = 40_503, 27_147
"""Of 2**16: the golden and the silver ratio, whose multiples fill the circle evenly."""


def _spread(turn: int, ratio: int, count: int) -> int:
    """A place from 0 to below `count`, another each turn, all as often."""
    return (turn * ratio & 0xFFFF) * count >> 16


def _with_motion(windows: Sequence[Window]) -> List[Window]:
    usable = [window for window in windows if window.pictures]
    if not usable and any(window.unsampled for window in windows):
        raise StreamError("no picture of the kind that input.pictures asks for after the first I-picture")
    if not usable:
        raise StreamError("no P or B picture after the first I-picture, so there is no motion to sample")
    return usable


def _neighbour(windows: Sequence[Window], index: int, step: int) -> int:
    """The I-picture of the window at that `step`, else of the one at the other side, else its own."""
    for candidate in (index + step, index - step):
        if 0 <= candidate < len(windows) and windows[candidate].part == windows[index].part:
            return windows[candidate].appearance
    return windows[index].appearance

"""How a training clip is looked at: which of its encodings, which pictures, which view, what is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Sequence

import numpy as np

from edgecvar.clips.gop import Window, longest_part
from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import View, centre_view
from edgecvar.clips.sampling import Sample, dense_segments, running_samples, sample_segments, stretch
from edgecvar.clips.spec import InputSpec
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.drawn import Change, Scene, drawn_changes, log_uniform
from edgecvar.train.augment.settings import Augment, check_input, check_labels
from edgecvar.train.augment.timing import in_older_gops, jittered, part_of
from edgecvar.train.data.dataset import Clips
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.parts import Views

CORNERS = ((0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""(down, right) of the centre and the four corners."""

ORDER, CLIP, CHANGES = 0, 1, 2
"""What a random generator is for: the order of an epoch; samples and view of one clip in it, or all else of that."""


@dataclass(frozen=True)
class Look:
    """One look at a training clip: `clip` is the file that is read, with the class that it shows when so looked at."""

    clip: Clip
    samples: Sequence[Sample]
    view: View
    changes: Sequence[Change]


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A generator that depends on its arguments alone, so that a resumed run draws what a straight one draws."""
    return np.random.default_rng([seed, *purpose])


def random_view(info: StreamInfo, spec: InputSpec, augment: Augment, rng: np.random.Generator) -> View:
    """The central view scaled, moved and mirrored at random, never past the picture."""
    centre = centre_view(info, spec)
    largest = min(1 / centre.height, 1 / centre.width)
    scale = min(float(rng.uniform(*augment.scale)), largest)
    height, width = min(1.0, centre.height * scale), min(1.0, centre.width * scale)
    down, right = rng.uniform(-1, 1, size=2) * augment.shift
    flip = bool(rng.random() < 0.5) and augment.flip
    if augment.corners:
        down, right = CORNERS[int(rng.integers(len(CORNERS)))]
    return View((1 - height) / 2 * (1 + down), (1 - width) / 2 * (1 + right), height, width, flip)


class Looks:
    """Draws the looks of training, each by (seed, epoch, clip) alone.

    Raises ConfigError where the recipe's `augment` does not go with its input or with the classes of the clips.
    """

    def __init__(self, views: Views, spec: InputSpec, clips: Clips) -> None:
        check_input(views.augment, spec)
        check_labels(views.augment, clips.labels)
        self._views, self._spec, self._clips = views, spec, clips
        self._mirrored: Dict[str, str] = {}
        for one, other in views.augment.mirror:
            self._mirrored.update({one: other, other: one})

    def draw(self, epoch: int, number: int, clip: Clip) -> Look:
        """The look at clip `number` of the run in an epoch."""
        views, augment = self._views, self._views.augment
        rng, other = (generator(views.seed, epoch, purpose, number) for purpose in (CLIP, CHANGES))
        clip = self._encoded(clip, other)
        index = self._clips.store.index(clip.path)
        speed = log_uniform(augment.speed, other)
        samples = self._timed(self._samples(index, speed, rng), index.windows, other)
        view = random_view(index.info, self._spec, augment, rng)
        view = replace(view, flip=view.flip and clip.label not in augment.mirror_never)
        if view.flip:
            clip = replace(clip, label=self._mirrored.get(clip.label, clip.label))
        scene = Scene.of(index.info, self._spec, view, len(samples))
        return Look(clip, samples, view, drawn_changes(augment, scene, speed, other))

    def _encoded(self, clip: Clip, rng: np.random.Generator) -> Clip:
        """The original, or one of its variants where it has some."""
        variants, reencode = self._clips.variants.get(clip.path, ()), self._views.augment.reencode
        if not variants or reencode is None or rng.random() < reencode.share:
            return clip
        return replace(clip, path=variants[int(rng.integers(len(variants)))])

    def _samples(self, index: ClipIndex, speed: float, rng: np.random.Generator) -> List[Sample]:
        """What is played faster shows more of the clip in as many pictures, at most all of it."""
        views, windows = self._views, index.windows
        if views.sampling.name == "dense":
            span = max(2, round(views.sampling.span * speed))
            fewer = views.sampling.short == "again"
            return dense_segments(windows, views.segments, span, rng.random(), fewer)
        if views.sampling.name == "stream":
            stride = self._spec.every(index.info.fps)
            samples = running_samples(windows, index.display, stride, index.hidden, longest_part(windows))
            room = max(len(samples) - views.segments * speed, views.sampling.late * len(samples))
            return stretch(samples, views.segments, rng.random() * room, speed)
        part = windows if speed >= 1 else part_of(windows, speed, rng.random())
        return sample_segments(part, views.segments, rng)

    def _timed(self, samples: List[Sample], windows: Sequence[Window], rng: np.random.Generator) -> List[Sample]:
        augment = self._views.augment
        if augment.jitter:
            samples = jittered(samples, windows, augment.jitter, rng)
        if augment.gop_phase and rng.random() < augment.gop_phase:
            samples = in_older_gops(samples, windows)
        return samples

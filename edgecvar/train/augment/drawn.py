"""Which changes one look at a clip takes: drawn in a fixed order, so that a generator's state decides them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Tuple

import numpy as np

from edgecvar.clips.prepare import View, displayed_size, velocity_unit
from edgecvar.clips.spec import InputSpec
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.camera import course, with_camera, without_camera
from edgecvar.train.augment.light import lit
from edgecvar.train.augment.settings import Augment
from edgecvar.train.augment.turning import rotated
from edgecvar.train.augment.vectors import faster, noisy, without_blocks
from edgecvar.train.data.prepared import PreparedClip

Change = Callable[[PreparedClip], PreparedClip]


@dataclass(frozen=True)
class Scene:
    """What changes need to know of a prepared clip.

    `aspect`: input pixels for one of the picture's across, over those down. `unit`: input pixels a frame that the
    motion input has as 1.0. `samples`: pictures of it.
    """

    spec: InputSpec
    aspect: float
    unit: float
    samples: int

    @staticmethod
    def of(info: StreamInfo, spec: InputSpec, view: View, samples: int) -> Scene:
        """That of a clip seen through a view."""
        rows, columns = displayed_size(info)
        aspect = (spec.width / (view.width * columns)) / (spec.height / (view.height * rows))
        return Scene(spec, aspect, velocity_unit(info, spec), samples)


def drawn_changes(augment: Augment, scene: Scene, speed: float, rng: np.random.Generator) -> List[Change]:
    """The changes in their order: what the camera did is removed first, what sensors and encoders do comes last.

    `speed`: that of the look, drawn before since it says which pictures are looked at.
    """
    changes: List[Change] = []
    limit = scene.spec.motion_limit
    if augment.steady and rng.random() < augment.steady:
        changes.append(partial(without_camera, limit=limit))
    factor = speed * log_uniform(augment.gain, rng)
    if factor != 1:
        changes.append(partial(faster, factor=factor, limit=limit))
    if augment.rotation:
        degrees = float(rng.uniform(-augment.rotation, augment.rotation))
        changes.append(partial(rotated, degrees=degrees, aspect=scene.aspect, limit=limit))
    camera = augment.camera
    if camera.pan or camera.zoom:
        moved = course(scene.samples, camera.pan, camera.zoom, scene.unit, rng)
        changes.append(partial(with_camera, motion=moved, limit=limit))
    if augment.dropout:
        changes.append(partial(without_blocks, share=float(rng.uniform(0, augment.dropout)), rng=rng))
    if augment.noise:
        deviation = float(rng.uniform(0, augment.noise))
        changes.append(partial(noisy, deviation=deviation, rng=rng, limit=limit))
    if augment.brightness or augment.contrast != (1.0, 1.0):
        brightness = float(rng.uniform(-augment.brightness, augment.brightness))
        contrast = log_uniform(augment.contrast, rng)
        changes.append(partial(lit, brightness=brightness, contrast=contrast, spec=scene.spec))
    return changes


def log_uniform(bounds: Tuple[float, float], rng: np.random.Generator) -> float:
    """A factor between the bounds, as likely to be above their geometric mean as below; nothing drawn for equal ones.

    Twice as much is as far as half as much.
    """
    low, high = bounds
    return low if low == high else float(np.exp(rng.uniform(np.log(low), np.log(high))))

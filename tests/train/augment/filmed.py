"""A textured square that moves over a textured ground, filmed by a camera that does as told, encoded and prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional, Tuple

import numpy as np

from edgecvar.clips.prepare import Preparer, View
from edgecvar.clips.sampling import Sample
from edgecvar.clips.spec import InputSpec
from edgecvar.train.data.batches import prepare_recorded
from edgecvar.train.data.prepared import PreparedClip
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from tests.stream.known_clips import encode_x264, texture

HEIGHT, WIDTH, COUNT = 128, 160, 11
MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
SIDE, VELOCITY = 56, (3.0, 1.0)
"""Of the square, in pixels a picture (x, y)."""
MARGIN = 64
SPEC = InputSpec(height=HEIGHT, width=WIDTH, crop=1.0, velocity_unit=1.0, residual_unit=32.0)

Place = np.ndarray
"""(h, w, xy)."""
Camera = Callable[[int, Place], Place]
"""Where in the scene each place of picture t looks to, from the middle."""


def still(time: int, place: Place) -> Place:
    return place


def film(camera: Camera = still, times: Optional[List[int]] = None) -> List[np.ndarray]:
    """RGB pictures of the scene at those times; by default at 0, 1, 2 and so on."""
    ground, patch = texture(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, 1), texture(SIDE, SIDE, 2)
    y, x = np.indices((HEIGHT, WIDTH), dtype=np.float64)
    pictures = []
    for time in range(COUNT) if times is None else times:
        seen = camera(time, np.stack([x, y], axis=-1) - MIDDLE) + MIDDLE
        own = seen - corner(time)
        inside = ((own >= 0) & (own <= SIDE - 1)).all(axis=-1)
        grey = np.where(inside, bilinear(patch, own), bilinear(ground, seen + MARGIN))
        pictures.append(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return pictures


def corner(time: int) -> np.ndarray:
    """Where the square's begins; it is about the middle halfway through."""
    return MIDDLE - SIDE / 2 + (time - COUNT / 2) * np.array(VELOCITY)


def bilinear(plane: np.ndarray, place: Place) -> np.ndarray:
    height, width = plane.shape
    x, y = np.clip(place[..., 0], 0, width - 1.001), np.clip(place[..., 1], 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    right, down = x - left, y - top
    upper = plane[top, left] * (1 - right) + plane[top, left + 1] * right
    lower = plane[top + 1, left] * (1 - right) + plane[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def inside(camera: Camera = still, rim: int = 12) -> np.ndarray:
    """(T, h, w): where each P-picture of a film shows the square, without a rim in which blocks are of both."""
    y, x = np.indices((HEIGHT, WIDTH), dtype=np.float64)
    masks = []
    for time in range(1, COUNT):
        own = camera(time, np.stack([x, y], axis=-1) - MIDDLE) + MIDDLE - corner(time)
        masks.append(((own >= rim) & (own <= SIDE - 1 - rim)).all(axis=-1))
    return np.stack(masks)


def read(path: Path, pictures: List[np.ndarray], spec: InputSpec = SPEC) -> RecordedClip:
    """One I-picture, P-pictures after it, by x264 at a fine quantiser."""
    encode_x264(path, pictures, 16)
    recorded = read_clip(path, spec)
    assert [len(window.pictures) for window in recorded.windows] == [len(pictures) - 1]
    return recorded


def prepared(recorded: RecordedClip, spec: InputSpec = SPEC, view: Optional[View] = None) -> PreparedClip:
    """Every P-picture."""
    samples = [Sample(0, 0, picture) for picture in recorded.windows[0].pictures]
    return prepare_recorded(recorded, samples, Preparer(recorded.info, spec, view))


def mean(clip: PreparedClip, where: np.ndarray) -> Tuple[float, float]:
    """The mean velocity over places of (T, h, w)."""
    x, y = (float(clip.motion[:, axis][where].mean()) for axis in (0, 1))
    return x, y

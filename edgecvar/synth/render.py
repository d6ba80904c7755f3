"""Pictures from a plan: a moving background and two moving objects, sampled to a fraction of a pixel."""

from __future__ import annotations

from typing import Iterator, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.synth.classes import RADIUS
from edgecvar.synth.plan import ClipPlan, ObjectLook, Track, track
from edgecvar.synth.texture import paint

Picture = NDArray[np.uint8]


def render(plan: ClipPlan) -> Iterator[Picture]:
    """The pictures of a clip in display order, uint8 RGB (height, width, 3)."""
    rng = np.random.default_rng(plan.look.seed)
    path = track(plan)
    height, width = plan.canvas.height, plan.canvas.width
    backdrop = _Backdrop(plan, path)
    sprites = [_sprite(look, height) for look in plan.look.objects]
    grain = rng.standard_normal((2 * height, 2 * width, 1), dtype=np.float32) * np.float32(plan.look.noise)
    grain += np.float32(0.5)
    for index in range(plan.pictures):
        picture = backdrop.at(index)
        for number, sprite in enumerate(sprites):
            angle, radius = path.angles[index, number], path.radii[index, number]
            _draw_sprite(picture, sprite, path.centres[index, number], float(radius), float(angle))
        top, left = int(rng.integers(height)), int(rng.integers(width))
        picture += grain[top : top + height, left : left + width]
        np.clip(picture, 0, 255, out=picture)
        yield picture.astype(np.uint8)


class _Backdrop:
    """The background and a margin around it as wide as the camera moves."""

    def __init__(self, plan: ClipPlan, path: Track) -> None:
        self.height, self.width = plan.canvas.height, plan.canvas.width
        self.offsets = path.camera.max(axis=0) - path.camera
        margin = np.ceil(self.offsets.max(axis=0)).astype(int) + 2
        self.image = paint(plan.look.background, self.height + margin[1], self.width + margin[0])

    def at(self, index: int) -> NDArray[np.float32]:
        """The background at one picture, float32 RGB, a fresh array."""
        x, y = self.offsets[index]
        left, top = int(x), int(y)
        u, v = (self.offsets[index] % 1).astype(np.float32)
        rows = self.image[top : top + self.height + 1, left : left + self.width + 1]
        mixed = rows[:-1] * (1 - v) + rows[1:] * v
        moved: NDArray[np.float32] = mixed[:, :-1] * (1 - u) + mixed[:, 1:] * u
        return moved


def _sprite(look: ObjectLook, height: int) -> NDArray[np.float32]:
    """An object at its largest, float32 (side, side, 4): RGB times coverage, then coverage."""
    reach = RADIUS[1] * height
    side = 2 * int(np.ceil(reach)) + 4
    step = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / np.float32(reach)
    x, y = step[None], step[:, None]
    if look.shape == "disc":
        inside = 1 - np.hypot(x, y)
    elif look.shape == "box":
        inside = 0.8 - np.maximum(np.abs(x), np.abs(y))
    else:
        inside = 0.7 * (1 - np.hypot(x, y / np.float32(0.7)))
    edge = max(look.edge, 1.5 / reach)
    coverage = np.clip(inside / np.float32(edge), 0, 1)[..., None]
    return np.concatenate([paint(look.texture, side, side) * coverage, coverage], axis=-1).astype(np.float32)


def _draw_sprite(
    picture: NDArray[np.float32],
    sprite: NDArray[np.float32],
    centre: NDArray[np.float64],
    radius: float,
    angle: float,
) -> None:
    """Put a sprite on the picture, turned by `angle` about `centre` and scaled to `radius`, in place."""
    height, width = picture.shape[:2]
    left, top = np.maximum(np.ceil(centre - radius), 0).astype(int)
    right, bottom = np.minimum(np.floor(centre + radius) + 1, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return
    columns, rows = _sprite_coordinates(sprite, centre, radius, angle, (left, top, right, bottom))
    sampled = _bilinear(sprite, columns, rows)
    area = picture[top:bottom, left:right]
    area *= 1 - sampled[..., 3:]
    area += sampled[..., :3]


def _sprite_coordinates(
    sprite: NDArray[np.float32],
    centre: NDArray[np.float64],
    radius: float,
    angle: float,
    box: Tuple[int, int, int, int],
) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the sprite each pixel of the box (left, top, right, bottom) comes from: columns, rows."""
    left, top, right, bottom = box
    x = (np.arange(left, right) - centre[0]).astype(np.float32)[None]
    y = (np.arange(top, bottom) - centre[1]).astype(np.float32)[:, None]
    scale = (len(sprite) - 4) / 2 / radius
    middle = np.float32((len(sprite) - 1) / 2)
    cos, sin = np.float32(scale * np.cos(angle)), np.float32(scale * np.sin(angle))
    return middle + cos * x + sin * y, middle - sin * x + cos * y


def _bilinear(
    image: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The image between its pixels: (h, w, channels) at (h, w) coordinates; outside it takes the nearest edge."""
    side = len(image)
    columns, rows = np.clip(columns, 0, side - 1.001), np.clip(rows, 0, side - 1.001)
    left, top = columns.astype(np.int32), rows.astype(np.int32)
    u, v = (columns - left)[..., None], (rows - top)[..., None]
    flat = image.reshape(-1, image.shape[-1])
    corner = top * side + left
    upper: NDArray[np.float32] = flat[corner]
    upper += (flat[corner + 1] - upper) * u
    lower = flat[corner + side]
    lower += (flat[corner + side + 1] - lower) * u
    upper += (lower - upper) * v
    return upper

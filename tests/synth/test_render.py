"""What is rendered moves as its class says: measured in the pictures, not in the plan."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Tuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecvar.synth.classes import LABELS, Phases
from edgecvar.synth.plan import ClipPlan, draw_plan, track
from edgecvar.synth.render import render

Vectors = NDArray[np.float64]


def bench_plan(label: str, seed: int = 0) -> ClipPlan:
    """A plan whose objects lie apart in the middle of the picture, with no drift, no noise and known speeds."""
    plan = draw_plan(label, np.random.default_rng([21, seed]))
    return dataclasses.replace(
        plan,
        canvas=dataclasses.replace(plan.canvas, width=240, height=192),
        start=Phases(x=0.5, y=0.5, separation=0.6, size=0.4, turn=(0.1, 0.7), sway=0.0),
        speeds=dataclasses.replace(
            plan.speeds, travel=2.0, approach=2.0, zoom=0.04, rim=3.0, sway_period=12.0, sway_reach=6.0
        ),
        pose=dataclasses.replace(plan.pose, axis_radians=0.0, sway_axis_radians=np.pi / 4, drift=(0.0, 0.0)),
        look=dataclasses.replace(plan.look, noise=0.0),
    )


def luma(picture: NDArray[np.uint8]) -> Vectors:
    return picture @ np.array([0.299, 0.587, 0.114])


def measured(before: Vectors, after: Vectors, centre: Vectors, radius: float) -> Tuple[Vectors, Vectors]:
    """Displacements (N, 2) of 13 x 13 patches in the middle of an object, by full search, and their offsets."""
    step, half, reach = radius * 0.35, 6, 8
    found, offsets = [], []
    for offset in step * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]):
        x, y = np.rint(centre + offset).astype(int)
        patch = before[y - half : y + half + 1, x - half : x + half + 1]
        costs = {}
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                moved = after[y + dy - half : y + dy + half + 1, x + dx - half : x + dx + half + 1]
                costs[dx, dy] = float(np.square(moved - patch).sum())
        found.append(min(costs, key=lambda shift: costs[shift]))
        offsets.append(offset)
    return np.array(found, float), np.array(offsets)


def along(direction: Tuple[float, float]) -> Callable[[Vectors, Vectors, int], bool]:
    """Every patch moves some 4 pixels in a direction (x, y)."""
    return lambda moved, offsets, number: bool((np.abs(moved - 4 * np.array(direction)) <= 1).all())


def outward(sign: int) -> Callable[[Vectors, Vectors, int], bool]:
    return lambda moved, offsets, number: bool((sign * (moved * offsets).sum(axis=1)[1:] > 0).all())


def clockwise(sign: int) -> Callable[[Vectors, Vectors, int], bool]:
    """The screen's y points down: clockwise takes +x to +y."""
    return lambda moved, offsets, number: bool(
        (sign * (offsets[:, 0] * moved[:, 1] - offsets[:, 1] * moved[:, 0])[1:] > 0).all()
    )


def together(sign: int) -> Callable[[Vectors, Vectors, int], bool]:
    """The first object is the left one here: it moves right when they meet."""
    return lambda moved, offsets, number: along((sign * (1 - 2 * number), 0))(moved, offsets, number)


def trembling(moved: Vectors, offsets: Vectors, number: int) -> bool:
    """Down the diagonal: the first object passes its middle, the second turns round at its far end."""
    if number == 0:
        return bool((moved >= 3).all())
    return bool((np.abs(moved) <= 2).all())


EXPECTED: Dict[str, Callable[[Vectors, Vectors, int], bool]] = {
    "left": along((-1, 0)),
    "right": along((1, 0)),
    "up": along((0, -1)),
    "down": along((0, 1)),
    "zoom_in": outward(1),
    "zoom_out": outward(-1),
    "rotate_cw": clockwise(1),
    "rotate_ccw": clockwise(-1),
    "shake": trembling,
    "meet": together(1),
    "part": together(-1),
    "still": lambda moved, offsets, number: not moved.any(),
}


@pytest.mark.parametrize("label", LABELS)
def test_two_pictures_on_the_objects_have_moved_as_their_class_says_and_no_other(label: str) -> None:
    plan = bench_plan(label)
    pictures = render(plan)
    before, _, after = (luma(next(pictures)) for _ in range(3))
    path = track(plan)
    seen = [measured(before, after, path.centres[0, number], path.radii[0, number]) for number in (0, 1)]
    fits = [
        name
        for name, holds in EXPECTED.items()
        if all(holds(moved, offsets, number) for number, (moved, offsets) in enumerate(seen))
    ]
    assert fits == [label], [moved.tolist() for moved, _ in seen]


def test_a_shake_comes_back() -> None:
    plan = bench_plan("shake")
    pictures = [picture.astype(int) for picture, _ in zip(render(plan), range(13))]
    # A period of 12: the same picture but for rounding, and another one half way.
    assert np.abs(pictures[12] - pictures[0]).max() <= 1
    assert np.abs(pictures[6] - pictures[0]).max() > 50


def test_a_translation_by_whole_pixels_is_a_shift_of_the_object() -> None:
    plan = bench_plan("right")
    pictures = render(plan)
    before, after = next(pictures).astype(int), next(pictures).astype(int)
    x, y = np.rint(track(plan).centres[0, 1]).astype(int)
    inside = before[y - 15 : y + 16, x - 15 : x + 16]
    # Sampling places differ in the last bit of a float32: a grey level at most.
    assert np.abs(after[y - 15 : y + 16, x - 13 : x + 18] - inside).max() <= 1
    assert np.abs(after[y - 15 : y + 16, x - 15 : x + 16] - inside).max() > 20


def test_a_quarter_turn_is_a_turned_picture() -> None:
    plan = bench_plan("still")
    plan = dataclasses.replace(
        plan,
        start=dataclasses.replace(plan.start, separation=0.5),
        speeds=dataclasses.replace(plan.speeds, sway_reach=0.0),
    )
    x, y = track(plan).centres[0, 1]
    # The object's middle has to be on a pixel for the turned grid to fall on the grid.
    assert abs(x - round(x)) < 1e-9
    upright, turned = (
        next(render(dataclasses.replace(plan, start=dataclasses.replace(plan.start, turn=(0.0, angle)))))
        for angle in (0.0, 0.25)
    )
    column, row = round(x), round(y)
    patch, expected = (p[row - 12 : row + 13, column - 12 : column + 13].astype(int) for p in (turned, upright))
    clockwise_turned = np.rot90(expected, -1)
    assert np.abs(patch - clockwise_turned).max() <= 1
    assert np.abs(patch - np.rot90(expected, 1)).max() > 20


def test_the_camera_moves_the_background_and_the_objects_alike() -> None:
    plan = bench_plan("still")
    plan = dataclasses.replace(plan, pose=dataclasses.replace(plan.pose, drift=(0.25, -0.25)))
    pictures = [picture.astype(int) for picture, _ in zip(render(plan), range(9))]
    # Eight pictures of a quarter pixel: two pixels to the right and up, everywhere but at the border.
    difference = np.abs(pictures[8][4:-6, 6:-4] - pictures[0][6:-4, 4:-6])
    assert difference.max() <= 1


def test_pictures_are_bytes_of_the_canvas_and_the_noise_is_new_in_each() -> None:
    plan = draw_plan("still", np.random.default_rng(3))
    plan = dataclasses.replace(
        plan,
        look=dataclasses.replace(plan.look, noise=2.0),
        pose=dataclasses.replace(plan.pose, drift=(0.0, 0.0)),
    )
    pictures = list(render(plan))
    assert len(pictures) == plan.pictures
    assert {(p.shape, p.dtype.name) for p in pictures} == {((plan.canvas.height, plan.canvas.width, 3), "uint8")}
    noise = (pictures[1].astype(float) - pictures[0]).std() / np.sqrt(2)
    # 2 grey levels plus what rounding adds, less where a sample is at 0 or 255.
    assert 1.5 < noise < 2.5


def test_drawn_objects_fill_a_good_part_of_the_picture() -> None:
    shares = []
    for seed in range(24):
        plan = draw_plan("still", np.random.default_rng([30, seed]))
        first, second = plan.look.objects
        swapped = tuple(
            dataclasses.replace(
                look, texture=dataclasses.replace(look.texture, dark=look.texture.light, light=look.texture.dark)
            )
            for look in (first, second)
        )
        other = dataclasses.replace(plan, look=dataclasses.replace(plan.look, objects=swapped))
        differs = np.abs(next(render(plan)).astype(int) - next(render(other))).max(axis=2) > 8
        shares.append(differs.mean())
    assert min(shares) > 0.04
    assert 0.12 < np.mean(shares) < 0.5

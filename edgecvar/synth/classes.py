"""The classes, and how the two objects move in each: class-independent phases, class-dependent rates.

Everything a picture shows is set by phases that are uniform on [0, 1) at the first picture. A class only sets
how fast each of them advances, and a phase that leaves [0, 1) comes back at the other end, so at every picture
every phase is uniform again whatever the class: one picture alone tells nothing about its class.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import unknown_name

LABELS = (
    "left",
    "right",
    "up",
    "down",
    "zoom_in",
    "zoom_out",
    "rotate_cw",
    "rotate_ccw",
    "shake",
    "meet",
    "part",
    "still",
)

CENTRE = (0.25, 0.75)
"""Range of the middle of the pair, as a part of the picture's width and height."""
SEPARATION = (0.28, 0.62)
"""Range of the distance between the objects' centres, as a part of the picture's width."""
RADIUS = (0.19, 0.40)
"""Range of an object's radius, as a part of the picture's height, uniform in its logarithm."""
RADIUS_SWEEP = float(np.log(RADIUS[1] / RADIUS[0]))


@dataclass(frozen=True)
class Phases:
    """One number for each thing that can move: where it is, or how fast it goes (a picture), in periods.

    `x`, `y`: middle of the pair in its range; `separation`: distance between the objects; `size`: logarithm of
    both radii; `turn`: angle of each object, clockwise on the screen; `sway`: oscillation about the middle.
    """

    x: float = 0.0
    y: float = 0.0
    separation: float = 0.0
    size: float = 0.0
    turn: Tuple[float, float] = (0.0, 0.0)
    sway: float = 0.0

    def vector(self) -> NDArray[np.float64]:
        """(7,): the fields in order, `turn` taking two places."""
        return np.hstack([getattr(self, item.name) for item in fields(self)]).astype(np.float64)


@dataclass(frozen=True)
class Speeds:
    """How fast each kind of motion goes in a clip; all are drawn in every class, few are used.

    `travel`, `approach` (of each object) and `rim` in pixels a picture, `zoom` in log-radius a picture,
    `sway_period` in pictures and `sway_reach`, the amplitude, in pixels.
    """

    travel: float
    approach: float
    zoom: float
    rim: float
    sway_period: float
    sway_reach: float


def draw_phases(rng: np.random.Generator) -> Phases:
    """Where everything is at the first picture: uniform, independent, whatever the class."""
    x, y, separation, size, first, second, sway = rng.random(7).tolist()
    return Phases(x, y, separation, size, (first, second), sway)


def draw_speeds(rng: np.random.Generator) -> Speeds:
    """The speeds of one clip, whatever the class."""
    sway_period = rng.uniform(8.0, 13.0)
    sway_peak = rng.uniform(2.2, 4.0)
    return Speeds(
        travel=rng.uniform(1.2, 3.6),
        approach=rng.uniform(0.9, 2.4),
        zoom=rng.uniform(0.024, 0.045),
        rim=rng.uniform(1.5, 4.0),
        sway_period=sway_period,
        sway_reach=sway_peak * sway_period / (2 * np.pi),
    )


def rates(label: str, speeds: Speeds, width: int, height: int) -> Phases:
    """Phases a picture of a class in a picture of that size; ConfigError for an unknown label."""
    across = speeds.travel / (width * (CENTRE[1] - CENTRE[0]))
    along = speeds.travel / (height * (CENTRE[1] - CENTRE[0]))
    closing = 2 * speeds.approach / (width * (SEPARATION[1] - SEPARATION[0]))
    zoom = speeds.zoom / RADIUS_SWEEP
    turn = speeds.rim / (2 * np.pi * height * float(np.mean(RADIUS)))
    table = {
        "left": Phases(x=-across),
        "right": Phases(x=across),
        "up": Phases(y=-along),
        "down": Phases(y=along),
        "zoom_in": Phases(size=zoom),
        "zoom_out": Phases(size=-zoom),
        "rotate_cw": Phases(turn=(turn, turn)),
        "rotate_ccw": Phases(turn=(-turn, -turn)),
        "shake": Phases(sway=1 / speeds.sway_period),
        "meet": Phases(separation=-closing),
        "part": Phases(separation=closing),
        "still": Phases(),
    }
    if label not in table:
        raise unknown_name("class", label, LABELS)
    return table[label]

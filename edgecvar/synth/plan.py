"""ClipPlan: everything about one clip before a single picture is rendered, drawn from a generator alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import ConfigError
from edgecvar.synth.classes import (
    CENTRE,
    RADIUS,
    RADIUS_SWEEP,
    SEPARATION,
    Phases,
    Speeds,
    draw_phases,
    draw_speeds,
    rates,
)
from edgecvar.synth.texture import Texture, draw_texture

GOP_LENGTHS = (12, 250)
B_PICTURES = (0, 3)
CRF = (18, 32)
PICTURES = (40, 64)
WIDTHS = tuple(range(160, 257, 8))
ASPECTS = (0.75, 0.8, 0.625)
FRAME_RATES = (Fraction(15), Fraction(20), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
CODECS = ("h264", "hevc", "mpeg4")
CONTAINERS = ("mp4", "avi")
SHAPES = ("disc", "box", "ellipse")
DRIFT = 0.35


@dataclass(frozen=True)
class Encoding:
    """How a clip is coded: `codec` of CODECS, `container` "mp4" or "avi", `crf` on x264's scale, which x265 shares.

    H.264 codes its bins by `cabac`, or else by CAVLC.
    """

    codec: str
    container: str
    gop_length: int
    b_pictures: int
    crf: int
    cabac: bool = True


@dataclass(frozen=True)
class Canvas:
    """Size in pixels and pictures a second."""

    width: int
    height: int
    fps: Fraction


@dataclass(frozen=True)
class ObjectLook:
    """One object: `shape`, `ratio` of its radius to the common one, `edge` its softness as a part of the radius."""

    shape: str
    ratio: float
    edge: float
    texture: Texture


@dataclass(frozen=True)
class Look:
    """What does not move: textures, sensor noise in grey levels, and the seed that fixes both."""

    background: Texture
    objects: Tuple[ObjectLook, ObjectLook]
    noise: float
    seed: int


@dataclass(frozen=True)
class Pose:
    """How the pair is set up, constant over a clip.

    `axis_radians`: direction from the first object to the second; `sway_axis_radians`: near a diagonal, so that
    no instant of a shake is one of a translation; `drift`: camera motion in pixels a picture (x, y).
    """

    axis_radians: float
    sway_axis_radians: float
    drift: Tuple[float, float]


@dataclass(frozen=True)
class Act:
    """A stretch of pictures that show one class."""

    label: str
    pictures: int


@dataclass(frozen=True)
class ClipPlan:
    """One clip: acts one after another with one pair of objects; `start` holds the phases at the first picture."""

    acts: Tuple[Act, ...]
    canvas: Canvas
    start: Phases
    speeds: Speeds
    pose: Pose
    look: Look
    encoding: Encoding

    @property
    def pictures(self) -> int:
        return sum(act.pictures for act in self.acts)


@dataclass(frozen=True)
class Track:
    """Where everything is, picture by picture, in pixels (x, y) and radians clockwise on the screen.

    `centres` (T, 2 objects, 2), `radii` (T, 2), `angles` (T, 2), `camera` (T, 2): how far the background has moved.
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    angles: NDArray[np.float64]
    camera: NDArray[np.float64]


def draw_plan(label: str, rng: np.random.Generator) -> ClipPlan:
    """A plan for one clip of a class; the same generator state gives the same plan but for the motion."""
    pictures = int(rng.integers(PICTURES[0], PICTURES[1] + 1))
    return _draw((Act(label, pictures),), rng)


def draw_sequence(labels: Sequence[str], pictures: Optional[int], rng: np.random.Generator) -> ClipPlan:
    """A plan for one H.264 clip that shows several classes in turn, `pictures` each or a drawn number."""
    if not labels:
        raise ConfigError("an empty sequence: expected class names with commas between, e.g. left,zoom_in,still")
    drawn = int(rng.integers(PICTURES[0], PICTURES[1] + 1))
    acts = tuple(Act(label, pictures or drawn) for label in labels)
    return _draw(acts, rng, codecs=("h264",))


def _draw(acts: Tuple[Act, ...], rng: np.random.Generator, codecs: Sequence[str] = ()) -> ClipPlan:
    canvas = _draw_canvas(rng)
    plan = ClipPlan(
        acts=acts,
        canvas=canvas,
        start=draw_phases(rng),
        speeds=draw_speeds(rng),
        pose=_draw_pose(rng),
        look=_draw_look(rng),
        encoding=_draw_encoding(rng, codecs or ("h264", "h264", "h264", "mpeg4")),
    )
    for act in acts:
        rates(act.label, plan.speeds, canvas.width, canvas.height)
    return plan


def _draw_canvas(rng: np.random.Generator) -> Canvas:
    width = int(rng.choice(WIDTHS))
    height = 2 * round(width * float(rng.choice(ASPECTS)) / 2)
    return Canvas(width, height, FRAME_RATES[int(rng.integers(len(FRAME_RATES)))])


def _draw_pose(rng: np.random.Generator) -> Pose:
    half_turn = int(rng.integers(2)) * np.pi
    diagonal = (0.25 + 0.5 * int(rng.integers(2))) * np.pi
    direction = rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(0, DRIFT)
    return Pose(
        axis_radians=half_turn + np.radians(rng.uniform(-25, 25)),
        sway_axis_radians=diagonal + np.radians(rng.uniform(-12, 12)),
        drift=(speed * float(np.cos(direction)), speed * float(np.sin(direction))),
    )


def _draw_look(rng: np.random.Generator) -> Look:
    objects = [
        ObjectLook(
            shape=SHAPES[int(rng.integers(len(SHAPES)))],
            ratio=rng.uniform(0.85, 1.0),
            edge=rng.uniform(0.03, 0.2),
            texture=draw_texture(rng, plain=0.0),
        )
        for _ in range(2)
    ]
    return Look(
        background=draw_texture(rng, plain=0.3),
        objects=(objects[0], objects[1]),
        noise=rng.uniform(0, 2.0),
        seed=int(rng.integers(2**31)),
    )


def _draw_encoding(rng: np.random.Generator, codecs: Sequence[str]) -> Encoding:
    codec = codecs[int(rng.integers(len(codecs)))]
    container = CONTAINERS[int(rng.integers(len(CONTAINERS)))]
    short, long = np.log(GOP_LENGTHS[0]), np.log(GOP_LENGTHS[1] + 1)
    return Encoding(
        codec=codec,
        container=container if codec == "mpeg4" else "mp4",
        gop_length=int(np.exp(rng.uniform(short, long))),
        b_pictures=int(rng.integers(B_PICTURES[0], B_PICTURES[1] + 1)),
        crf=int(rng.integers(CRF[0], CRF[1] + 1)),
    )


def _phases_over_time(plan: ClipPlan) -> NDArray[np.float64]:
    """(T, 7): every phase at every picture, folded into [0, 1)."""
    canvas = plan.canvas
    steps = []
    for act in plan.acts:
        rate = rates(act.label, plan.speeds, canvas.width, canvas.height).vector()
        steps.append(np.repeat(rate[None], act.pictures, axis=0))
    moved = np.vstack([np.zeros((1, 7)), np.cumsum(np.vstack(steps), axis=0)[:-1]])
    moved[:, 0] += np.arange(len(moved)) * plan.pose.drift[0] / (canvas.width * (CENTRE[1] - CENTRE[0]))
    moved[:, 1] += np.arange(len(moved)) * plan.pose.drift[1] / (canvas.height * (CENTRE[1] - CENTRE[0]))
    return (plan.start.vector() + moved) % 1.0


def track(plan: ClipPlan) -> Track:
    """Positions, radii and angles of both objects and of the background at every picture."""
    canvas, pose, speeds = plan.canvas, plan.pose, plan.speeds
    x, y, separation, size, first, second, sway = _phases_over_time(plan).T
    middle = np.stack([_span(CENTRE, x) * canvas.width, _span(CENTRE, y) * canvas.height], axis=-1)
    axis = np.array([np.cos(pose.axis_radians), np.sin(pose.axis_radians)])
    apart = _span(SEPARATION, separation)[:, None] * canvas.width / 2 * axis
    sway_axis = np.array([np.cos(pose.sway_axis_radians), np.sin(pose.sway_axis_radians)])
    # A quarter of a period between the objects: at every instant of a shake at least one of them is fast.
    swung = [speeds.sway_reach * np.sin(2 * np.pi * (sway + quarter / 4))[:, None] * sway_axis for quarter in range(2)]
    radius = canvas.height * RADIUS[0] * np.exp(RADIUS_SWEEP * size)
    return Track(
        centres=np.stack([middle - apart + swung[0], middle + apart + swung[1]], axis=1),
        radii=np.stack([radius * look.ratio for look in plan.look.objects], axis=1),
        angles=2 * np.pi * np.stack([first, second], axis=1),
        camera=np.arange(len(x))[:, None] * np.array(pose.drift),
    )


def _span(bounds: Tuple[float, float], phase: NDArray[np.float64]) -> NDArray[np.float64]:
    return bounds[0] + (bounds[1] - bounds[0]) * phase

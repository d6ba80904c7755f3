"""Streams that anyone can make, of many sizes, qualities and ways of coding, to time a reader's work on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Dict, Sequence

import numpy as np

from edgecvar.synth.encode import encode
from edgecvar.synth.plan import Canvas, Encoding, draw_sequence
from edgecvar.synth.render import render

RATE = Fraction(25)


@dataclass(frozen=True)
class Made:
    """One stream: size in pixels, pictures, GOP, B-pictures in a row, x264's quality, and noise in grey levels.

    Without `cabac` bins are coded by CAVLC. `side` is that of the network's input it is prepared for.
    """

    width: int
    height: int
    pictures: int
    gop: int
    b_pictures: int
    crf: int
    noise: float
    side: int
    cabac: bool = True

    @property
    def name(self) -> str:
        coding = "cabac" if self.cabac else "cavlc"
        return f"{self.width}x{self.height}-gop{self.gop}-b{self.b_pictures}-crf{self.crf}-{coding}"


MADE: Sequence[Made] = (
    Made(176, 144, 72, 12, 2, 26, 1.0, 112),
    Made(320, 240, 72, 24, 0, 32, 0.0, 224, cabac=False),
    Made(320, 240, 72, 12, 2, 20, 2.0, 112),
    Made(640, 480, 48, 12, 0, 30, 0.0, 112),
    Made(640, 480, 48, 12, 1, 19, 3.0, 224),
    Made(640, 480, 48, 16, 2, 24, 2.0, 240),
    Made(640, 480, 48, 24, 0, 20, 3.0, 160, cabac=False),
    Made(1280, 720, 32, 8, 0, 28, 1.0, 112),
    Made(1280, 720, 32, 16, 2, 22, 3.0, 240),
    Made(1280, 720, 32, 16, 0, 24, 2.0, 224, cabac=False),
    Made(1280, 720, 32, 16, 0, 34, 0.0, 240),
    Made(1280, 720, 32, 16, 0, 21, 4.0, 160),
    Made(1920, 1080, 20, 10, 0, 30, 1.0, 112),
    Made(1920, 1080, 20, 10, 0, 26, 3.0, 240),
    Made(1920, 1080, 20, 10, 2, 24, 3.0, 224),
    Made(1920, 1080, 20, 10, 0, 24, 2.0, 240, cabac=False),
)
LABELS = ("left", "zoom_in", "still", "rotate_cw")
"""Shown in turn, whatever moves in them."""


def make(folder: Path, made: Sequence[Made] = MADE) -> Dict[Path, Made]:
    """The streams as files of a folder; raises EdgecvarError where they cannot be encoded."""
    return {_make(folder, number, each): each for number, each in enumerate(made)}


def _make(folder: Path, number: int, made: Made) -> Path:
    path = folder / f"{number}-{made.name}.mp4"
    plan = draw_sequence(LABELS, -(-made.pictures // len(LABELS)), np.random.default_rng(number))
    plan = dataclasses.replace(
        plan,
        canvas=Canvas(made.width, made.height, RATE),
        look=dataclasses.replace(plan.look, noise=made.noise),
        encoding=Encoding("h264", "mp4", made.gop, made.b_pictures, made.crf, made.cabac),
    )
    encode(path, render(plan), plan.canvas, plan.encoding)
    return path

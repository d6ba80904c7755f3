"""Small clips with a known motion, encoded here, and a recipe small enough to train in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import av
import numpy as np

from edgecvar.train.recipe import Recipe, parse_recipe

VELOCITY = {"left": (-3, 0), "right": (3, 0), "still": (0, 0)}


def write_clip(path: Path, velocity: Tuple[int, int], seed: int, pictures: int = 26) -> None:
    """A texture of 96 x 64 that moves by whole pixels, in H.264 with GOPs of 12 and two B-pictures; always the same."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (8, 12, 3)).repeat(8, axis=0).repeat(8, axis=1)
    texture = (coarse + rng.integers(-30, 30, coarse.shape)).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        same = {"threads": "1", "mbtree": "0"}
        options = {"g": "12", "bf": "2", "crf": "23", "sc_threshold": "0", "preset": "fast", **same}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for time in range(pictures):
            moved = np.roll(texture, (time * velocity[1], time * velocity[0]), axis=(0, 1))
            for packet in stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_clips(root: Path) -> Path:
    """Class folders left, right and still, four clips each, clip_0.mp4 to clip_3.mp4."""
    for number, (label, velocity) in enumerate(VELOCITY.items()):
        for clip in range(4):
            write_clip(root / label / f"clip_{clip}.mp4", velocity, 10 * number + clip)
    return root


SMALL = """
model: attp
network:
  backbone: {width: 0.1, depth: 0.3, dropout: 0.2, stochastic_depth: 0.2}
  fusion: ttp
  dim: 32
  dropout: 0.1
input: {height: 32, width: 32, crop: 1.0, gop_length: 12, stride: 4}
validation_pattern: _3\\.mp4$
segments: 2
validation_segments: 2
epochs: 4
batch: 4
lr: 0.003
workers: 0
device: cpu
"""


def small_recipe(clips: Path, *overrides: str) -> Recipe:
    """The small recipe on those clips."""
    return parse_recipe(SMALL, [f"data={clips}", *overrides])

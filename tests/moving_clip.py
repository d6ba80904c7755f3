"""Clips encoded in the test: a texture that moves as told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Callable, Tuple, Union

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.datasets.encoder import X265_ALONE

ALONE = ":".join(f"{key}={value}" for key, value in X265_ALONE.items())


def moving_clip(
    path: Path,
    pictures: int = 30,
    shift: Union[int, Callable[[int], int]] = 2,
    restless: bool = False,
    codec: str = "h264",
    size: Tuple[int, int] = (96, 64),
    **options: str,
) -> Path:
    """A texture, 96 x 64 unless said, that moves `shift` pixels a picture to the right, or is where that says.

    Options go to x264, or for "hevc" to x265.
    A `restless` one moves to and fro and changes its texture every ten pictures.
    """
    textures = [_texture(seed) for seed in range(1 + pictures // 10)]
    plain = {"g": "12", "bf": "0"}
    if codec == "h264":
        settings = {**plain, "sc_threshold": "0", "mbtree": "0", **options}
    else:
        parameters = f"{ALONE}:scenecut=0:open-gop=0:keyint={options.get('g', 12)}:bframes={options.get('bf', 0)}"
        settings = {**plain, "x265-params": parameters, **options}
    with av.open(str(path), "w") as container:
        stream = container.add_stream({"h264": "libx264", "hevc": "libx265"}[codec], rate=Fraction(25))
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.options = settings
        stream.codec_context.thread_count = 1
        for index in range(pictures):
            texture = textures[index // 10 if restless else 0]
            straight = shift(index) if callable(shift) else shift * index
            place = round(9 * np.sin(index / 3)) if restless else straight
            grey = np.roll(texture, place, axis=1)[: size[1], : size[0]].astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def _texture(seed: int) -> NDArray[np.float32]:
    """Smooth grey noise (64, 512)."""
    texture = np.random.default_rng(seed).integers(0, 255, (64, 512)).astype(np.float32)
    for _ in range(3):
        texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1)) / 3
    return texture

"""Textures with enough contrast for a motion search: band-passed noise, stripes, checks, blobs, gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

KINDS = ("noise", "stripes", "checks", "blobs")
LUMA = np.array([0.299, 0.587, 0.114])

Colour = Tuple[float, float, float]


@dataclass(frozen=True)
class Texture:
    """A pattern between two colours (RGB, 0 to 255).

    `kind` is one of KINDS or "gradient"; `wavelength` in pixels where the pattern is shown unscaled; `angle` in
    radians; `seed` fixes the noise.
    """

    kind: str
    wavelength: float
    angle: float
    dark: Colour
    light: Colour
    seed: int


def draw_texture(rng: np.random.Generator, plain: float) -> Texture:
    """A texture of random kind and colours; `plain` is the chance of a nearly empty gradient."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    if rng.random() < plain:
        kind = "gradient"
    dark, light = _draw_colours(rng)
    return Texture(
        kind=kind,
        wavelength=rng.uniform(14, 34),
        angle=rng.uniform(0, 2 * np.pi),
        dark=dark,
        light=light,
        seed=int(rng.integers(2**31)),
    )


def _draw_colours(rng: np.random.Generator) -> Tuple[Colour, Colour]:
    """Two colours whose luma differs by 80 to 150 grey levels, each of its own hue."""
    low = rng.uniform(30, 90)
    levels = (low, low + rng.uniform(80, 150))
    pair = []
    for level in levels:
        hue = rng.uniform(-45, 45, 3)
        colour = np.clip(level + hue - hue @ LUMA, 0, 255)
        pair.append((float(colour[0]), float(colour[1]), float(colour[2])))
    return pair[0], pair[1]


def paint(texture: Texture, height: int, width: int) -> NDArray[np.float32]:
    """The texture as float32 RGB (height, width, 3), 0 to 255."""
    rng = np.random.default_rng(texture.seed)
    mix = _pattern(texture, height, width, rng)[..., None]
    dark, light = np.array(texture.dark, np.float32), np.array(texture.light, np.float32)
    return dark + (light - dark) * mix


def _pattern(texture: Texture, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The mix of the two colours, float32 (height, width) in [0, 1]."""
    grain = _noise(height, width, texture.wavelength, rng)
    if texture.kind == "noise":
        return _squash(1.1 * grain)
    if texture.kind == "blobs":
        return _squash(3.0 * _noise(height, width, 1.5 * texture.wavelength, rng) + 0.5 * grain)
    across, along = _rotated_grid(height, width, texture.angle)
    if texture.kind == "gradient":
        slope = across / max(height, width)
        return np.clip(0.5 + 0.35 * slope + 0.02 * grain, 0, 1).astype(np.float32)
    wave = 2 * np.pi / texture.wavelength
    if texture.kind == "stripes":
        return _squash(1.2 * np.sin(wave * across) + 0.8 * grain)
    return _squash(2.0 * np.sin(wave * across) * np.sin(wave * along) + 0.8 * grain)


def _squash(field: NDArray[np.floating]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (0.5 + 0.5 * np.tanh(field)).astype(np.float32)
    return unit


def _rotated_grid(height: int, width: int, angle: float) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows = np.arange(height, dtype=np.float32)[:, None] - height / 2
    columns = np.arange(width, dtype=np.float32)[None] - width / 2
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return columns * cos + rows * sin, rows * cos - columns * sin


def _noise(height: int, width: int, wavelength: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """Gaussian noise of unit variance with octaves from `wavelength` down to a quarter of it, falling as 1 / f."""
    white = rng.standard_normal((height, width), dtype=np.float32)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    octave = np.hypot(rows, columns) * wavelength
    gain = np.where(octave > 0.5, 1 / np.maximum(octave, 0.5), 0) * np.exp(-((octave / 4) ** 4))
    field = np.fft.irfft2(np.fft.rfft2(white) * gain, s=(height, width))
    unit: NDArray[np.floating] = field / field.std()
    return unit

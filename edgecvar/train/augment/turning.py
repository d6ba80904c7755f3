"""Rotation of all that a clip shows about the middle of the view, the vectors included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.spec import MOTION_LIMIT
from edgecvar.train.data.prepared import Array, PreparedClip, changed

Matrix = NDArray[np.float64]


def rotated(clip: PreparedClip, degrees: float, aspect: float = 1.0, limit: float = MOTION_LIMIT) -> PreparedClip:
    """The clip turned clockwise: vectors turn as the places do, and are cut at the limit.

    `aspect`: input pixels for one of the picture's across, over those for one down; other than 1 where the view is
    squashed. Into the corners comes what is nearest of images, and stillness.
    """
    turn = turning(degrees, aspect)
    back = turning(-degrees, aspect)

    def shown(images: Array) -> Array:
        return _moved(images, back, edge=True)

    return replace(
        clip,
        image=changed(clip.image, shown),
        adjacent=changed(clip.adjacent, shown),
        motion=_turned_vectors(clip.motion, turn, back, limit),
        residual=changed(clip.residual, lambda residual: _moved(residual, back, edge=False)),
        flow=changed(clip.flow, lambda flow: _turned_vectors(flow, turn, back, limit)),
        frame=changed(clip.frame, shown),
        intra=changed(clip.intra, lambda intra: _moved(intra, back, edge=False)),
    )


def turning(degrees: float, aspect: float = 1.0) -> Matrix:
    """(2, 2), for columns (x, y) with y down; in input pixels, which may be wider than high."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine * aspect], [sine / aspect, cosine]])


def _turned_vectors(field: Array, turn: Matrix, back: Matrix, limit: float) -> Array:
    moved = _moved(field, back, edge=False)
    vectors = np.einsum("ij,tjhw->tihw", turn.astype(np.float32), moved)
    return np.asarray(np.clip(vectors, -limit, limit), np.float32)


def _moved(planes: Array, back: Matrix, edge: bool) -> Array:
    """(T, C, h, w) where each place shows what was at `back` of it, between samples; outside the edge's, or 0."""
    height, width = planes.shape[2:]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    across, down = np.meshgrid(np.arange(width) - middle[0], np.arange(height) - middle[1])
    x = back[0, 0] * across + back[0, 1] * down + middle[0]
    y = back[1, 0] * across + back[1, 1] * down + middle[1]
    left, top = np.floor(x), np.floor(y)
    # A place's values side by side, so that each of four neighbours is fetched once for all planes.
    source = np.ascontiguousarray(planes.reshape(-1, height * width).T)
    total, part = np.zeros_like(source), np.empty_like(source)
    for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = left + right, top + below
        weight = np.abs(1 - right - (x - left)) * np.abs(1 - below - (y - top))
        if not edge:
            weight = weight * ((column >= 0) & (column < width) & (row >= 0) & (row < height))
        place = np.clip(row, 0, height - 1) * width + np.clip(column, 0, width - 1)
        np.take(source, place.astype(np.int64).ravel(), axis=0, out=part, mode="clip")
        part *= weight.astype(np.float32).reshape(-1, 1)
        total += part
    return np.ascontiguousarray(total.T).reshape(planes.shape)

"""The tests' fast HEVC prediction against the slow one, sample by sample: far outside and at every phase."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import List, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.types import MotionField
from tests.stream.hevc_prediction import TrueHevcPicture, predict
from tests.stream.known_clips import encode, translation
from tests.stream.slow_hevc import SlowHevcReference, plain, weighted
from tests.stream.true_decoder import planes_of

ROWS, COLUMNS = 6, 8  # 4x4 blocks


def noise(seed: int, depth: int) -> List[np.ndarray]:
    """Planes of the least and the greatest sample alone."""
    random = np.random.RandomState(seed)
    sizes = ((4 * ROWS, 4 * COLUMNS), (2 * ROWS, 2 * COLUMNS), (2 * ROWS, 2 * COLUMNS))
    kind = np.uint8 if depth == 8 else np.uint16
    return [(((1 << depth) - 1) * (random.rand(*size) > 0.5)).astype(kind) for size in sizes]


def motion(seed: int, reach: int) -> MotionField:
    random = np.random.RandomState(seed)
    mv = random.randint(-reach, reach, (2, ROWS, COLUMNS, 2)).astype(np.int16)
    offset = random.choice([0, -1, 2], (2, ROWS, COLUMNS)).astype(np.int16)
    offset[0][(offset == 0).all(axis=0)] = -1
    grid = np.zeros((ROWS, COLUMNS), bool)
    return MotionField(mv, offset, grid, grid, True)


def weights(seed: int, depth: int) -> SimpleNamespace:
    random = np.random.RandomState(seed)
    return SimpleNamespace(
        weight=random.randint(-128, 256, (2, ROWS, COLUMNS, 3)).astype(np.int16),
        offset=(random.randint(-128, 128, (2, ROWS, COLUMNS, 3)) << (depth - 8)).astype(np.int16),
        log2_denominator=random.randint(0, 8, (ROWS, COLUMNS, 3)).astype(np.uint8),
    )


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("reach", [40, 600])
@pytest.mark.parametrize("weighs", [False, True])
def test_as_the_slow_one(depth: int, reach: int, weighs: bool) -> None:
    field, table = motion(reach, reach), weights(reach, depth)
    planes = {-1: noise(1, depth), 2: noise(2, depth)}
    fast = {offset: TrueHevcPicture(made, (1 << depth) - 1) for offset, made in planes.items()}
    slow = {offset: SlowHevcReference(made, depth) for offset, made in planes.items()}
    made = predict(field, table if weighs else None, 0, fast, 3)
    assert made.known.all()
    places = [(plane, *at) for plane in range(3) for at in np.ndindex(made.planes[plane].shape)]
    for plane, y, x in places:
        at = (y // 4, x // 4) if plane == 0 else (y // 2, x // 2)
        lists = [which for which in (0, 1) if field.ref_offset[(which, *at)]]
        samples = [
            slow[int(field.ref_offset[(which, *at)])].sample(plane, x, y, tuple(field.mv_qpel[(which, *at)].tolist()))
            for which in lists
        ]
        expected = plain(samples, depth)
        if weighs:
            w, o = ([int(values[(which, *at, plane)]) for which in lists] for values in (table.weight, table.offset))
            expected = weighted(samples, w, o, int(table.log2_denominator[(*at, plane)]), depth)
        assert made.planes[plane][y, x] == expected


@pytest.mark.parametrize("depth", [8, 10])
def test_every_phase_and_every_edge(depth: int) -> None:
    """One vector a picture, so that each of the 16 (luma) and 64 (chroma) phases meets every edge."""
    planes = noise(3, depth)
    fast, slow = TrueHevcPicture(planes, (1 << depth) - 1), SlowHevcReference(planes, depth)
    row, column = (v.ravel() for v in np.mgrid[:ROWS, :COLUMNS])
    for step in range(64):
        mv = (step % 8 - 4 + 8 * (step % 5), step // 8 - 4 - 8 * (step % 3))
        for plane, side in ((0, 4), (1, 2)):
            made = fast.blocks(plane, side * column, side * row, np.tile([mv], (row.size, 1)))
            for n in range(step % 3, row.size, 3):
                y, x = np.unravel_index(n % (side * side), (side, side))
                expected = slow.sample(plane, side * column[n] + x, side * row[n] + y, mv)
                assert made[y, x, n] == expected


def decoded(path: Path) -> List[TrueHevcPicture]:
    """Pictures before the loop filters, in display order."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        context.options, context.thread_count = {"skip_loop_filter": "all", "apply_cropping": "0"}, 1
        return [TrueHevcPicture(*planes_of(frame)) for frame in container.decode(video=0)]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize("step", [(1.0, -2.0), (1.25, -0.5), (-0.75, 1.75), (2.5, 0.25)])
def test_as_ffmpeg_where_nothing_but_the_vector_is_coded(
    tmp_path: Path, pixel_format: str, step: Tuple[float, float]
) -> None:
    """Coarsely quantised, most blocks of a moving texture are their prediction: some vector must give them exactly."""
    parameters = "log-level=none:pools=none:frame-threads=1:bframes=0:ref=1:weightp=0:qp=40:keyint=50:scenecut=0"
    pictures = translation(4, (96, 128), step)
    path = encode(tmp_path / "clip.mp4", pictures, "libx265", {"x265-params": parameters}, 0, None, None, pixel_format)
    shown = decoded(path)
    assert len(shown) == len(pictures)
    for before, after in zip(shown, shown[1:]):
        found = np.zeros((12, 16), bool)
        for right, down in np.ndindex(9, 9):
            mv = np.round([right - 4 - 4 * step[0], down - 4 - 4 * step[1]])
            field = MotionField(
                np.tile(mv, (2, 24, 32, 1)).astype(np.int16),
                np.stack([np.full((24, 32), -1), np.zeros((24, 32))]).astype(np.int16),
                np.zeros((24, 32), bool),
                np.zeros((24, 32), bool),
                True,
            )
            made = predict(field, None, 0, {-1: before}, 3)
            same = [one == two for one, two in zip(made.planes, after.planes)]
            blocks = [
                flags.reshape(12, flags.shape[0] // 12, 16, flags.shape[1] // 16).all(axis=(1, 3)) for flags in same
            ]
            found |= np.all(blocks, axis=0)
        assert found[2:-2, 2:-2].mean() > 0.5

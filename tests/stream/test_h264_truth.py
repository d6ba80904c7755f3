"""The tests' fast prediction against the slow one, sample by sample: far outside the picture and at every phase."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgecvar.stream.types import MotionField
from tests.stream.h264_prediction import TruePicture, predict
from tests.stream.h264_truth import check_identity
from tests.stream.known_clips import encode_x264, translation
from tests.stream.slow_h264 import SlowReference

ROWS, COLUMNS = 8, 12  # 4x4 blocks


def noise(seed: int, dtype: type = np.uint8) -> list:
    random = np.random.RandomState(seed)
    sizes = ((4 * ROWS, 4 * COLUMNS), (2 * ROWS, 2 * COLUMNS), (2 * ROWS, 2 * COLUMNS))
    return [(255 * (random.rand(*size) > 0.5)).astype(dtype) for size in sizes]


def motion(seed: int, reach: int) -> MotionField:
    random = np.random.RandomState(seed)
    mv = random.randint(-reach, reach, (2, ROWS, COLUMNS, 2)).astype(np.int16)
    offset = random.choice([0, -1, 2], (2, ROWS, COLUMNS)).astype(np.int16)
    offset[0][(offset == 0).all(axis=0)] = -1
    weighted = random.rand(ROWS, COLUMNS) > 0.5
    return MotionField(mv, offset, np.zeros((ROWS, COLUMNS), bool), weighted, True)


def weights(seed: int) -> SimpleNamespace:
    random = np.random.RandomState(seed)
    return SimpleNamespace(
        weight=random.randint(-128, 128, (2, ROWS, COLUMNS, 3)).astype(np.int16),
        offset=random.randint(-128, 128, (2, ROWS, COLUMNS, 3)).astype(np.int16),
        log2_denominator=random.randint(0, 8, (ROWS, COLUMNS, 3)).astype(np.uint8),
    )


def slowly(field: MotionField, table: SimpleNamespace, references: dict, plane: int, x: int, y: int) -> int:
    side = 4 if plane == 0 else 2
    at = (y // side, x // side)
    found = []
    for which in (0, 1):
        offset = int(field.ref_offset[(which, *at)])
        if offset:
            mv_x, mv_y = (int(v) for v in field.mv_qpel[(which, *at)])
            slow = references[offset]
            sample = slow.luma(x, y, mv_x, mv_y) if plane == 0 else slow.chroma(plane, x, y, mv_x, mv_y)
            found.append((sample, int(table.weight[(which, *at, plane)]), int(table.offset[(which, *at, plane)])))
    d = int(table.log2_denominator[(*at, plane)])
    if not field.weighted[at]:
        return found[0][0] if len(found) == 1 else (found[0][0] + found[1][0] + 1) >> 1
    if len(found) == 2:
        (p0, w0, o0), (p1, w1, o1) = found
        value = ((p0 * w0 + p1 * w1 + 2**d) >> (d + 1)) + ((o0 + o1 + 1) >> 1)
    else:
        ((p, w, o),) = found
        value = p * w + o if d == 0 else ((p * w + 2 ** (d - 1)) >> d) + o
    return min(255, max(0, value))


@pytest.mark.parametrize("reach", [40, 600])
def test_as_the_slow_one(reach: int) -> None:
    field, table = motion(reach, reach), weights(reach)
    planes = {-1: noise(1), 2: noise(2)}
    fast = {offset: TruePicture(made) for offset, made in planes.items()}
    slow = {offset: SlowReference(made) for offset, made in planes.items()}
    made = predict(field, table, 0, fast, 3)
    assert made.known.all()
    for plane in range(3):
        expected = [
            [slowly(field, table, slow, plane, x, y) for x in range(made.planes[plane].shape[1])]
            for y in range(made.planes[plane].shape[0])
        ]
        np.testing.assert_array_equal(made.planes[plane], expected)


def test_every_phase_and_every_edge() -> None:
    """One vector a picture, so that each of the 16 (luma) and 64 (chroma) phases meets every edge."""
    planes = noise(3)
    fast, slow = TruePicture(planes), SlowReference(planes)
    row, column = (v.ravel() for v in np.mgrid[:ROWS, :COLUMNS])
    for step in range(64):
        mv = np.tile([[step % 8 - 4 + 8 * (step % 5), step // 8 - 4 - 8 * (step % 3)]], (row.size, 1))
        luma = fast.luma(4 * column, 4 * row, mv).view(np.uint8).reshape(-1, 4, 4)
        chroma = fast.chroma(2 * column, 2 * row, mv)
        for n in range(row.size):
            x, y = 4 * column[n] + n % 4, 4 * row[n] + n // 4 % 4
            assert luma[n, y % 4, x % 4] == slow.luma(x, y, *mv[n])
            x, y = 2 * column[n] + n % 2, 2 * row[n] + n // 2 % 2
            assert chroma[n, y % 2, x % 2, 0] == slow.chroma(1, x, y, *mv[n])


def test_wider_samples_give_the_same() -> None:
    field, table = motion(7, 90), weights(7)
    made = [
        predict(field, table, 0, {-1: TruePicture(noise(1, kind)), 2: TruePicture(noise(2, kind))}, 3)
        for kind in (np.uint8, np.uint16)
    ]
    for narrow, wide in zip(made[0].planes, made[1].planes):
        assert wide.dtype == np.uint16
        np.testing.assert_array_equal(narrow, wide)


def test_full_range_of_ten_bits_does_not_overflow() -> None:
    planes = [np.full(plane.shape, 1023, np.uint16) for plane in noise(1)]
    made = predict(motion(9, 50), None, 0, {-1: TruePicture(planes, 1023), 2: TruePicture(planes, 1023)}, 3)
    assert all((plane == 1023).all() for plane in made.planes)


def test_a_missing_reference_is_not_known() -> None:
    field = motion(11, 50)
    made = predict(field, None, 0, {-1: TruePicture(noise(1))}, 3)
    np.testing.assert_array_equal(made.known, ~(field.ref_offset == 2).any(axis=0))


@pytest.mark.parametrize("b_pictures", [0, 2])
def test_identity_holds_where_ffmpeg_tells_all(tmp_path: Path, b_pictures: int) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(12, (70, 98), (1.35, -0.6), patch=True), 24, b_pictures)
    report = check_identity(path, extraction="ffmpeg", loop_filter="nointra")
    assert report.inter_samples > 0 and report.wrong_samples == report.exempt_wrong == 0, report
    assert report.unknown_samples == report.without_truth == report.order_breaks == 0
    assert report.b_pictures > 0 or report.whole


def test_identity_fails_where_a_vector_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(6, (70, 98), (1.35, -0.6)), 24)
    taken = TruePicture.luma
    monkeypatch.setattr(TruePicture, "luma", lambda self, x, y, mv: taken(self, x, y, mv + 1))
    report = check_identity(path, extraction="ffmpeg", loop_filter="nointra")
    assert report.wrong_samples > 0 and "plane y" in report.first_wrong and not report.whole

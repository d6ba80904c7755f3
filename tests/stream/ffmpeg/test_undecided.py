"""Which list a partition uses, where FFmpeg's export leaves it open."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest

from edgecvar.stream.ffmpeg.prediction.sampling_h264 import H264Sampler, luma_of_cells
from edgecvar.stream.ffmpeg.undecided import drop_placeholders, settle_by_samples
from edgecvar.stream.planes import SampleFormat
from tests.stream.known_clips import texture

ROWS, COLUMNS = 6, 8


def planes(seed: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    luma = np.clip(texture(8 * ROWS, 8 * COLUMNS, seed), 0, 255).astype(np.uint8)
    return luma, luma[::2, ::2], luma[1::2, 1::2]


def vectors(seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(-90, 90, (2, ROWS, COLUMNS, 2)).astype(np.int16)


def test_few_cells_and_whole_planes_agree() -> None:
    reference, mv = planes(1), vectors(2)[0]
    where = np.random.RandomState(3).rand(ROWS, COLUMNS) < 0.7
    assert np.array_equal(
        H264Sampler(reference, SampleFormat()).predict(mv, where)[0], luma_of_cells(reference[0], 255, mv, where)
    )


@pytest.mark.parametrize("truth", ["first", "second", "both"])
def test_samples_decide(truth: str) -> None:
    everywhere = np.ones((ROWS, COLUMNS), bool)
    mv = vectors(4)
    mv[1 if truth == "first" else 0] = 0
    references = planes(5)[0], planes(6)[0]
    a, b = (luma_of_cells(references[which], 255, mv[which], everywhere).astype(int) for which in (0, 1))
    blocks = {"first": a, "second": b, "both": (a + b + 1) >> 1}[truth]
    own = blocks.reshape(ROWS, COLUMNS, 8, 8).transpose(0, 2, 1, 3).reshape(8 * ROWS, 8 * COLUMNS)
    used = np.ones((2, ROWS, COLUMNS), bool)
    assert settle_by_samples(mv, used, everywhere, own.astype(np.uint8), references, None, 255)
    assert used[0].all() == (truth != "second") and used[1].all() == (truth != "first")
    assert used.any(axis=0).all()


def test_an_unclear_choice_is_said_to_be_one() -> None:
    everywhere = np.ones((ROWS, COLUMNS), bool)
    mv = vectors(7)
    mv[1] = 0
    used = np.ones((2, ROWS, COLUMNS), bool)
    assert not settle_by_samples(mv, used, everywhere, planes(8)[0], (planes(5)[0], planes(6)[0]), None, 255)


def test_macroblocks_of_one_partition_are_left_alone() -> None:
    whole = np.zeros((ROWS, COLUMNS), bool)
    used = np.ones((2, ROWS, COLUMNS), bool)
    mv = np.zeros((2, ROWS, COLUMNS, 2), np.int16)
    assert drop_placeholders(mv, used, whole) and used.all()
    assert settle_by_samples(mv, used, whole, planes(1)[0], (planes(2)[0], planes(3)[0]), None, 255) and used.all()


def test_without_samples_a_zero_vector_gives_way() -> None:
    split = np.ones((1, 2), bool)
    mv = np.array([[[[0, 0], [0, 0]]], [[[4, 0], [0, 0]]]], np.int16)
    used = np.ones((2, 1, 2), bool)
    assert not drop_placeholders(mv, used, split)
    assert used.tolist() == [[[False, True]], [[True, True]]]

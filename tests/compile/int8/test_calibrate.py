"""Ranges: histograms of a stream, the three methods on distributions whose answer is known, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from edgecvar.compile.int8.calibrate import (  # noqa: E402
    BINS,
    Histogram,
    calibrate,
    entropy_bins,
    percentile_bins,
    ranges_by,
)
from edgecvar.errors import CompileError  # noqa: E402
from tests.compile.chains import chain, samples  # noqa: E402

pytestmark = pytest.mark.train

magnitudes = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)


@given(st.lists(magnitudes, min_size=1, max_size=6))
def test_a_histogram_counts_every_value_but_zero_wherever_its_range_ends(batches: List[List[float]]) -> None:
    histogram = Histogram()
    for batch in batches:
        histogram.add(np.array(batch, np.float32))
    values = np.abs(np.array([value for batch in batches for value in batch], np.float32))
    assert histogram.counts.sum() == np.count_nonzero(values)
    assert histogram.largest == values.max() <= histogram.range


def test_a_growing_range_merges_bins_in_pairs() -> None:
    histogram = Histogram()
    histogram.add(np.linspace(0, 1, BINS + 1, dtype=np.float32)[1:] - 0.5 / BINS)
    first = histogram.range
    histogram.add(np.array([-3.5 * first], np.float32))
    assert histogram.range == 4 * first
    assert histogram.counts[: BINS // 4].tolist() == [4] * (BINS // 4)
    assert histogram.counts[BINS // 4 :].sum() == histogram.counts[BINS * 7 // 8] == 1


def test_percentile_by_hand() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[[3, 100, 2000]] = [9000, 998, 2]
    assert percentile_bins(counts, 90) == 4
    assert percentile_bins(counts, 99.98) == 101
    assert percentile_bins(counts, 99.99) == 2001


def test_entropy_keeps_all_of_a_flat_distribution_and_clips_a_rare_tail() -> None:
    assert entropy_bins(np.full(BINS, 50)) == BINS
    places = np.arange(BINS)
    body = (1e6 * np.exp(-0.5 * (places / 60) ** 2)).astype(np.int64)
    tail = body.copy()
    tail[-1] += 3
    assert 128 <= entropy_bins(tail) <= np.flatnonzero(body)[-1] + 1


def test_entropy_of_few_levels_loses_nothing_at_full_range() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[:: BINS // 128] = 7
    assert entropy_bins(counts) >= BINS - BINS // 128


def test_methods_agree_on_where_they_lie() -> None:
    histogram = Histogram()
    rng = np.random.default_rng(0)
    for scale in (1, 3, 1):
        histogram.add(scale * rng.normal(size=(10, 5000)).astype(np.float32))
    assert histogram.threshold("minmax") == histogram.largest
    assert 0 < histogram.threshold("entropy") <= histogram.largest
    assert 0.5 * histogram.largest < histogram.threshold("percentile") < histogram.largest


def test_every_tensor_of_every_stage_gets_the_range_that_it_has(tmp_path: Path) -> None:
    specs, files, reference = chain(tmp_path)
    data = samples(20)
    ranges = ranges_by("minmax", calibrate(specs, files, data, 1))
    assert set(ranges) == {"look", "judge"} and set(ranges["look"]) == {"picture", "seen"}
    images = {id(each): each.image for sample in data for each in (sample.current, sample.neighbour)}
    assert ranges["look"]["picture"] == max(np.abs(image).max() for image in images.values())
    features = [np.abs(reference(sample)[0]).max() for sample in data]
    assert ranges["judge"]["joined"] == pytest.approx(max(features), rel=1e-5)
    assert ranges_by("entropy", calibrate(specs, files, data, 1)) == ranges_by("entropy", calibrate(specs, files, data))


def test_no_data_is_refused(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    with pytest.raises(CompileError, match="no samples to calibrate with"):
        calibrate(specs, files, [], 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_by_name(tmp_path: Path, value: float) -> None:
    specs, files, _ = chain(tmp_path)
    data = samples(3)
    image = data[1].current.image
    assert image is not None
    image[0, 0, 0] = value
    with pytest.raises(CompileError, match="stage look: tensor picture has NaN or infinite"):
        calibrate(specs, files, data, 1)


def test_a_tensor_that_is_always_zero_is_refused_by_name(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    data = samples(3)
    for sample in data:
        for each in (sample.current, sample.neighbour):
            assert each.image is not None
            each.image[:] = 0
    with pytest.raises(CompileError, match=r"stage look: tensors that are 0 in all 3 .*: picture, seen;"):
        calibrate(specs, files, data, 1)

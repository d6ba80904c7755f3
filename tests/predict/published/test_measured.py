"""The published latencies: every row names a device, a network and a source that exist."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from edgecvar.bundle.devices import DEVICES, require_precision
from edgecvar.predict.published.catalog import NETWORKS, draw
from edgecvar.predict.published.measured import Measured, published_measurements

ROWS = published_measurements()


def test_there_are_many_of_several_devices_and_networks() -> None:
    assert len(ROWS) >= 80
    fitted = [row for row in ROWS if row.fit]
    assert {row.device for row in fitted} == {
        "nano", "tx2", "xavier-nx", "agx-xavier", "orin-nano", "orin-nx", "agx-orin",
    }  # fmt: skip
    assert len({row.network for row in fitted}) >= 30


def test_every_row_can_be_predicted() -> None:
    for row in ROWS:
        require_precision(DEVICES[row.device], row.precision)
        assert row.network in NETWORKS
        assert len(row.input) == 3


def test_no_row_stands_twice_and_what_disagrees_says_so() -> None:
    asked = Counter((row.device, row.network, row.input, row.precision, row.batch, row.peak_scale) for row in ROWS)
    for row in ROWS:
        key = (row.device, row.network, row.input, row.precision, row.batch, row.peak_scale)
        if asked[key] > 1:
            assert row.note
    fitted = [row for row in ROWS if row.fit]
    assert len({(r.device, r.network, r.input, r.precision, r.batch, r.peak_scale) for r in fitted}) == len(fitted)


def test_no_row_beats_the_peak_of_its_device() -> None:
    for row in ROWS:
        device = DEVICES[row.device]
        assert device.peak_fp16_tflops is not None
        peak = {"fp32": device.peak_fp16_tflops / 2, "fp16": device.peak_fp16_tflops, "int8": device.peak_int8_tops}
        work = 2 * draw(row.network, row.precision, row.input, row.batch).multiply_adds
        assert work / (row.milliseconds / 1e3) < (peak[row.precision] or 0) * row.peak_scale * 1e12


def test_sources_can_be_found_again() -> None:
    for row in ROWS:
        assert row.source.title
        assert row.source.what
        if row.source.repository:
            assert len(row.source.commit) == 40
            assert row.source.path


def test_attp_is_only_judged() -> None:
    (attp,) = [row for row in ROWS if row.network == "attp"]
    assert (attp.device, attp.milliseconds, attp.fit, attp.source.seen) == ("tx2", 24.6, False, "facts page")


def test_a_row_with_a_word_too_many_is_refused() -> None:
    row = ROWS[0].model_dump()
    with pytest.raises(ValidationError, match="dla"):
        Measured.model_validate({**row, "dla": True})

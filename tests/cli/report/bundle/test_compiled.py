"""What is said of int8 stages that were chosen for a device."""

from __future__ import annotations

import io

from edgecvar.bundle.precision import Int8Record, KeptLayer, TimedChoice, UnpaidLayer
from edgecvar.cli.report.bundle.compiled import _print_int8
from edgecvar.console import Console

RECORD = Int8Record(
    data="clips",
    clips=["a.mp4"],
    samples=8,
    inputs_sha256="0" * 64,
    method="minmax",
    losses=[("minmax", 0.1)],
    max_drop=0.5,
    drop=0.25,
    searched=400,
    kept=[KeptLayer(stage="look", layer="first", loss=0.02, gain=0)],
    timed=TimedChoice(
        device="orin-nano",
        ms=3.25,
        int8_ms=3.0,
        fp16_ms=4.5,
        unpaid=[UnpaidLayer(stage="look", layer="deep[1]", ms=0.0125)],
    ),
)


def lines(record: Int8Record):
    out = io.StringIO()
    _print_int8(record, Console(file=out, width=200))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_times_and_both_kinds_of_fp16_layers_are_told_apart():
    told = lines(RECORD)
    timed = (
        "int8 for orin-nano, predicted: 3.250 ms of the stages a sampled picture; all in int8 3.000, all in fp16 4.500"
    )
    assert timed in told
    unpaid = told.index("1 layers stay fp16 because int8 does not pay there:")
    kept = told.index("1 layers stay fp16 for what int8 costs:")
    assert told[unpaid + 2] == "look deep[1] 0.0125" and told[kept + 2] == "look first 0.0 kB 0.02"


def test_without_a_device_nothing_is_said_of_times():
    assert not any("predicted:" in line for line in lines(RECORD.model_copy(update={"timed": None})))

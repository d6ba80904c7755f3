"""What streams at the same time came to, as a table and as a document."""

from __future__ import annotations

import pytest

from edgecvar.bench.streams.together_session import TogetherSession, TogetherTrial
from edgecvar.cli.report.streams.together import print_together, together_document
from edgecvar.console import Console


@pytest.fixture
def session():
    trial = {
        "seconds": 10.0,
        "decisions": 150,
        "fewest": 45,
        "most": 60,
        "read_ms": (1.0, 2.0, 3.0),
        "sent_ms": (4.0, 5.0, 6.0),
        "batches": 50,
        "launches": 150,
        "cpu_seconds": 5.0,
        "machine_busy": 0.5,
        "load": 2.0,
        "resident_bytes": (100 << 20, 110 << 20),
        "peak_bytes": 120 << 20,
        "threads": 9,
    }
    alone = {**trial, "sent_ms": None, "batches": 150, "machine_busy": None}
    return TogetherSession(
        bundle="some.edgecvar",
        untrained=True,
        runner="onnxruntime-cpu-fp32",
        precision="fp32",
        sources=["one.mp4"],
        streams=3,
        max_batch=8,
        cores=2,
        machine={"cores": "2"},
        trials=[TogetherTrial(way="batches", **trial), TogetherTrial(way="one by one", **alone)],
    )


def test_the_document_has_what_the_trials_come_to(session):
    batches, alone = together_document(session)["trials"]
    assert (batches["decisions_per_second"], batches["fairness"]) == (15.0, 0.75)
    assert (batches["launches_per_batch"], alone["launches_per_batch"]) == (3.0, 1.0)
    assert batches["growth"] == pytest.approx(0.1)


def test_the_table_has_both_ways(session, capsys):
    print_together(session, Console(width=200))
    shown = capsys.readouterr().out
    for part in (
        "UNTRAINED",
        "3 streams of one.mp4",
        "1.0 / 2.0 / 3.0",
        "4.0 / 5.0 / 6.0",
        "45 to 60",
        "0.50",
        "50%, load 2.0",
        "-, load 2.0",
        "+10.0%",
        "at most 8",
    ):
        assert part in shown

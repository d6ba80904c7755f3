"""Real media broken in twelve ways: no crash, no hang, no error but ours, bounded memory, the same numbers twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stream.mutants import reading
from tests.stream.mutants.campaign import campaign
from tests.stream.mutants.mutators import MUTATORS

SEEDS = range(30)
"""A part of the two thousand that `python -m tests.stream.mutants.campaign 0 2000` reads."""


@pytest.mark.real_media
def test_mutants_of_real_media_are_read_or_refused() -> None:
    reports = list(campaign(SEEDS))
    assert [report["seed"] for report in reports] == list(SEEDS)
    assert [report for report in reports if report["faults"]] == []
    assert {report["mutator"] for report in reports} == set(MUTATORS)


@pytest.mark.real_media
def test_a_fault_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digests = iter(range(100))
    monkeypatch.setattr(reading, "read", lambda *arguments: str(next(digests)))
    monkeypatch.setattr(reading, "survey", lambda path: [][0])
    monkeypatch.setattr(reading, "CEILING_MB", 1)
    faults = " ".join(reading.examine(0, tmp_path)["faults"])
    assert "native: not the same numbers twice" in faults and "anatomy: IndexError" in faults and " MB" in faults


@pytest.mark.real_media
def test_a_mutant_that_kills_or_hangs_is_told_and_the_rest_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import os, sys, time; print('{\"begins\": %s}' % sys.argv[-1], flush=True); "
    for last, said in (("os.kill(os.getpid(), 11)", "SIGSEGV"), ("time.sleep(60)", "hangs")):
        monkeypatch.setattr("tests.stream.mutants.campaign.COMMAND", ("-c", program + last))
        (report,) = campaign([7], patience=2.0)
        assert report["seed"] == 7 and said in report["faults"][0]

"""How far a scan is, in words."""

from __future__ import annotations

from typing import List, Tuple

from edgecvar.scan.progress import ScanProgress


def test_what_is_left_is_reckoned_by_bytes_and_failures_are_counted() -> None:
    told: List[Tuple[int, int, str]] = []
    now = [0.0]
    progress = ScanProgress(lambda *said: told.append(said), 3, 1000, clock=lambda: now[0])
    now[0] = 100.0
    progress.advance(200, done=False)
    progress.advance(50, done=True)
    now[0] = 200.0
    progress.advance(250, done=True, failed=True)
    assert told == [
        (0, 3, "sources"),
        (0, 3, "sources, about 7 min left"),
        (1, 3, "sources, about 5 min left"),
        (2, 3, "sources, 1 failed, about 3 min left"),
    ]


def test_sources_whose_sizes_nobody_knows_count_alike() -> None:
    told: List[str] = []
    now = [0.0]
    progress = ScanProgress(lambda done, total, what: told.append(what), 4, 0, clock=lambda: now[0])
    now[0] = 30.0
    progress.advance(0, done=True)
    assert told[-1] == "sources, about 2 min left"

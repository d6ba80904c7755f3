"""A file at the pace of a camera."""

from __future__ import annotations

from typing import List

import pytest

from edgecvar.bundle.default import default_clip
from edgecvar.stream.live.paced import PacedStream
from edgecvar.stream.reader import open_stream


class Clock:
    """Time that passes only while it is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("edgecvar.stream.live.paced.time.perf_counter", lambda: self.now)
        monkeypatch.setattr(PacedStream, "_left_within", lambda stream, seconds: self.wait(stream, seconds))

    def wait(self, stream: PacedStream, seconds: float) -> bool:
        self.now += max(0.0, seconds)
        return stream._leaving.is_set()


def test_pictures_arrive_at_the_files_own_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    arrived: List[float] = []
    with PacedStream(open_stream(default_clip(), on_demand=True)) as stream:
        fps = float(stream.info.fps)
        for picture in stream:
            assert picture.arrived == clock.now
            arrived.append(clock.now)
            if len(arrived) == 10:
                clock.now += 5 / fps  # a reader that is slow is given the next ones at once
    assert arrived[9] == pytest.approx(100 + 9 / fps)
    assert arrived[10:14] == [arrived[10]] * 4 and arrived[-1] == pytest.approx(100 + (len(arrived) - 1) / fps)
    assert stream.summary.pictures == len(arrived)


def test_who_waits_for_a_picture_can_be_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    with PacedStream(open_stream(default_clip(), on_demand=True)) as stream:
        pictures = iter(stream)
        next(pictures)
        stream.leave()
        assert list(pictures) == []

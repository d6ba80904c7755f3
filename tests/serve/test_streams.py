"""Sources on a station: begun again when they fail, played again at their end, heard by whoever is to hear them."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import open_bundle
from edgecvar.run.event_settings import EventSettings
from edgecvar.runners.choice import RunnerChoice
from edgecvar.serve import streams as streams_module
from edgecvar.serve.board import Board
from edgecvar.serve.configuration.config import SourceConfig
from edgecvar.serve.lane import Lane
from edgecvar.serve.log import Log
from edgecvar.serve.outlets import Outlets
from edgecvar.serve.session import Hearing, Session
from edgecvar.serve.streams import Streams
from edgecvar.sinks.clips.event_clips import ClipSettings
from edgecvar.sinks.delivery.opening import DeliveryOptions
from edgecvar.stream.live import PacedStream
from edgecvar.stream.reader import open_stream
from tests.stream.rtsp import serving as rtsp_serving

BUNDLE = open_bundle(default_bundle())


class Kept:
    """Streams, and all that hears of them."""

    def __init__(self, folder: Path, clips: bool = False, **events: Any) -> None:
        self.board, self.out = Board(), io.StringIO()
        self.outlets = Outlets(DeliveryOptions(folder / "spool"))
        self.hearing = Hearing(
            BUNDLE.manifest.labels,
            EventSettings(hold=0.0, shortest=0.0, **events),
            ClipSettings(clips=folder) if clips else None,
            self.outlets.open([]),
        )
        self.streams = Streams(BUNDLE, RunnerChoice())

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *exc: object) -> None:
        self.streams.close()
        self.outlets.close(0.0)

    def add(self, name: str, uri: str, again: bool = False) -> Lane:
        lane = Lane(name, uri, added=False)
        self.board.add(lane)
        log = Log("json", self.out)
        source = SourceConfig(uri=uri, again=again, every=1)
        self.streams.add(name, source, lambda: Session(lane, self.board, log, self.hearing))
        return lane

    def until(self, true: Callable[[], object], seconds: float = 60) -> None:
        """Tend them until something is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.out.getvalue()
            self.streams.tend()
            time.sleep(0.02)

    @property
    def said(self) -> List[str]:
        return [json.loads(line)["event"] for line in self.out.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def never_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come as fast as they are read."""
    monkeypatch.setattr(PacedStream, "_left_within", lambda self, seconds: self._leaving.is_set())


def test_a_file_ends_and_has_its_events_and_their_clips(tmp_path: Path) -> None:
    with Kept(tmp_path, clips=True) as kept:
        lane = kept.add("door", str(default_clip()))
        kept.until(lambda: lane.state[0] == "ended")
        kept.until(lambda: all(each.clip is not None for each in kept.board.events()))
        events = kept.board.events()
        assert len(events) > 3 and all(each.event.end_seconds is not None for each in events)
        assert all(each.clip is not None and each.clip.is_file() for each in events)
        counts = lane.document()["counts"]
        assert lane.document()["decisions"] == counts["sampled"] > 50
    assert kept.said.count("event begins") == kept.said.count("event ends") == len(events)


def test_a_file_begins_again_at_its_end(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        lane = kept.add("door", str(default_clip()), again=True)
        kept.until(lambda: lane.document()["opened"] >= 3)
        assert lane.state[0] in ("running", "waiting")
        numbers = [each.number for each in kept.board.events()]
        assert numbers == sorted(set(numbers))


def test_what_fails_is_away_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "FIRST_WAIT", 0.05)
    file = tmp_path / "later.mp4"
    with Kept(tmp_path) as kept:
        lane = kept.add("door", str(file))
        kept.until(lambda: lane.state[0] == "away")
        assert lane.state[1] == "no such file"  # without its name, which stands beside it
        file.write_bytes(default_clip().read_bytes())
        kept.until(lambda: lane.state[0] == "ended")
        assert lane.document()["decisions"] > 50


def test_a_camera_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        lane = kept.add("roof", "rtsp://127.0.0.1:9/x")
        kept.until(lambda: lane.state[0] == "away")
        assert "it is waited for" in lane.state[1] and "--" not in lane.state[1]
        kept.streams.remove("roof")


def test_who_hears_of_it_changes_while_it_runs(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        lane = kept.add("door", str(default_clip()), again=True)
        kept.until(lambda: lane.document()["decisions"] > 20)
        first = kept.outlets.open([f"sqlite:{tmp_path / 'a.db'}"])
        assert kept.outlets.open([f"sqlite:{tmp_path / 'a.db'}"]) is first
        kept.hearing = Hearing(
            BUNDLE.manifest.labels, EventSettings(background=tuple(BUNDLE.manifest.labels)), None, first
        )
        kept.streams.use(kept.hearing)
        told = len(kept.board.events())
        kept.until(lambda: lane.document()["opened"] >= 4)
        assert len(kept.board.events()) == told and all(each.event.end_seconds for each in kept.board.events())
        kept.outlets.keep([])
    assert (tmp_path / "a.db").stat().st_size > 0


def test_a_camera_that_comes_back_has_events_and_clips_again(tmp_path: Path) -> None:
    """Its clips are of what came after it was back: numbers and times of packets go on."""
    with rtsp_serving() as server, Kept(tmp_path, clips=True, on=0.2, off=0.19, smoothing=0.0) as kept:
        lane = kept.add("yard", server.uri())
        kept.until(lambda: lane.document()["decisions"] > 60)
        server.kill()
        kept.until(lambda: lane.state[0] == "away")
        before, events = lane.document()["decisions"], len(kept.board.events())
        server.start("wide")
        kept.until(lambda: lane.state[0] == "running" and lane.document()["decisions"] > before + 240)
        counts = lane.document()["counts"]
        assert counts["breaks"] >= 1 and counts["away_seconds"] > 0 and lane.document()["opened"] == 1
        kept.streams.remove("yard")
        assert len(kept.board.events()) > events > 0
        for each in kept.board.events():
            assert each.clip is not None
            with open_stream(each.clip) as clip:
                pictures = list(clip)
                assert clip.summary.skipped == 0
            assert pictures[0].kind == "I" and len(pictures) > 5
            assert clip.info.width == (320 if each.number < events else 640)
    assert kept.said.count("stream away") >= 1

"""A real RTSP server: TCP and UDP, with and without B-pictures; it goes and comes back, refuses, or changes."""

from __future__ import annotations

import threading
import time
from functools import partial
from itertools import islice
from typing import Any, List

import pytest

from edgecvar.errors import RefusedError, StreamError
from edgecvar.stream.live import LiveStream, Patience
from edgecvar.stream.live.trial import try_source
from edgecvar.stream.reader import open_stream
from tests.stream.rtsp import serving

QUICK = Patience(first=0.05, longest=0.3)
ONCE = Patience(reconnect=False)
UNHURRIED = Patience(first=0.05, longest=0.3, late=60)
"""Nothing falls while a server is started anew, which takes more than a second where the machine is busy."""


def live(uri: str, patience: Patience = QUICK, said: Any = None) -> LiveStream:
    opening = partial(open_stream, timeout=15, on_demand=True)
    return LiveStream(uri, opening, patience, (lambda line: None) if said is None else said.append)


@pytest.mark.parametrize(
    "words, kinds",
    [((), "I" + "P" * 14), (("udp",), "I" + "P" * 14), (("bframes",), "IPBBPBBPBBPBBPB"), (("bframes", "udp"), "")],
)
def test_it_is_read_by_tcp_and_where_the_server_takes_none_by_udp(words: Any, kinds: str) -> None:
    with serving(*words) as server, live(server.uri(), ONCE) as stream:
        assert (stream.info.width, stream.info.height, stream.info.extraction) == (320, 240, "native")
        pictures = list(islice(stream, 75))
        times = [picture.pts_seconds for picture in sorted(pictures, key=lambda picture: picture.display_index)]
        assert all(early < late for early, late in zip(times, times[1:]))
        assert all(picture.arrived is not None for picture in pictures)
        # A datagram may be lost where the machine is busy; what is whole has the kinds of the encoder.
        text = "".join(picture.kind for picture in pictures)
        assert kinds * 3 in text if "udp" not in words else "IP" in text
        assert [picture.decode_index for picture in pictures] == list(range(75))


def test_a_server_that_is_killed_and_comes_back_is_read_on(tmp_path: Any) -> None:
    said: List[str] = []
    with serving() as server, live(server.uri(), UNHURRIED, said) as stream:
        threads = None
        pictures, breaks = [], []
        for picture in stream:
            if picture.opens is not None:
                breaks.append((len(pictures), picture.opens.reason))
                assert picture.kind == "I"
            pictures.append(picture)
            if len(breaks) == 3 and len(pictures) > breaks[-1][0] + 20:
                break
            if len(pictures) == (breaks[-1][0] if breaks else 0) + 30:  # well into each connection
                threads = threads or threading.active_count()
                server.kill()
                server.start(*(["wide"] if len(breaks) == 1 else []))
        assert [reason for _, reason in breaks] == ["reconnected"] * 3
        assert {picture.opens.info.width for picture in pictures if picture.opens} == {320, 640}
        for numbers in ([p.decode_index for p in pictures], [p.display_index for p in pictures]):
            assert numbers == sorted(set(numbers))
        times = [picture.pts_seconds for picture in pictures]
        assert all(early < late for early, late in zip(times, times[1:]))
        counts = stream.summary
        assert counts.pictures >= len(pictures) and counts.breaks == {"reconnected": 3}
        assert counts.live is not None and counts.live.reconnections == 3 and counts.live.dropped == 0
        assert sum(counts.live.failures.values()) >= 3 and counts.live.away_seconds > 0
        assert sum(": there, after" in line for line in said) == 3
        assert threading.active_count() <= (threads or 0) + 1  # the one that was left may still be closing


def test_what_a_server_refuses_is_said_once_in_a_line_and_waited_for_or_raised() -> None:
    with serving("password") as server:
        for uri, words in (
            (server.uri(), "401"),
            (server.uri(user="user:wrong@"), "user:***@"),
        ):
            with pytest.raises(RefusedError, match="401 Unauthorized") as caught, live(uri, ONCE) as stream:
                _ = stream.info
            assert words in str(caught.value) and "wrong" not in str(caught.value)
        said: List[str] = []
        with live(server.uri(user="user:wrong@"), said=said) as stream:
            waiting = threading.Thread(target=ask, args=(stream,))
            waiting.start()
            while not said or stream.summary.live.failures == {}:  # type: ignore[union-attr]
                time.sleep(0.02)
            time.sleep(0.5)  # it has asked again
            stream.leave()
            waiting.join(10)
            assert not waiting.is_alive() and len(said) == 1 and "wrong" not in said[0]
            assert "401 Unauthorized" in said[0] and "user:***@" in said[0]
        with live(server.uri(user="user:secret@"), ONCE) as stream:
            assert next(iter(stream)).kind == "I"


def ask(stream: LiveStream) -> None:
    with pytest.raises(StreamError, match="closed before it could be opened"):
        _ = stream.info


def test_the_password_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECVAR_USER", "user")
    monkeypatch.setenv("EDGECVAR_PASSWORD", "secret")
    with serving("password") as server, live(server.uri(), ONCE) as stream:
        assert "secret" not in repr(stream) and next(iter(stream)).kind == "I"


def test_a_camera_of_hevc_is_read_and_read_on_when_it_comes_back() -> None:
    with serving() as server, live(server.uri("h265"), UNHURRIED) as stream:
        assert (stream.info.codec, stream.info.width, stream.info.extraction) == ("hevc", 320, "native")
        assert not stream.info.has_b_pictures
        kinds, opens = "", 0
        for picture in stream:
            assert picture.opens is None or picture.kind == "I"
            opens += picture.opens is not None
            kinds += picture.kind
            if picture.motion is not None:
                assert picture.motion.exact
            if picture.kind == "I":
                assert picture.image is not None and picture.image.shape == (240, 320, 3)
            if len(kinds) == 40:
                server.kill()
                server.start()
            if len(kinds) > 60 and opens:
                break
        assert "I" + "P" * 14 in kinds and "B" not in kinds
        assert stream.summary.skipped == 0 and stream.summary.damaged <= 1  # what was cut off when it was killed


def test_what_a_camera_of_hevc_sends_is_told() -> None:
    with serving() as server:
        trial = try_source(server.uri("h265"), 0.7, 15)
    assert (trial.info.codec, trial.profile, trial.gop, trial.b_pictures) == ("hevc", "Main", 15, 0)
    assert trial.pictures >= 30 and not any("H.264" in change or "B-pictures" in change for change in trial.changes)


def test_what_is_not_there_and_what_cannot_be_read() -> None:
    with serving() as server:
        with pytest.raises(RefusedError, match="/none: Server returned 404"), live(server.uri("none"), ONCE) as stream:
            _ = stream.info
        server.kill()
        away = Patience(first=0.05, longest=0.1, wait=0.5)
        with pytest.raises(StreamError, match=r"refused.*given up, as it was away for \d s"), live(
            server.uri(), away
        ) as stream:
            _ = stream.info

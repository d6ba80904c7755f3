"""Pictures parsed ahead on threads: what is given, and when an error comes, is the same however many there are."""

from __future__ import annotations

import io
import itertools
import os
import signal
import time
from collections import deque
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Deque, List, Optional, Tuple

import pytest

from edgecvar.errors import EdgecvarError, StreamError
from edgecvar.stream.native import _core, ahead
from edgecvar.stream.reader import open_stream
from tests.stream.native.small_streams import damaged, line, outcome

THREADS = (2, 3, 8)
MEDIA = Path(__file__).resolve().parents[4] / "shared" / "media"
FILES = sorted(path for folder in ("clips", "h264", "odd") for path in (MEDIA / folder).glob("*") if path.is_file())
PICTURES = 60


def parsed(packets: List[bytes], threads: int) -> List[Any]:
    """What the core says to each packet, and digests of all that its pictures hold."""
    parser = _core.Parser("h264", b"", threads)
    waiting: Deque[Any] = deque()
    said: List[Any] = []
    numbers = itertools.count()

    def finish() -> None:
        given = waiting.popleft()
        said.append([outcome(picture, next(numbers)) for picture in given] if isinstance(given, list) else given)

    for number, packet in enumerate(packets):
        try:
            waiting.append(parser.parse(packet, number))
        except (_core.Damage, _core.Unsupported) as error:
            waiting.append(repr(error))
        said.append(parser.parameter_sets())
        if len(waiting) > parser.ahead:
            finish()
    while waiting:
        finish()
    return sorted(said, key=lambda each: isinstance(each, bytes))  # stable: sets last, each in their order


@pytest.mark.parametrize("threads", THREADS)
def test_a_sound_stream_is_the_same(clip: List[bytes], threads: int) -> None:
    one = parsed(clip, 1)
    assert sum(isinstance(each, list) and len(each) for each in one) == 36
    assert parsed(clip, threads) == one


def test_a_damaged_stream_is_the_same(clip: List[bytes]) -> None:
    chance = Random(1)
    refused = concealed = 0
    for number in range(30):
        packets = damaged(clip, chance)
        one = parsed(packets, 1)
        assert parsed(packets, THREADS[number % len(THREADS)]) == one
        refused += sum(picture[4] for each in one if isinstance(each, list) for picture in each)
        concealed += sum(picture[5][1] > 0 for each in one if isinstance(each, list) for picture in each)
    assert refused > 0 and concealed > 100


def test_a_picture_is_parsed_though_its_parser_is_gone(clip: List[bytes]) -> None:
    one = [picture for each in parsed(clip[:12], 1) if isinstance(each, list) for picture in each]
    parser = _core.Parser("h264", b"", 2)
    pictures = [picture for number, packet in enumerate(clip[:12]) for picture in parser.parse(packet, number)]
    del parser
    assert [outcome(picture, index) for index, picture in enumerate(pictures)] == one


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_lets_go_of_a_parser_whose_threads_it_has_not(clip: List[bytes]) -> None:
    parser = _core.Parser("h264", b"", 2)
    for number, packet in enumerate(clip[:12]):
        parser.parse(packet, number)
    child = os.fork()
    if child == 0:
        del parser
        os._exit(7)
    ended, patience = (0, 0), 300
    while not ended[0] and patience:
        ended, patience = os.waitpid(child, os.WNOHANG), patience - 1
        time.sleep(0.1)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
    assert ended[1] >> 8 == 7


def read(data: bytes, threads: Optional[int], extraction: str = "native") -> Tuple[List[str], str]:
    """A line of each picture, and how it ended."""
    lines: List[str] = []
    try:
        with open_stream(io.BytesIO(data), extraction, threads=threads) as stream:
            lines += [line(picture) for picture in stream]
            return lines, f"{stream.summary.reasons} {stream.summary.damage}"
    except EdgecvarError as error:
        return lines, str(error)


def test_a_reading_gives_the_same(clip: List[bytes]) -> None:
    one = read(b"".join(clip), 1)
    assert len(one[0]) == 36
    for threads in (None, *THREADS):
        assert read(b"".join(clip), threads) == one


def test_what_cannot_be_parsed_ends_the_pictures_where_it_stands(clip: List[bytes]) -> None:
    layer = b"\0\0\0\1" + bytes([0x74, 1, 2, 3])  # unit type 20, of a layer: it persists
    data = b"".join(clip[:20] + [packet + layer for packet in clip[20:]] * 3)
    one = read(data, 1)
    assert 36 > len(one[0]) > 0 or "native core cannot read it" in one[1]
    for threads in THREADS:
        assert read(data, threads) == one


def test_an_error_of_the_source_comes_behind_the_pictures_before_it(clip: List[bytes]) -> None:
    def packets() -> Any:
        yield from clip[:5]
        raise StreamError("gone")

    for threads in (1, 3):
        parsing = ahead.ParsingAhead(_core, "h264", b"", threads)
        given = []
        with pytest.raises(StreamError, match="gone"):
            for packet in parsing.packets(packets()):
                given.append((packet, len(parsing.parsed.pictures())))
        assert given == [(packet, 1) for packet in clip[:5]]
        parsing.close()
        parsing.close()


def test_large_pictures_are_few_ahead(clip: List[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: List[bytes] = []

    def packets() -> Any:
        for packet in clip:
            taken.append(packet)
            yield packet

    for most, expected in ((ahead.MOST_SAMPLES, _core.Parser("h264", b"", 2).ahead + 1), (3 * 80 * 96, 4), (1, 1)):
        monkeypatch.setattr(ahead, "MOST_SAMPLES", most)
        taken.clear()
        next(iter(ahead.ParsingAhead(_core, "h264", b"", 2).packets(packets())))
        assert len(taken) == expected
    assert _core.Parser("h264", b"", 1).ahead == _core.Parser("h264", b"").ahead == 0


def test_a_stream_can_be_closed_while_pictures_are_underway(clip: List[bytes]) -> None:
    for taken in (0, 1, 7):
        with open_stream(io.BytesIO(b"".join(clip)), threads=3) as stream:
            assert len(list(itertools.islice(stream, taken))) == taken
    stream = open_stream(io.BytesIO(b"".join(clip) * 20), threads=3)
    closing = Thread(target=stream.close)
    with pytest.raises(StreamError, match="closed while"):
        for picture in stream:
            if picture.decode_index == 9:
                closing.start()
    closing.join()


def test_no_fewer_than_one_thread() -> None:
    with pytest.raises(StreamError, match="threads=0: expected at least 1"):
        open_stream("clip.mp4", threads=0)


@pytest.mark.real_media
@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])
def test_real_media_are_the_same(media: Path, path: Path) -> None:
    """On threads, and of every third picture on demand."""

    def first(step: int = 1, **how: Any) -> List[str]:
        try:
            with open_stream(path, "native", **how) as stream:
                return [line(picture) for picture in itertools.islice(stream, 0, PICTURES, step)]
        except EdgecvarError as error:
            return [str(error)]

    one = first(threads=1)
    assert first(threads=3) == one
    assert first(3, on_demand=True) == first(3, threads=1)

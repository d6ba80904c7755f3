"""Pictures parsed when something is asked of them: what they give is the same, and the others cost nothing."""

from __future__ import annotations

import io
import itertools
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Dict, List, Sequence

import pytest

from edgecvar.stream.native import _core
from edgecvar.stream.reader import open_stream
from tests.stream.native.small_streams import damaged, line, outcome


def pictures(packets: Sequence[bytes], on_demand: bool) -> List[_core.Picture]:
    """All that the core gives, each with a display index."""
    parser, found = _core.Parser("h264", b"", 1, on_demand), []
    for number, packet in enumerate(packets):
        try:
            found += parser.parse(packet, number)
        except (_core.Damage, _core.Unsupported):
            continue
    for index, picture in enumerate(found):
        picture.display_index = index
    return found


def outcomes(found: Sequence[_core.Picture], order: Sequence[int]) -> Dict[int, Any]:
    return {index: outcome(found[index], index) for index in order}


def broken_inside(packet: bytes) -> bytes:
    """The packet, its last slice damaged so that parsing shows it and the header does not."""
    return packet[: len(packet) - (len(packet) - packet.rindex(b"\0\0\1")) // 2]


@pytest.mark.parametrize("order", ["forwards", "backwards", "at random", "some"])
def test_what_is_asked_is_the_same_in_whatever_order(clip: List[bytes], order: str) -> None:
    found = pictures(clip, True)
    indices = list(range(len(found)))
    if order == "backwards":
        indices.reverse()
    elif order == "at random":
        Random(2).shuffle(indices)
    elif order == "some":
        indices = indices[2::5]
    assert len(found) == 36
    assert outcomes(found, indices) == outcomes(pictures(clip, False), indices)


def test_of_a_damaged_stream_too(clip: List[bytes]) -> None:
    chance = Random(3)
    concealed = 0
    for _ in range(30):
        packets = damaged(clip, chance)
        found = pictures(packets, True)
        indices = list(range(len(found)))
        chance.shuffle(indices)
        given = outcomes(found, indices)
        assert given == outcomes(pictures(packets, False), indices)
        concealed += sum(each[5][1] > 0 for each in given.values())
    assert concealed > 100


def test_a_picture_is_parsed_though_those_before_it_are_gone(clip: List[bytes]) -> None:
    expected = outcomes(pictures(clip, False), range(36))
    for number in range(36):
        found = pictures(clip[: number + 1], True)
        last = found.pop()
        found.clear()
        assert outcome(last, number) == expected[number]


def test_threads_may_ask_at_once(clip: List[bytes]) -> None:
    expected = outcomes(pictures(clip, False), range(36))
    for seed in range(5):
        found = pictures(clip, True)
        order = [*range(36)] * 3
        Random(seed).shuffle(order)
        with ThreadPoolExecutor(4) as pool:
            given = pool.map(outcome, [found[index] for index in order], order)
            assert list(given) == [expected[index] for index in order]


def test_damage_is_counted_where_it_is_looked_at_and_once(clip: List[bytes]) -> None:
    packets = [broken_inside(packet) if 12 <= number < 24 else packet for number, packet in enumerate(clip)]
    data = b"".join(packets)
    with open_stream(io.BytesIO(data), "native") as stream:
        everything = [picture.kind for picture in stream]
        assert stream.summary.damaged >= 9
    for asked in ([], [15], [14, 17, 20]):
        with open_stream(io.BytesIO(data), "native", on_demand=True) as stream:
            kinds = []
            for picture in stream:
                kinds.append(picture.kind)
                if picture.decode_index in asked and picture.kind != "I":
                    assert picture.motion is not None and picture.residual is not None and picture.parsed is not None
            assert kinds == everything
            assert stream.summary.damaged == len(asked), stream.summary.damage


def test_a_reading_gives_the_same(clip: List[bytes]) -> None:
    data = b"".join(clip)
    for step in (1, 3, 4):
        with open_stream(io.BytesIO(data), "native") as stream:
            one = [line(picture) for picture in itertools.islice(stream, 0, None, step)]
        with open_stream(io.BytesIO(data), "native", on_demand=True) as stream:
            assert [line(picture) for picture in itertools.islice(stream, 0, None, step)] == one


@pytest.mark.parametrize("held", [False, True])
def test_pictures_that_nobody_asks_are_not_kept(clip: List[bytes], held: bool) -> None:
    """However long a stream is: what is to be parsed of a picture goes with it, and with those that may need it.

    In a process of its own: one that ran other tests has memory to spare, and grows by less than it takes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        assert (process.submit(growth, clip, held).result() > 120 << 20) == held


def growth(clip: List[bytes], held: bool) -> int:
    """Bytes by which this process grows over 180 packets of a MiB each that nobody asks for anything."""
    parser, kept = _core.Parser("h264", b"", 1, True), []
    large = [packet + b"\x55" * (1 << 20) for packet in clip]  # as if the last slice were as large
    before = resident()
    for number, packet in enumerate(large * 5):
        found = parser.parse(packet, number)
        kept += found if held else []
    return resident() - before


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

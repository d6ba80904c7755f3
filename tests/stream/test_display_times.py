"""Display times where packets are lost, and that a second decoding has the same ones."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.stream.clock import LONGEST_STEP, DisplayClock
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, translation


def coded(dts: int) -> SimpleNamespace:
    return SimpleNamespace(time_base=Fraction(1, 25), pts=None, dts=dts, is_keyframe=dts == 0)


@pytest.mark.parametrize("told_after", [1, 3, 6])
def test_the_time_of_a_lost_packet_shifts_no_picture_once_it_is_known(told_after: int) -> None:
    clock = DisplayClock(Fraction(25))
    times = {}
    for number in range(12):
        clock.packet(number, coded(number))
        if number == 4 + told_after:
            clock.lost(4)
        if number != 4:
            times[number] = clock.show(number, len(times)).pts_seconds
    late = {number for number in times if number > 4 and times[number] != number / 25}
    assert late == set(range(5, 4 + told_after))
    assert not any(clock.awaits(number) for number in range(12))


def test_a_second_decoding_shows_the_same_pictures_at_the_same_times(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.avi", translation(60, (48, 64), (1, 0)), "mpeg4", {}, 0, 6)
    data = bytearray(path.read_bytes())
    at = data.index(b"movi") + 4
    for number in range(10):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        if number in (3, 9):
            data[at + 8 : at + 8 + size] = bytes(size)  # no start code: the decoder finds no picture in it
        at += 8 + size + (size & 1)
    path.write_bytes(bytes(data))
    with open_stream(path) as stream:
        read = sorted((picture.display_index, picture.pts_seconds) for picture in stream)
        assert stream.summary.skipped == 2
    assert len(read) == 58
    assert [(shown.display_index, shown.pts_seconds) for shown in decoded_pictures(path)] == read
    assert read[-1][1] == pytest.approx(59 / 25)


@given(
    st.lists(st.tuples(st.integers(-5, 5) | st.integers(-(10**7), 10**7), st.booleans(), st.booleans()), max_size=80)
)
def test_whatever_a_container_tells_the_timeline_rises_and_does_not_jump(moves: list) -> None:
    """Times that move on by 25ths, to and fro or far away, key pictures and missing times anywhere."""
    clock, ticks, places = DisplayClock(Fraction(25)), 0, []
    for number, (move, keyframe, missing) in enumerate(moves):
        ticks += 1 + move
        time = None if missing else ticks
        clock.packet(
            number,
            SimpleNamespace(time_base=Fraction(1, 25), pts=time, dts=time, is_keyframe=keyframe),  # type: ignore
        )
        places.append(clock.show(number, number).pts_seconds)
    steps = np.diff(places)
    assert (steps > 0).all() and (steps <= LONGEST_STEP + len(moves) / 25 + 1e-6).all()


@pytest.mark.parametrize("rate, period", [(25, 1 / 50), (25, 1 / 25), (25, 1), (25, 9), (Fraction(1, 60), 60)])
def test_a_slow_stream_is_no_row_of_jumps(rate: Fraction, period: float) -> None:
    clock, places = DisplayClock(Fraction(rate)), []
    for number in range(50):
        ticks = round(number * period * 50)
        clock.packet(number, SimpleNamespace(time_base=Fraction(1, 50), pts=ticks, dts=ticks, is_keyframe=True))  # type: ignore
        places.append(clock.show(number, number).pts_seconds)
        assert clock.broke(number) == ""
    assert np.allclose(np.diff(places), period)

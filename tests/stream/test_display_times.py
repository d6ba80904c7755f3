"""Display times where packets are lost, and that a second decoding has the same ones."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgecvar.stream.clock import DisplayClock
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

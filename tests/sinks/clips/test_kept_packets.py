"""What is held of a stream: bounded in seconds and in bytes, whatever is asked for."""

from __future__ import annotations

import pytest

from edgecvar.sinks.clips.kept_packets import KeptPackets
from edgecvar.stream.clock import Moment


class Packet(bytes):
    is_keyframe = False


def packet(keyframe, size=100):
    made = Packet(size)
    made.is_keyframe = keyframe
    return made


def filled(pictures, gop, seconds=3.0, size=1 << 20):
    """Ten pictures a second, decided as they come; the most that was ever held, in packets."""
    kept, most = KeptPackets(seconds, size), 0
    for number in range(pictures):
        kept.packet(number, packet(number % gop == 0))
        kept.shown(number, Moment(number / 10, True))
        kept.passed(number / 10)
        most = max(most, len(kept._packets))
    return kept, most


def test_so_many_seconds_are_held_in_whole_gops():
    kept, most = filled(1000, gop=10)
    assert 31 <= most <= 41 and kept._packets[0].keyframe


@pytest.mark.parametrize("gop", [10, 10_000])
def test_no_more_bytes_are_held_than_told(gop):
    kept, most = filled(1000, gop, seconds=1000.0, size=5000)
    assert most <= 50 and kept._bytes == 100 * len(kept._packets) <= 5000


def test_a_cut_holds_what_it_began_with_until_it_is_taken():
    kept, _ = filled(200, gop=10)
    cut = kept.begin(19.0, before=1.5)
    assert cut is not None and cut.start == 17.0
    for number in range(200, 400):
        kept.packet(number, packet(number % 10 == 0))
        kept.shown(number, Moment(number / 10, True))
        kept.passed(number / 10)
    taken = kept.take(cut, 25.0)
    assert taken is not None and (taken[0].seconds, taken[-1].seconds) == (17.0, 25.0)
    kept.passed(39.9)
    assert len(kept._packets) < 45


def test_nothing_is_taken_before_all_of_it_is_there():
    kept, _ = filled(200, gop=10)
    cut = kept.begin(19.0, before=0)
    assert kept.take(cut, 20.5) is None
    last = kept.take(cut, 20.5, final=True)
    assert last is not None and last[-1].seconds == 19.9


def test_without_an_i_picture_there_is_no_cut():
    kept, _ = filled(100, gop=10_000, size=5000)
    assert kept.begin(9.0, before=1) is None and KeptPackets(1, 1).begin(0.0, 0) is None


def test_pictures_that_need_what_is_before_the_cut_are_left_out():
    """Decode order I0 P3 B1 B2 I6 B4 B5 P9 B7 B8, an open GOP: 4 and 5 need 3."""
    kept = KeptPackets(10, 1 << 20)
    for number, display in enumerate([0, 3, 1, 2, 6, 4, 5, 9, 7, 8]):
        kept.packet(number, packet(display in (0, 6)))
        kept.shown(number, Moment(float(display), True))
    kept.passed(9.0)
    taken = kept.take(kept.begin(7.0, before=1), 7.0)
    assert taken is not None and [kept.seconds for kept in taken] == [6, 9, 7, 8]

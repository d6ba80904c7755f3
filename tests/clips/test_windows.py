"""Windows and samples, against sequences small enough to write down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.clips.gop import Window, WindowCutter, cut_windows
from edgecvar.clips.sampling import OneOfEvery, Sample, centre_segments, sample_segments
from edgecvar.errors import StreamError

KINDS = st.lists(st.sampled_from("IPB"), max_size=80)


def test_a_short_gop_is_one_window_and_a_long_one_is_cut():
    assert cut_windows("IPPIPBPBP", 4) == [Window(0, 0, (1, 2)), Window(1, 3, (4, 5, 6)), Window(2, 3, (7, 8))]


def test_pictures_before_the_first_i_picture_belong_to_no_window():
    assert cut_windows("PBIPP", 12) == [Window(0, 2, (3, 4))]


def test_intra_only_windows_are_empty():
    assert cut_windows("II", 12) == [Window(0, 0, ()), Window(1, 1, ())]


def test_a_recovered_picture_begins_a_window_and_is_in_it():
    windows = cut_windows("PPPPIPPP", 12, recovered={2, 6})
    assert windows == [Window(0, 2, (2, 3)), Window(1, 4, (5,)), Window(2, 6, (6, 7))]


@given(KINDS, st.integers(1, 15), st.sets(st.integers(0, 60)))
def test_streaming_and_whole_clip_cutting_agree(kinds, length, marked):
    recovered = {index for index in marked if index < len(kinds) and kinds[index] != "I"}
    images = {index for index, kind in enumerate(kinds) if kind == "I" or index in recovered}
    cutter = WindowCutter(length)
    positions = [cutter.push(index in images) for index in range(len(kinds))]
    windows = cut_windows(kinds, length, recovered=recovered)
    for index, (kind, position) in enumerate(zip(kinds, positions)):
        if index in images:
            assert position.starts
        if kind != "I" and position.window >= 0:
            assert index in windows[position.window].pictures
    for window in windows:
        assert window.appearance in images
        assert not images & set(range(window.appearance + 1, max(window.pictures, default=0)))
        assert len(window.pictures) <= length


@given(KINDS.filter(lambda kinds: "I" in kinds), st.integers(2, 13), st.integers(1, 9), st.integers(0, 99))
def test_samples_stay_in_range(kinds, length, segments, seed):
    windows = cut_windows(kinds, length)
    if not any(window.pictures for window in windows):
        with pytest.raises(StreamError):
            centre_segments(windows, segments)
        return
    owner = {picture: window for window in windows for picture in window.pictures}
    for samples in (
        sample_segments(windows, segments, np.random.default_rng(seed)),
        centre_segments(windows, segments),
    ):
        assert len(samples) == segments
        assert [sample.picture for sample in samples] and all(kinds[s.picture] in "PB" for s in samples)
        for sample in samples:
            window = owner[sample.picture]
            near = [windows[i].appearance for i in (window.index - 1, window.index + 1) if 0 <= i < len(windows)]
            assert sample.appearance == window.appearance
            assert sample.adjacent in (near or [window.appearance])


def test_centre_takes_the_next_window_for_the_first_and_the_one_before_for_others():
    windows = cut_windows("IPPPIPPPIPPP", 12)
    assert centre_segments(windows, 3) == [Sample(0, 4, 2), Sample(4, 0, 6), Sample(8, 4, 10)]


def test_training_draws_both_neighbours():
    windows = cut_windows("IPIPIP", 12)
    rng = np.random.default_rng(0)
    seen = {sample_segments(windows, 3, rng)[1].adjacent for _ in range(60)}
    assert seen == {0, 4}


def taken(kinds, stride):
    picker = OneOfEvery(stride)
    return [index for index, kind in enumerate(kinds) if picker.push(index, kind)]


@pytest.mark.parametrize("gop", [12, 15, 30, 250])
@pytest.mark.parametrize("stride", [3, 4, 6, 12, 24, 30, 60])
def test_every_place_in_a_gop_is_taken_as_often(gop, stride):
    places = np.array(taken(("I" + "P" * (gop - 1)) * stride * 40, stride)) % gop
    often = np.bincount(places, minlength=gop)[1:]
    assert often.min() > 0.5 * often.mean() and often.max() < 1.7 * often.mean()
    assert abs(places.mean() - gop / 2) < 0.05 * gop


@given(KINDS, st.integers(1, 20))
def test_one_of_every_is_no_i_picture_and_keeps_its_rate(kinds, stride):
    found = taken(kinds, stride)
    assert all(kinds[index] != "I" for index in found)
    assert len(found) <= -(-len(kinds) // stride)
    if "I" not in kinds:
        assert len(found) >= len(kinds) // stride
        assert max(np.diff([0, *found]), default=0) < 2 * stride


def test_one_of_every_one_is_every_p_and_b_picture():
    assert taken("IPPPIBBPIIPI", 1) == [1, 2, 3, 5, 6, 7, 10]


def test_the_turn_of_an_i_picture_goes_to_one_after_it():
    assert taken("IPPPPPPP", 8) == [1]
    assert taken("IIIPPPPP", 8) == [3]


@pytest.mark.parametrize("stride", [1, 2, 5, 12])
def test_pictures_are_taken_by_their_place_in_display_order(stride):
    display, decoded = "IBBPBBPBBP" * 6, []
    for start in range(0, 60, 10):  # each P before the two B that are displayed before it
        decoded += [start + place for place in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8)]
    picker = OneOfEvery(stride)
    assert sorted(index for index in decoded if picker.push(index, display[index])) == taken(display, stride)

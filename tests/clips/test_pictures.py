"""Pictures of one kind alone: what training and running sample of P or of B."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.gop import Window, cut_windows
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.samples import read_samples
from edgecvar.clips.sampling import OneOfEvery, centre_segments, dense_segments, running_samples, sample_segments
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip

OPEN = "IPBBPBBPBB" + "IBBPBBPBBPBB" * 199
"""Decode order of open GOPs of 12 with two B-pictures in a row."""


def display(kinds):
    """Display indices of pictures in decode order whose B-pictures are displayed before what they follow."""
    places, late, shown = [0] * len(kinds), None, 0
    for index, kind in enumerate(kinds):
        if kind == "B":
            places[index], shown = shown, shown + 1
            continue
        if late is not None:
            places[late], shown = shown, shown + 1
        late = index
    if late is not None:
        places[late] = shown
    return places


def taken(kinds, stride, fit):
    picker = OneOfEvery(stride)
    shown = zip(display(kinds), kinds)
    return [index for index, (place, kind) in enumerate(shown) if picker.push(place, kind, kind in fit)]


def test_a_window_holds_those_that_are_not_sampled_apart():
    assert cut_windows("IPBBPBB", 5, sampled="B") == [Window(0, 0, (2, 3), 0, (1, 4)), Window(1, 0, (5, 6))]
    assert cut_windows("IPBB", 5, sampled="P") == [Window(0, 0, (1,), 0, (2, 3))]


@pytest.mark.parametrize("kind", "PB")
def test_segments_are_of_that_kind(kind):
    kinds = "IPBBPBBPBB" * 3
    windows = cut_windows(kinds, 12, sampled=kind)
    rng = np.random.default_rng(0)
    for samples in (
        sample_segments(windows, 40, rng),
        centre_segments(windows, 40),
        dense_segments(windows, 40, 40),
        running_samples(windows, display(kinds), 2),
    ):
        assert {kinds[sample.picture] for sample in samples} == {kind}
    assert len({sample.picture for sample in dense_segments(windows, 40, 40)}) == kinds.count(kind)


@pytest.mark.parametrize("kind", "PB")
@pytest.mark.parametrize("stride", [3, 5, 12, 25])
def test_the_pace_is_that_of_the_stream_where_there_are_enough(kind, stride):
    """And no place of a GOP comes much more often than another of its kind."""
    found = taken(OPEN, stride, kind)
    assert {OPEN[index] for index in found} == {kind}
    wanted = min(len(OPEN) / stride, OPEN.count(kind))
    often = np.bincount([(index - 10) % 12 for index in found], minlength=12)
    assert 0.85 * wanted <= len(found) <= wanted + 1
    often = often[often > 0]
    assert len(often) == {"P": 3, "B": 8}[kind]
    assert often.min() > 0.6 * often.mean() and often.max() < 1.5 * often.mean()


def test_one_of_every_one_is_every_picture_of_the_kind():
    assert taken("IPBBPBBIBBPBB", 1, "P") == [1, 4, 10]
    assert taken("IPBBPBBIBBPBB", 1, "B") == [2, 3, 5, 6, 8, 9, 11, 12]


@given(st.lists(st.sampled_from("IPB"), max_size=80), st.integers(1, 20), st.sampled_from("PB"))
def test_it_is_never_another_kind_nor_more_often(kinds, stride, kind):
    found = taken(kinds, stride, kind)
    assert all(kinds[index] == kind for index in found)
    assert len(found) <= -(-len(kinds) // stride)


@pytest.mark.parametrize("kind", "pb")
@pytest.mark.parametrize("stride", [1, 3, 7])
def test_a_run_samples_what_a_clip_samples(tmp_path, kind, stride):
    path = moving_clip(tmp_path / "clip.mp4", 50, g="12", bf="2", **{"x264-params": "open-gop=1:b-adapt=0"})
    spec = InputSpec(height=32, width=48, crop=1.0, gop_length=12, stride=stride, pictures=kind)
    with open_stream(path, on_demand=True) as stream:
        messages = Feed(stream, spec, Demand(frozenset(("motion",)), False, stride), NoClock()).messages()
        ran = [message for message in messages if isinstance(message, SampledPicture)]
    with open_stream(path) as stream:
        pictures = [(picture.kind, picture.display_index) for picture in stream]
    kinds, shown = zip(*pictures)
    assert len(ran) > 2 and {kinds[each.decode_index].lower() for each in ran} == {kind}
    samples = running_samples(cut_windows(kinds, 12, sampled=spec.kinds), shown, stride)
    ran.sort(key=lambda each: each.display_index)
    assert [sample.picture for sample in samples] == [each.decode_index for each in ran]
    calibrated = read_samples([path], spec, 5)
    assert calibrated and {kinds[each.decode_index].lower() for each in calibrated} == {kind}


def test_a_clip_without_them_says_so():
    windows = cut_windows("IPPPIPPP", 12, sampled="B")
    with pytest.raises(StreamError, match=r"no picture of the kind that input.pictures asks for"):
        centre_segments(windows, 3)
    with pytest.raises(StreamError, match="no P or B picture"):
        centre_segments(cut_windows("II", 12, sampled="B"), 3)

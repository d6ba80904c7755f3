"""Dense sampling: pictures in a row at equal steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.clips.gop import cut_windows
from edgecvar.clips.sampling import Sample, dense_segments
from edgecvar.errors import StreamError


def test_pictures_are_at_equal_steps_of_the_span() -> None:
    windows = cut_windows("I" + "P" * 100, 300)
    assert [sample.picture for sample in dense_segments(windows, 8, 64, 0.0)] == [1, 9, 17, 25, 33, 41, 49, 57]
    assert [sample.picture for sample in dense_segments(windows, 8, 64, 0.999)] == [37, 45, 53, 61, 69, 77, 85, 93]
    assert dense_segments(windows, 8, 64, 0.5)[0].picture == 19  # of 37 places to begin at


def test_i_pictures_do_not_count_and_neighbours_are_those_of_running() -> None:
    windows = cut_windows("IPPPIPPPIPPP", 12)
    assert dense_segments(windows, 3, 6, 0.0) == [Sample(0, 4, 1), Sample(0, 4, 3), Sample(4, 0, 6)]
    assert [sample.picture for sample in dense_segments(windows, 3, 6, 0.9)] == [5, 7, 10]


def test_a_shorter_clip_is_its_own_span() -> None:
    windows = cut_windows("IPPP", 12)
    assert [sample.picture for sample in dense_segments(windows, 6, 64, 0.7)] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(StreamError, match="no P or B picture"):
        dense_segments(cut_windows("III", 12), 2, 8)


def test_a_shorter_clip_may_keep_the_step_and_have_fewer() -> None:
    windows = cut_windows("IPPPPPP", 12)
    assert [sample.picture for sample in dense_segments(windows, 8, 8, 0.7, fewer=True)] == [1, 2, 3, 4, 5, 6]
    assert [sample.picture for sample in dense_segments(windows, 8, 16, 0.7, fewer=True)] == [1, 3, 5]
    assert dense_segments(windows, 3, 6, 0.0, fewer=True) == dense_segments(windows, 3, 6, 0.0)


@given(
    st.text("IPB", min_size=2, max_size=60).map(lambda kinds: "IP" + kinds),
    st.integers(1, 9),
    st.integers(2, 70),
    st.floats(0, 1, exclude_max=True),
)
def test_samples_are_sound_and_in_order(kinds: str, segments: int, span: int, within: float) -> None:
    windows = cut_windows(kinds, 12)
    samples = dense_segments(windows, segments, span, within)
    owner = {picture: window.appearance for window in windows for picture in window.pictures}
    pictures = [sample.picture for sample in samples]
    assert len(samples) == segments and pictures == sorted(pictures)
    assert all(owner[sample.picture] == sample.appearance for sample in samples)
    places = [sorted(owner).index(picture) for picture in pictures]
    assert places[-1] - places[0] < span

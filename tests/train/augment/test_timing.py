from __future__ import annotations

from typing import List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecvar.clips.gop import Window, cut_windows
from edgecvar.clips.sampling import Sample, centre_segments, sample_segments
from edgecvar.train.augment.timing import in_older_gops, jittered, part_of

KINDS = ("I" + "P" * 5) * 4 + "I" + "P" * 20


def windows(opens: tuple = ()) -> List[Window]:
    """GOPs of 6, the last of 21; windows of at most 8 pictures."""
    return cut_windows(KINDS, 8, opens=opens)


@given(st.floats(0.01, 1), st.floats(0, 1, exclude_max=True))
def test_a_part_is_one_stretch_of_pictures_in_windows_that_keep_their_places(share: float, place: float) -> None:
    whole = windows()
    part = part_of(whole, share, place)
    assert [(window.index, window.appearance) for window in part] == [(each.index, each.appearance) for each in whole]
    everything = [picture for window in whole for picture in window.pictures]
    left = [picture for window in part for picture in window.pictures]
    first = everything.index(left[0])
    assert left == everything[first : first + len(left)]
    assert len(left) == max(1, round(len(everything) * share))
    sample_segments(part, 3, np.random.default_rng(0))


def test_a_part_begins_anywhere_in_its_room() -> None:
    begins = {part_of(windows(), 0.5, place)[0].pictures[:1] for place in np.linspace(0, 0.999, 200)}
    assert len(begins) == 6  # five pictures of the first window, or none of it
    assert part_of(windows(), 1.0, 0.7) == windows()


def test_jitter_reaches_all_places_about_a_sample_and_no_other() -> None:
    sample = Sample(6, 0, 8)  # the second P of the second GOP
    reached = {
        jittered([sample], windows(), 3, np.random.default_rng(seed))[0].picture: jittered(
            [sample], windows(), 3, np.random.default_rng(seed)
        )[0]
        for seed in range(100)
    }
    assert sorted(reached) == [4, 5, 7, 8, 9, 10, 11]
    assert {(reached[at].appearance, reached[at].adjacent) for at in (7, 8, 9, 10, 11)} == {(6, 0)}
    assert {(reached[at].appearance, reached[at].adjacent) for at in (4, 5)} == {(0, 6)}


def test_jitter_does_not_cross_a_break() -> None:
    sample = Sample(6, 0, 7)
    broken = windows(opens=(6,))
    reached = {jittered([sample], broken, 3, np.random.default_rng(seed))[0].picture for seed in range(100)}
    assert sorted(reached) == [7, 8, 9, 10]


def test_an_older_gop_begins_at_the_i_picture_before() -> None:
    whole = windows()
    samples = centre_segments(whole, 6)
    aged = in_older_gops(samples, whole)
    assert [sample.picture for sample in aged] == [sample.picture for sample in samples]
    firsts = [0, 6, 12, 18, 24]
    for old, new in zip(samples, aged):
        assert new.appearance == firsts[max(0, firsts.index(old.appearance) - 1)]
        assert new.adjacent != new.appearance or old.appearance == old.adjacent
    assert any(old != new for old, new in zip(samples, aged))


@pytest.mark.parametrize("opens", [(6,), (12,)])
def test_no_gop_is_older_than_its_part(opens: tuple) -> None:
    broken = windows(opens)
    (sample,) = in_older_gops([Sample(opens[0], opens[0], opens[0] + 2)], broken)
    assert sample.appearance == opens[0]

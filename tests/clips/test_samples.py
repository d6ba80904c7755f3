"""Samples from clips: which clips, how many of each, and what happens to those that cannot be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecvar.clips.samples import clip_starts, histories, read_samples, sampled_clips, spread
from edgecvar.errors import StreamError
from tests.moving_clip import moving_clip
from tests.tiny_bundle import SPEC


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    paths = [moving_clip(root / f"{name}.mp4", pictures) for name, pictures in (("a", 30), ("b", 4), ("c", 30))]
    (root / "broken.mp4").write_text("no video")
    return [*paths, root / "broken.mp4"]


def test_spread_is_even_and_takes_no_more_than_there_are():
    assert spread("abcdefgh", 4) == list("aceg")
    assert spread("ab", 5) == ["a", "b"]


def test_what_a_short_clip_lacks_the_others_give(clips):
    samples = read_samples(clips[:3], SPEC, 12)
    a, b, c = clips[:3]
    alone = {clip: read_samples([clip], SPEC, 100) for clip in (a, b, c)}
    assert len(alone[b]) < 4 and len(samples) == 12
    indices = [sample.decode_index for sample in samples]
    shares = 4, len(alone[b]), 8 - len(alone[b])
    assert indices == [
        sample.decode_index for clip, share in zip((a, b, c), shares) for sample in spread(alone[clip], share)
    ]


def test_the_first_window_looks_ahead_and_the_others_back(clips):
    samples = read_samples(clips[:1], SPEC, 100)
    appearances = {sample.window: sample.current.index for sample in samples}
    assert set(appearances) == {0, 1, 2}
    for sample in samples:
        assert sample.neighbour.index == appearances[1 if sample.window == 0 else sample.window - 1]


def test_a_clip_that_cannot_be_read_is_told_and_made_up_for(clips):
    told = []
    samples = read_samples([clips[3], clips[0]], SPEC, 6, lambda clip, error: told.append((clip, str(error))))
    assert len(samples) == 6
    ((clip, error),) = told
    assert clip == clips[3] and "broken.mp4" in error
    with pytest.raises(StreamError, match=r"broken\.mp4"):
        read_samples([clips[3], clips[0]], SPEC, 6)


def test_clips_that_gave_no_sample_are_not_named_as_if_they_had(clips, tmp_path):
    still = moving_clip(tmp_path / "still.mp4", pictures=1)
    several = [clips[0], still, clips[2], clips[3]]
    for remembering, named in ((False, [0, 2]), (True, [0])):
        count = 8 if remembering else 12
        samples = read_samples(several, SPEC, count, lambda *unread: None, remembering=remembering)
        assert sampled_clips(several, samples) == [several[place] for place in named]


def test_a_samples_history_is_what_comes_before_it_of_the_same_clip(clips):
    samples = read_samples([clips[0], clips[2]], SPEC, 8)
    assert clip_starts(samples) == [0] * 4 + [4] * 4
    expected = [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [4, 4, 4], [4, 4, 5], [4, 5, 6], [5, 6, 7]]
    assert histories(samples, 3).tolist() == expected
    thinned = samples[1:4:2] + samples[5:]
    assert histories(thinned, 2).tolist() == [[0, 0], [0, 1], [2, 2], [2, 3], [3, 4]]
    assert histories(samples, 1)[:, 0].tolist() == list(range(8))


def test_clips_are_told_apart_where_no_i_picture_of_theirs_has_the_same_number(clips):
    samples = read_samples([clips[0], clips[2]], SPEC, 1000)
    first = [each for each in samples if each.clip == 0 and each.window == 0 and each.neighbour.index == 12]
    later = [each for each in samples if each.clip == 1 and each.current.index == 24 and each.neighbour.index == 12]
    assert first and later
    lone = [replace(sample, adjacent=sample.current) for sample in (first[0], later[0])]
    assert lone[0].decode_index < lone[1].decode_index
    assert clip_starts(lone) == [0, 1]


def test_a_break_begins_a_history_and_a_neighbourhood_of_its_own(tmp_path):
    """The same recording twice, naively put together."""
    clip = tmp_path / "clip.ts"
    clip.write_bytes(moving_clip(tmp_path / "once.ts", 30).read_bytes() * 2)
    samples = read_samples([clip], SPEC, 100)
    once = read_samples([tmp_path / "once.ts"], SPEC, 100)
    assert [sample.part for sample in samples] == [0] * len(once) + [1] * len(once)
    assert clip_starts(samples) == [0] * len(once) + [len(once)] * len(once)
    neighbours = [(sample.current.index, sample.neighbour.index) for sample in once]
    assert [(sample.current.index, sample.neighbour.index) for sample in samples] == neighbours + [
        (current + 30, neighbour + 30) for current, neighbour in neighbours
    ]

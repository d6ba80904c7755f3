"""Weights and orders that let classes count alike, against plain counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Callable, List

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.clips.labelled import Clip
from edgecvar.train.data.balance import balanced_order, class_weights
from edgecvar.train.data.dataset import Clips
from edgecvar.train.recipe import Recipe
from tests.reading import batches_of, clips_of

pytestmark = pytest.mark.train


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 1000))
def test_classes_share_an_epoch_and_a_class_its_places(counts: List[int], seed: int) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    order = balanced_order(labels, np.random.default_rng(seed)).tolist()
    assert len(order) == len(labels)
    times = Counter(order)
    places = [sum(times[clip] for clip, each in enumerate(labels) if each == label) for label in range(len(counts))]
    assert max(places) - min(places) <= 1
    for label in range(len(counts)):
        own = [times[clip] for clip, each in enumerate(labels) if each == label]
        assert max(own) - min(own) <= 1


def test_who_stays_out_is_drawn_anew() -> None:
    labels, rng = [0] * 9 + [1] * 3, np.random.default_rng(0)
    seen = {tuple(sorted(set(balanced_order(labels, rng).tolist()))) for _ in range(20)}
    assert len(seen) > 1 and set().union(*seen) == set(range(12))


def test_weights_let_classes_count_alike_and_a_clip_1_on_the_average() -> None:
    labels = [0] * 6 + [1] * 3 + [2]
    weights = class_weights(labels, 3)
    assert [weights[label] * labels.count(label) for label in range(3)] == pytest.approx([10 / 3] * 3)
    assert sum(weights[label] for label in labels) == pytest.approx(len(labels))
    assert class_weights([0, 1, 2, 2, 1, 0], 3) == [1, 1, 1]


def uneven(clips: Clips) -> Clips:
    """All that train, but one clip alone of the class still."""
    kept: List[Clip] = [clip for clip in clips.train if clip.label != "still" or clip.path.stem == "clip_0"]
    return replace(clips, train=kept)


def test_a_clip_that_comes_again_in_an_epoch_shows_other_pictures(small: Callable[..., Recipe]) -> None:
    recipe = small("balance=sampling", "augment.scale=[0.5, 1]", "augment.shift=1", "batch=16")
    clips = uneven(clips_of(recipe))
    (batch,) = batches_of(recipe, clips).training(1)
    (again,) = batches_of(recipe, clips).training(1)
    assert len(batch.labels) == len(clips.train) == 7
    assert sorted(Counter(batch.labels.tolist()).values()) == [2, 2, 3]
    still = batch.image[batch.labels == 2]
    assert len(still) >= 2 and not torch.equal(still[0], still[1])
    assert torch.equal(batch.image, again.image)
    (plain,) = batches_of(small("batch=16"), clips).training(1)
    assert sorted(Counter(plain.labels.tolist()).values()) == [1, 3, 3]

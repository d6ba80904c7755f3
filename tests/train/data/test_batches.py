from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Callable, List, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer, centre_view
from edgecvar.clips.sampling import dense_segments
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.nets.batch import ClipBatch
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.looks import generator, random_view
from edgecvar.train.augment.settings import Augment
from edgecvar.train.data.batches import prepare_clip, prepare_recorded
from edgecvar.train.data.dataset import Clips
from edgecvar.train.data.flow import FlowCache
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.store import ClipStore
from edgecvar.train.recipe import Recipe
from edgecvar.train.settings import FlowSettings
from tests.reading import batches_of, clips_of

pytestmark = pytest.mark.train

NAMES = ("image", "adjacent_image", "motion", "residual", "labels")


def same(one: ClipBatch, other: ClipBatch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in NAMES)


def of_epoch(recipe: Recipe, clips: Clips, epoch: int) -> List[ClipBatch]:
    return list(batches_of(recipe, clips).training(epoch))


def test_batches_depend_on_seed_and_epoch_alone(small: Callable[..., Recipe]) -> None:
    jitter = ["augment.scale=[0.6, 1]", "augment.shift=1"]
    recipe = small(*jitter)
    clips = clips_of(recipe)
    first, again, later = (of_epoch(recipe, clips, epoch) for epoch in (1, 1, 2))
    threaded = of_epoch(small(*jitter, "workers=3"), clips, 1)
    uncached = of_epoch(recipe, clips_of(small("cache_gib=0")), 1)
    reseeded = of_epoch(small(*jitter, "seed=7"), clips, 1)
    assert [len(batch.labels) for batch in first] == [3, 3, 3]
    for one, two, three in zip(first, again, threaded):
        assert same(one, two)
        assert same(one, three)
    # The view is drawn from another recipe without jitter, but the same pictures are sampled in the same order.
    assert [batch.labels.tolist() for batch in uncached] == [batch.labels.tolist() for batch in first]
    assert not any(same(one, other) for one, other in zip(first, later))
    assert not any(same(one, other) for one, other in zip(first, reseeded))


def test_a_clip_read_again_gives_the_same_batch(small: Callable[..., Recipe]) -> None:
    kept, read_again = small(), small("cache_gib=0")
    one = of_epoch(kept, clips_of(kept), 1)
    other = of_epoch(read_again, clips_of(read_again), 1)
    assert all(same(a, b) for a, b in zip(one, other))


def test_every_clip_comes_once_an_epoch_and_validation_never_changes(small: Callable[..., Recipe]) -> None:
    recipe = small("augment.scale=[0.6, 1]")
    clips = clips_of(recipe)
    labels = torch.cat([batch.labels for batch in of_epoch(recipe, clips, 3)])
    assert sorted(labels.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    batches = batches_of(recipe, clips)
    one, other = list(batches.validation()), list(batches.validation())
    assert [batch.labels.tolist() for batch in one] == [[0, 1, 2]]
    assert all(same(a, b) for a, b in zip(one, other))


def test_samples_of_a_clip_come_in_display_order(moving: Path) -> None:
    spec = InputSpec(height=32, width=48, crop=1.0)
    recorded = read_clip(moving / "left" / "clip_0.mp4", spec, PREPARED)
    preparer = Preparer(recorded.info, spec)
    samples = dense_segments(recorded.windows, 8, 8, 0.0)
    shown = [recorded.display[sample.picture] for sample in samples]
    places = np.argsort(shown)
    assert places.tolist() != list(range(8))  # B-pictures come late in decode order
    clip = prepare_recorded(recorded, samples, preparer)
    for name in ("image", "adjacent", "motion", "residual", "intra", "frame"):
        alone = [getattr(prepare_recorded(recorded, [samples[place]], preparer), name)[0] for place in places]
        assert np.array_equal(getattr(clip, name), alone)


def test_optical_flow_is_of_the_same_pictures_in_the_same_order(moving: Path) -> None:
    class Shown(FlowCache):
        """Fields that say of which picture they are."""

        def fields(self, path: Path, shown: Sequence[int]) -> List[np.ndarray]:
            return [np.full((16, 24, 2), index, np.float32) for index in shown]

    spec = InputSpec(height=32, width=48, crop=1.0, velocity_unit=1.0)
    clip, store = Clip(moving / "left" / "clip_0.mp4", "left"), ClipStore(spec, 2**30)
    store.scan([clip], workers=0, skip_unreadable=False, on_clip=lambda: None)
    index = store.index(clip.path)
    samples = dense_segments(index.windows, 8, 8, 0.0)
    flow = Shown(FlowSettings.model_validate({}), moving / ".flow")
    prepared = prepare_clip(store, clip, samples, Preparer(index.info, spec), flow)
    assert prepared.flow is not None
    rising = prepared.flow[:, 0].mean((1, 2))
    expected = sorted(index.display[sample.picture] for sample in samples)
    assert rising / rising[0] * expected[0] == pytest.approx(expected)


def test_labels_stay_with_their_motion_and_mirroring_turns_it(small: Callable[..., Recipe]) -> None:
    """Clips of "left" move left in the batch; mirrored ones (about half) move right, and nothing else changes."""
    plain, mirrored = small("epochs=1"), small("augment.flip=true")
    clips = clips_of(plain)
    means = {}
    for name, recipe in (("plain", plain), ("mirrored", mirrored)):
        batches = [batch for epoch in range(1, 5) for batch in of_epoch(recipe, clips, epoch)]
        motion = torch.cat([batch.motion[:, :, 0].mean((1, 2, 3)) for batch in batches])
        labels = torch.cat([batch.labels for batch in batches])
        means[name] = {label: motion[labels == number] for number, label in enumerate(clips.labels)}
    assert (means["plain"]["left"] < -0.1).all()
    assert (means["plain"]["right"] > 0.1).all()
    assert (means["plain"]["still"].abs() < 0.1).all()
    assert 0 < int((means["mirrored"]["left"] > 0.1).sum()) < len(means["mirrored"]["left"])


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 1000),
    st.tuples(st.integers(2, 60), st.integers(2, 60)),
    st.floats(0.3, 1),
    st.tuples(st.floats(0.2, 2), st.floats(0.2, 2)).map(sorted),
    st.floats(0, 1),
    st.booleans(),
)
def test_a_random_view_keeps_its_aspect_and_stays_inside(
    seed: int, size: tuple, crop: float, scale: list, shift: float, squash: bool
) -> None:
    width, height = 16 * size[0], 16 * size[1]
    info = StreamInfo("h264", width, height, Fraction(25), Fraction(1, 25), False, "x", width, height)
    spec = InputSpec(height=32, width=48, crop=crop, squash=squash)
    augment = Augment(scale=(scale[0], scale[1]), shift=shift)
    view = random_view(info, spec, augment, generator(seed))  # raises when outside
    centre = centre_view(info, spec)
    assert view.height / view.width == pytest.approx(centre.height / centre.width)
    assert view.height <= centre.height * scale[1] * (1 + 1e-9)


def test_without_augmentation_the_view_is_the_one_that_running_uses() -> None:
    info = StreamInfo("h264", 340, 256, Fraction(25), Fraction(1, 25), False, "x", 352, 256)
    for spec in (InputSpec(), InputSpec(squash=True, crop=1.0)):
        assert random_view(info, spec, Augment(), generator(3)) == centre_view(info, spec)


def test_generators_of_different_purpose_differ() -> None:
    draws = {tuple(generator(*purpose).integers(0, 1 << 30, 4)) for purpose in ((1, 2, 0), (1, 2, 1, 0), (1, 2, 1, 1))}
    assert len(draws) == 3
    assert np.array_equal(generator(1, 2, 0).random(3), generator(1, 2, 0).random(3))

"""Clips with decoded frames: what is kept, what is prepared, and that it is what a run prepares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
import torch

from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.labelled import Clip
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import dense_segments
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.errors import DatasetError, StreamError
from edgecvar.nets.catalog import NETWORKS, network_outline
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.frames import DecodedPicture
from edgecvar.stream.reader import open_stream
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import PackedFrame
from edgecvar.train.data.store import ClipStore
from edgecvar.train.evaluate import open_checkpoint, score_checkpoint
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from tests.reading import batches_of, clips_of

pytestmark = pytest.mark.train

SPEC = InputSpec(height=32, width=32, crop=1.0)
CMR = (
    "model=cmr",
    "network={backbone: {block: bottleneck, repeats: [1, 1, 1, 1], width: 0.125}, segments: 2}",
    "epochs=1",
)


@pytest.mark.parametrize("size", [(48, 64), (35, 51), (1, 1)])
def test_packing_gives_every_sample_back(size: Any) -> None:
    rng = np.random.default_rng(3)
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    planes = ShownPlanes(*(rng.integers(0, 256, each).astype(np.uint8) for each in (size, half, half)), 5, True)
    again = PackedFrame.pack(planes).unpack()
    assert (again.matrix, again.full) == (5, True)
    for name in ("y", "cb", "cr"):
        assert np.array_equal(getattr(again, name), getattr(planes, name))


def test_pictures_take_less_than_their_samples(moving: Path) -> None:
    recorded = read_clip(moving / "left" / "clip_0.mp4", SPEC, PREPARED)
    raw = 96 * 64 * 3 // 2
    assert len(recorded.frames) == len(recorded.values) == 23
    assert all(len(frame.deflated) < 0.9 * raw for frame in recorded.frames.values())


def test_a_recorded_frame_is_prepared_as_a_run_prepares_it(moving: Path) -> None:
    path = moving / "right" / "clip_1.mp4"
    recorded, bare = read_clip(path, SPEC, PREPARED), read_clip(path, SPEC)
    assert not bare.frames and bare.values == recorded.values and bare.size < recorded.size
    with open_stream(path, frames=True) as stream:
        preparer = Preparer(stream.info, SPEC)
        for index, picture in enumerate(stream):
            assert (picture.kind == "I") == (index not in recorded.frames)
            if picture.kind != "I" and picture.frame is not None:
                kept = recorded.frames[index].unpack()
                assert np.array_equal(kept.rgb(), picture.frame)
                assert preparer.image(kept).tobytes() == preparer.image(picture.decoded.planes()).tobytes()


def losing(lost: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that `lost` names by their place in decode order cannot be decoded."""
    right = DecodedPicture.planes

    def planes(self: DecodedPicture) -> ShownPlanes:
        if lost(int(self.where.split("picture ")[1].split()[0])):
            raise StreamError(f"{self.where} cannot be decoded")
        return right(self)

    monkeypatch.setattr(DecodedPicture, "planes", planes)


def test_a_picture_that_cannot_be_decoded_is_never_sampled(moving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving / "left" / "clip_0.mp4"
    whole = read_clip(path, SPEC, PREPARED)
    losing(lambda index: index in (3, 8), monkeypatch)
    recorded = read_clip(path, SPEC, PREPARED)
    assert recorded.undecoded == 2
    for window, full in zip(recorded.windows, whole.windows):
        assert window.pictures == tuple(each for each in full.pictures if each not in (3, 8))
    store = ClipStore(SPEC, 2**30, PREPARED)
    clips = [Clip(path, "left")]
    _, report = store.scan(clips, workers=0, skip_unreadable=False, on_clip=lambda: None)
    assert report.damaged == [f"{path}: 2 pictures cannot be decoded and are left out"]
    recorded_too = replace(recorded, skipped=1)
    monkeypatch.setattr("edgecvar.train.data.store.read_clip", lambda *arguments, **options: recorded_too)
    _, report = store.scan(clips, workers=0, skip_unreadable=False, on_clip=lambda: None)
    assert len(report.damaged) == 2 and "1 packets gave no picture" in report.damaged[0]
    assert read_clip(path, SPEC).windows == whole.windows  # it has its vectors, and no network would look at it


def test_a_clip_without_a_frame_is_no_clip(moving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losing(lambda index: True, monkeypatch)
    with pytest.raises(DatasetError, match=r"no P or B picture.*23 cannot be decoded"):
        read_clip(moving / "left" / "clip_0.mp4", SPEC, PREPARED)


def of_epoch(recipe: Recipe) -> List[Any]:
    clips = clips_of(recipe)
    return list(batches_of(recipe, clips).training(1))


def test_batches_have_frames_where_a_stage_takes_them(small: Callable[..., Recipe]) -> None:
    batches = of_epoch(small(*CMR))
    again = of_epoch(small(*CMR, "cache_gib=0"))
    for batch, other in zip(batches, again):
        assert batch.frame is not None and batch.frame.shape == batch.image.shape
        assert torch.equal(batch.frame, other.frame)
        assert not torch.equal(batch.frame, batch.image)
    assert all(batch.frame is None for batch in of_epoch(small(*CMR, "network.frames=i")))


def test_nothing_is_decoded_for_networks_that_take_none(
    small: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = InputSpec(height=64, width=64)
    assert [name for name in NETWORKS if takes_frames(network_outline(name, {}, spec).stages())] == ["cmr"]
    asked: List[bool] = []
    right = open_stream

    def seen(path: Path, frames: bool, **how: Any) -> Any:
        asked.append(frames)
        return right(path, frames=frames, **how)

    monkeypatch.setattr("edgecvar.train.data.reading.open_stream", seen)
    for recipe, frames in ((small("workers=0"), False), (small(*CMR, "workers=0"), True)):
        asked.clear()
        clips = clips_of(recipe)
        assert asked == [frames] * len([*clips.train, *clips.validation])


def test_dense_samples_are_pictures_in_a_row(small: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small("sampling={name: dense, span: 6}", "segments=3", "validation_segments=3")
    clips = clips_of(recipe)
    seen: List[Any] = []

    def sampling(windows: Any, segments: int, span: int, within: float, fewer: bool = False) -> Any:
        seen.append((segments, span, within))
        return dense_segments(windows, segments, span, within, fewer)

    for module in ("edgecvar.train.data.batches", "edgecvar.train.augment.looks"):
        monkeypatch.setattr(f"{module}.dense_segments", sampling)
    batches = batches_of(recipe, clips)
    list(batches.training(1)), list(batches.validation())
    assert {(segments, span) for segments, span, _ in seen} == {(3, 6)}
    places = [within for _, _, within in seen]
    assert len(set(places[: len(clips.train)])) == len(clips.train)
    assert places[len(clips.train) :] == [0.5] * len(clips.validation)


def test_a_checkpoint_is_tested_on_frames(small: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = small(*CMR, "sampling={name: dense, span: 8}")
    training = start_run(recipe, tmp_path, Listener())
    training.fit()
    checkpoint, tested = open_checkpoint(training.folder, ["test.clips=2"])
    from edgecvar.train.evaluate import held_out

    scores = list(score_checkpoint(checkpoint, tested.views, tested.machine, held_out(checkpoint, tested.data)))
    assert len(scores) == 3
    assert all(each.scores is not None and np.isfinite(each.scores).all() for each in scores)

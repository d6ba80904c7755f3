from __future__ import annotations

from pathlib import Path
from typing import Collection, List

import pytest

from edgecvar.clips.labelled import Clip
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import centre_segments
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import DatasetError
from edgecvar.train.data import store as store_module
from edgecvar.train.data.batches import prepare_clip
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.data.rereading import Rereader
from edgecvar.train.data.store import ClipStore
from tests.small_recipe import write_clip

pytestmark = pytest.mark.train

SPEC = InputSpec(height=32, width=32)


def clips_of(folder: Path) -> List[Clip]:
    return [Clip(path, "any") for path in sorted(folder.rglob("*.mp4"))]


def scan(store: ClipStore, clips: List[Clip], workers: int = 0, skip: bool = False) -> tuple:
    return store.scan(clips, workers=workers, skip_unreadable=skip, on_clip=lambda: None)


@pytest.fixture
def with_text(moving: Path, tmp_path: Path) -> Path:
    """Two good clips and, between them in name, a text file and half a clip."""
    for name, clip in (("a.mp4", "clip_0.mp4"), ("d.mp4", "clip_1.mp4")):
        (tmp_path / name).write_bytes((moving / "left" / clip).read_bytes())
    (tmp_path / "b.mp4").write_text("no video\n" * 100)
    (tmp_path / "c.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:1500])
    return tmp_path


def test_an_unreadable_clip_stops_with_its_name_and_cause(with_text: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        scan(ClipStore(SPEC, 2**30), clips_of(with_text))
    message = str(caught.value)
    assert str(with_text / "b.mp4") in message
    assert "skip_unreadable=true" in message
    assert "\n" not in message


def test_unreadable_clips_are_counted_by_name_when_they_may_be_skipped(with_text: Path) -> None:
    readable, report = scan(ClipStore(SPEC, 2**30), clips_of(with_text), skip=True)
    assert [clip.path.name for clip in readable] == ["a.mp4", "d.mp4"]
    assert [Path(with_text / name).as_posix() in line for name, line in zip(["b.mp4", "c.mp4"], report.unreadable)] == [
        True,
        True,
    ]
    assert len(report.unreadable) == 2
    assert report.kept == 2


def test_processes_give_what_reading_in_line_gives(moving: Path) -> None:
    clips = clips_of(moving)
    plain, pooled = ClipStore(SPEC, 2**30), ClipStore(SPEC, 2**30)
    ticks: List[int] = []
    _, first = scan(plain, clips)
    _, second = pooled.scan(clips, workers=2, skip_unreadable=False, on_clip=lambda: ticks.append(1))
    assert len(ticks) == len(clips) == 12
    assert first == second
    for clip in (clips[0], clips[-1]):
        one, other = plain.clip(clip.path, set()), pooled.clip(clip.path, set())
        assert one.values == other.values
        assert one.windows == other.windows


def test_what_does_not_fit_is_read_again_with_the_same_values(moving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = clips_of(moving / "left")
    whole = read_clip(clips[0].path, SPEC)
    store = ClipStore(SPEC, whole.size + 1)
    _, report = scan(store, clips)
    assert report.kept == 1
    assert report.kept_bytes == whole.size
    read: List[Path] = []

    again = Rereader.pictures

    def counted(self: Rereader, path: Path, *rest: object) -> RecordedClip:
        read.append(path)
        return again(self, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Rereader, "pictures", counted)
    wanted = {0, 3, 4}
    assert store.clip(clips[0].path, wanted).values == whole.values
    assert read == []
    part = store.clip(clips[1].path, wanted)
    assert read == [clips[1].path]
    fresh = read_clip(clips[1].path, SPEC)
    assert part.values == {index: fresh.values[index] for index in (3, 4)}
    assert store.index(clips[1].path).windows == fresh.windows


def test_once_the_cache_is_full_values_are_no_longer_asked_for(moving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = clips_of(moving / "left")
    asked: List[bool] = []

    def noted(path: Path, spec: InputSpec, sources: Collection[str], values: bool, shown: int) -> RecordedClip:
        asked.append(values)
        return read_clip(path, spec, sources, values, shown)

    monkeypatch.setattr(store_module, "read_clip", noted)
    scan(ClipStore(SPEC, read_clip(clips[0].path, SPEC).size + 1), clips)
    scan(ClipStore(SPEC, 0), clips)
    assert asked == [True, True, False, False] + [False] * 4


def test_a_clip_that_changed_since_the_run_began_is_named(tmp_path: Path) -> None:
    clip = Clip(tmp_path / "a.mp4", "any")
    write_clip(clip.path, (2, 0), seed=1)
    store = ClipStore(SPEC, 0)
    scan(store, [clip])
    write_clip(clip.path, (2, 0), seed=1, pictures=6)
    with pytest.raises(DatasetError, match=r"a\.mp4: picture 20 is gone"):
        store.clip(clip.path, {0, 3, 20})
    clip.path.unlink()
    with pytest.raises(DatasetError, match=r"a\.mp4.*could be read when the run began"):
        store.clip(clip.path, {0, 3})


@pytest.mark.parametrize("accumulate", [False, True])
def test_of_sources_that_nothing_looks_at_nothing_is_read(
    moving: Path, accumulate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors alone: those of a whole reading, nothing else asked for, no I-picture kept; its looks are seen before."""
    clips, spec = clips_of(moving / "left"), SPEC.model_copy(update={"accumulate": accumulate})
    whole = [read_clip(clip.path, spec) for clip in clips]
    for other in ("residual", "intra"):
        monkeypatch.setattr(MotionSource, other, lambda *ignored: pytest.fail("another value was asked for"))
    kept, again = (ClipStore(spec, room, {"motion"}) for room in (2**30, 0))
    _, report = scan(kept, clips)
    scan(again, clips)
    assert len(report.looks) == report.kept == 4 and report.kept_bytes < sum(clip.size for clip in whole) / 4
    for clip, recorded in zip(clips, whole):
        vectors = {index: value.velocity for index, value in recorded.values.items()}
        one, other = kept.clip(clip.path, set()), again.clip(clip.path, {5, 17})
        assert {index: value.velocity for index, value in one.values.items()} == vectors
        assert {index: value.velocity for index, value in other.values.items()} == {at: vectors[at] for at in (5, 17)}
        assert not (one.images or other.images) and one.windows == recorded.windows


def test_a_clip_that_was_read_without_its_residual_gives_none(moving: Path) -> None:
    (clip, *_) = clips = clips_of(moving / "left")
    for room in (2**30, 0):
        store = ClipStore(SPEC, room, {"motion"})
        scan(store, clips)
        index = store.index(clip.path)
        samples, preparer = centre_segments(index.windows, 2), Preparer(index.info, SPEC)
        prepared = prepare_clip(store, clip, samples, preparer, sources={"motion"})
        assert prepared.image is None and prepared.residual is None and prepared.intra is None
        assert prepared.motion.any()
        for source, missing in (("residual", "without its residual"), ("intra", "without what is intra")):
            with pytest.raises(AssertionError, match=missing):
                prepare_clip(store, clip, samples, preparer, sources={"motion", source})

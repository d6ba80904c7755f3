"""Optical flow of pictures whose motion is known: its sign, whose it is, how it is kept."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Callable, Iterator, List

import numpy as np
import pytest

from edgecvar.clips.prepare import Preparer, View
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, DatasetError
from edgecvar.stream.pixels import ShownPicture
from edgecvar.train.data.flow import FlowCache, clip_flow, pair_of_pictures
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.settings import FlowSettings
from tests.moving_clip import moving_clip
from tests.reading import batches_of, clips_of
from tests.stream.test_containers import edited

pytest.importorskip("cv2", reason="needs the flow extra")
pytestmark = pytest.mark.train


class Counting(Listener):
    def __init__(self) -> None:
        self.heard: List[str] = []
        self.lines: List[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, what: str, total: int) -> None:
        self.heard.append(f"{what} {total}")


def fill(folder: Path, clip: Path, **settings: object) -> FlowCache:
    cache = FlowCache(FlowSettings.model_validate(settings), folder)
    assert cache.fill({clip: index_of(clip)}, 1, False, Listener()) == []
    return cache


def index_of(clip: Path) -> ClipIndex:
    read = read_clip(clip, InputSpec())
    return ClipIndex(read.info, read.windows, read.display, read.hidden)


def test_hidden_pictures_have_no_flow(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", pictures=30)
    edited(clip, 10)
    assert clip in fill(tmp_path / "flow", clip)
    assert [index for index, _ in clip_flow(clip, "native", FlowSettings())] == list(range(10, 30))


@pytest.mark.parametrize("settings", [{}, {"side": 48, "cell": 1}, {"cell": 4, "preset": "fast"}])
def test_it_is_the_content_velocity_of_every_picture(moving: Path, settings: dict) -> None:
    """Right is +3 pixels a frame; the first picture's is the one up to the second."""
    for label, velocity in (("right", 3.0), ("left", -3.0), ("still", 0.0)):
        fields = list(clip_flow(moving / label / "clip_0.mp4", "native", FlowSettings.model_validate(settings)))
        assert [index for index, _ in fields] == list(range(26))
        # The clip rolls round its edges, where no flow is right.
        middle = [np.median(field[4:-4, 4:-4], axis=(0, 1)) for _, field in fields]
        assert np.abs(np.array(middle) - [velocity, 0.0]).max() < 0.4


def test_it_belongs_to_the_picture_that_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that stands still, jumps once and stands still again: the picture after the jump has the flow."""
    from edgecvar.train.data import flow

    rng = np.random.default_rng(0)
    image = rng.integers(40, 216, (8, 12, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2).astype(np.uint8)
    shown = [image, image, np.roll(image, 4, 1), np.roll(image, 4, 1)]
    pictures = [ShownPicture(index, 0.0, each) for index, each in enumerate(shown)]
    monkeypatch.setattr(flow, "decoded_pictures", lambda path, extraction: iter(pictures))
    fields = dict(clip_flow(tmp_path, "native", FlowSettings(cell=1)))
    found = [float(np.median(fields[index][8:-8, 8:-8, 0])) for index in range(4)]
    assert np.abs(np.array(found) - [0, 0, 4, 0]).max() < 0.5


def test_cells_and_scale_keep_the_units(moving: Path) -> None:
    clip = moving / "right" / "clip_1.mp4"
    shapes = {}
    for side, cell in ((256, 1), (256, 4), (32, 2)):
        fields = dict(clip_flow(clip, "native", FlowSettings.model_validate({"side": side, "cell": cell})))
        shapes[side, cell] = fields[5].shape
        assert np.median(fields[5][..., 0]) == pytest.approx(3, abs=0.5)
    assert shapes == {(256, 1): (64, 96, 2), (256, 4): (16, 24, 2), (32, 2): (16, 24, 2)}


def test_it_is_kept_whole_and_found_by_content_and_settings(moving: Path, tmp_path: Path) -> None:
    clip = moving / "left" / "clip_0.mp4"
    cache = fill(tmp_path, clip)
    (file,) = tmp_path.rglob("*.npz")
    before = file.stat().st_mtime_ns
    renamed = tmp_path / "renamed.mp4"
    renamed.write_bytes(clip.read_bytes())
    again = fill(tmp_path, renamed)
    assert list(tmp_path.rglob("*.npz")) == [file] and file.stat().st_mtime_ns == before
    assert np.array_equal(again.fields(renamed, [3])[0], cache.fields(clip, [3])[0])
    exact = dict(clip_flow(clip, "native", FlowSettings()))
    assert np.abs(cache.fields(clip, [3])[0] - exact[3]).max() <= 0.5 / 64
    fill(tmp_path, clip, cell=4)
    fill(tmp_path, moving / "left" / "clip_1.mp4")
    assert len(list(tmp_path.rglob("*.npz"))) == 3
    whole = file.read_bytes()
    for spoilt in (whole[:200], b""):
        file.write_bytes(spoilt)
        for read in (lambda: cache.fields(clip, [3]), lambda: fill(tmp_path, clip)):
            with pytest.raises(DatasetError, match=r"cannot read the optical flow .* remove it and start again"):
                read()
    with zipfile.ZipFile(io.BytesIO(whole)) as kept:
        place = kept.getinfo("000003.npy").header_offset + 60
    file.write_bytes(whole[:place] + bytes([0xFF] * 20) + whole[place + 20 :])  # its list of members is whole
    with pytest.raises(DatasetError, match=r"cannot read the optical flow .* remove it and start again"):
        cache.fields(clip, [3])


def test_nothing_half_written_stays(moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*ignored: object) -> object:
        yield 0, np.zeros((4, 4, 2), np.float32)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecvar.train.data.flow.clip_flow", broken)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, moving / "left" / "clip_0.mp4")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("what", ["edgecvar.train.data.flow.np.savez_compressed", "edgecvar.files.os.replace"])
def test_a_disk_that_is_full_is_one_error_and_leaves_nothing(
    moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*ignored: object, **too: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(what, full)
    with pytest.raises(DatasetError, match=r"cannot keep optical flow there \(No space left.*set flow\.cache"):
        fill(tmp_path, moving / "left" / "clip_0.mp4")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_clip_or_a_folder_that_is_no_longer_there_is_one_error(moving: Path, tmp_path: Path) -> None:
    cache = FlowCache(FlowSettings(), tmp_path / "flow")
    index = index_of(moving / "left" / "clip_0.mp4")
    with pytest.raises(DatasetError, match=r"gone\.mp4: cannot read the clip \(No such file"):
        cache.fill({tmp_path / "gone.mp4": index}, 1, True, Listener())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"nothing can be written there \(Not a directory\); set flow\.cache"):
        fill(tmp_path / "file" / "flow", moving / "left" / "clip_0.mp4")


def test_a_clip_with_pictures_that_cannot_be_decoded_stops_or_is_left_out(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained: pictures decoded are numbered as they come, so one that is lost shifts the rest."""
    from edgecvar.train.data import flow

    whole = flow.decoded_pictures

    def losing(path: Path, extraction: str) -> Iterator[ShownPicture]:
        pictures = list(whole(path, extraction))
        return iter(pictures[:-1] if path.match("left/clip_1.mp4") else pictures)

    monkeypatch.setattr(flow, "decoded_pictures", losing)
    settings = f"flow={{cache: {tmp_path}, preset: ultrafast, side: 32}}"
    recipe = small(settings)
    said = (
        r"unreadable clip .*left/clip_1\.mp4: 26 pictures are read and 25 decoded, .*; repair or remove it, or set skip"
    )
    for _ in range(2):  # computed now, or found beside the clips
        with pytest.raises(DatasetError, match=said):
            clips_of(recipe, with_flow=True)
    listener = Counting()
    clips = clips_of(small(settings, "skip_unreadable=true"), listener, with_flow=True)
    assert len(clips.train) == 8 and not any(clip.path.match("left/clip_1.mp4") for clip in clips.train)
    assert len(clips.report.unreadable) == 1 and clips.report.unreadable[0] in listener.lines
    assert "3 classes, 8 clips train, 3 validate" in listener.lines[-1]
    batches = list(batches_of(recipe, clips).training(1))
    assert sum(len(batch.labels) for batch in batches) == 8
    monkeypatch.setattr(flow, "decoded_pictures", lambda path, extraction: iter(list(whole(path, extraction))[1:]))
    gone = small(f"flow={{cache: {tmp_path}, side: 48}}", "skip_unreadable=true")
    with pytest.raises(DatasetError, match="no readable clip of class 'left' is left to train on"):
        clips_of(gone, with_flow=True)


def test_it_is_prepared_as_motion_is(moving: Path) -> None:
    """A field on the blocks' own grid, of a clip without cropping, gives what `motion` gives, for any view."""
    info = read_clip(moving / "left" / "clip_0.mp4", InputSpec(height=32, width=32)).info
    field = np.random.default_rng(0).normal(size=(16, 24, 2)).astype(np.float32)
    for view in (View(0.1, 0.2, 0.5, 0.6), View(0, 0, 1, 1, flip=True)):
        preparer = Preparer(info, InputSpec(height=32, width=48, velocity_unit=2.0), view)
        assert np.abs(preparer.flow(field) - preparer.motion(field)).max() < 1e-5
    even = np.tile(np.array([2.0, -1.0], np.float32), (64, 96, 1))
    mirrored = Preparer(info, InputSpec(height=32, width=32), View(0, 0, 1, 0.5, flip=True)).flow(even)
    assert np.allclose(mirrored[0], -2.0 * 32 / 48 / 4) and np.allclose(mirrored[1], -1.0 * 32 / 64 / 4)


def test_training_batches_have_the_sampled_pictures_flow(small: Callable[..., Recipe], tmp_path: Path) -> None:
    """Where the motion vectors are right, the flow is about them, in their units; validation has none."""
    recipe = small(f"flow={{cache: {tmp_path}}}", "input={height: 32, width: 48, velocity_unit: 1.0}")
    listener = Counting()
    clips = clips_of(recipe, listener, with_flow=True)
    assert listener.heard == ["reading clips 12", "optical flow 9"]
    batches = batches_of(recipe, clips)
    expected = {0: -1.5, 1: 1.5, 2: 0.0}  # 3 pixels of 96 a frame, seen at half the size
    for batch in batches.training(1):
        assert batch.flow is not None and batch.flow.shape == batch.motion.shape
        for flow, motion, label in zip(batch.flow, batch.motion, batch.labels):
            assert abs(float(flow[:, 0].median()) - expected[int(label)]) < 0.3
            assert abs(float(motion[:, 0].median()) - expected[int(label)]) < 0.3
    assert all(batch.flow is None for batch in batches.validation())


def test_it_lies_beside_the_clips_unless_told_otherwise(
    small: Callable[..., Recipe], moving: Path, tmp_path: Path
) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.mp4").write_bytes((moving / label / "clip_0.mp4").read_bytes())
    recipe = small(f"data={tmp_path}", "validation_pattern=", "flow.preset=ultrafast")
    clips_of(recipe, with_flow=True)
    assert len(list((tmp_path / ".flow").rglob("*.npz"))) == 2
    assert clips_of(recipe).labels == ["left", "right"]  # the folder is no class


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    if not hasattr(cv2, "optflow"):
        with pytest.raises(ConfigError, match=r"pip install opencv-contrib-python-headless .* or set flow\.method=dis"):
            pair_of_pictures(FlowSettings(method="tvl1"))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ConfigError, match=r"needs OpenCV.* pip install 'edgecvar\[flow\]'"):
        pair_of_pictures(FlowSettings())

"""Training clips encoded anew: what is kept, what is said, and that a clip with its variants counts once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import numpy as np
import pytest

from edgecvar.clips.prepare import Preparer
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, DatasetError, StreamError
from edgecvar.stream.pixels import ShownPicture
from edgecvar.train.augment import reencoding
from edgecvar.train.augment.looks import Looks
from edgecvar.train.augment.reencoded import ReencodedClips
from edgecvar.train.augment.settings import Reencode
from edgecvar.train.data.batches import fixed_samples, prepare_recorded
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.settings import SamplingSettings
from tests.moving_clip import moving_clip
from tests.reading import batches_of, clips_of
from tests.test_workers import members, until
from tests.train.compared_runs import assert_resumed_run_is_the_same

pytestmark = pytest.mark.train

SPEC = InputSpec(height=64, width=96, crop=1.0, velocity_unit=1.0, velocity_per="second")


class Hearing(Listener):
    def __init__(self) -> None:
        self.heard: List[str] = []
        self.lines: List[str] = []
        self.steps = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, what: str, total: int) -> None:
        self.heard.append(f"{what} {total}")

    def step(self, loss: object = None) -> None:
        self.steps += 1


def settings(**changes: object) -> Reencode:
    return Reencode.model_validate({"short_side": (40, 64), "fps": (8.0, 30.0), **changes})


def fill(folder: Path, *clips: Path, workers: int = 0, **changes: object) -> Dict[Path, List[Path]]:
    indices = {clip: ClipIndex.of(read_clip(clip, SPEC)) for clip in clips}
    listener = Hearing()
    variants, left_out = ReencodedClips(settings(**changes), folder).fill(indices, workers, listener)
    assert left_out == [] and listener.heard == [f"encoding clips anew {len(clips)}"]
    assert listener.steps == len(clips)
    return variants


def velocity(path: Path) -> np.ndarray:
    """The mean of validation's samples, in input pixels in a 30th of a second, away from the rims."""
    recorded = read_clip(path, SPEC)
    samples = fixed_samples(recorded, SPEC, 8, SamplingSettings.model_validate({}))
    clip = prepare_recorded(recorded, samples, Preparer(recorded.info, SPEC))
    return np.median(clip.motion[:, :, 12:-12, 16:-16], axis=(0, 2, 3))


def files_in(folder: Path) -> List[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("label, expected", [("left", -3.0), ("right", 3.0), ("still", 0.0)])
def test_every_variant_moves_as_the_clip_does_whatever_its_codec_size_and_rate(
    moving: Path, tmp_path: Path, label: str, expected: float
) -> None:
    """3 pixels at 25 pictures a second; a quarter pixel of a picture of half the size and rate is half a pixel."""
    clip = moving / label / "clip_0.mp4"
    (variants,) = fill(tmp_path, clip, variants=12, crf=(18, 26)).values()
    kinds = [read_clip(file, SPEC).info for file in variants]
    assert {info.codec for info in kinds} == {"h264", "mpeg4"}
    assert {info.extraction for info in kinds} == {"native", "ffmpeg"}
    assert len({(info.width, info.height) for info in kinds}) > 3 and len({info.fps for info in kinds}) == 2
    at_30 = expected * 25 / 30
    assert velocity(clip) == pytest.approx([at_30, 0.0], abs=0.15)
    velocities = np.array([velocity(file) for file in variants])
    # FFmpeg's MPEG-4 encoder now and then finds no motion in so small a picture at half the rate.
    assert np.median(velocities, axis=0) == pytest.approx([at_30, 0.0], abs=0.3)
    for info, found in zip(kinds, velocities):
        if info.codec == "h264":
            assert found == pytest.approx([at_30, 0.0], abs=0.7), info


def test_variants_in_hevc_move_as_the_clip_does(moving: Path, tmp_path: Path) -> None:
    clip = moving / "left" / "clip_0.mp4"
    (variants,) = fill(tmp_path, clip, variants=4, crf=(18, 26), codecs=["hevc"]).values()
    kinds = [read_clip(file, SPEC).info for file in variants]
    assert {(info.codec, info.extraction) for info in kinds} == {("hevc", "native")}
    for file in variants:
        assert velocity(file) == pytest.approx([-2.5, 0.0], abs=0.7), file


def test_variants_depend_on_seed_clip_and_number_alone(moving: Path, tmp_path: Path) -> None:
    clips = [moving / "left" / f"clip_{number}.mp4" for number in range(3)]
    one = fill(tmp_path / "one", *clips, variants=2)
    other = fill(tmp_path / "other", *reversed(clips), variants=2, workers=2)
    for clip in clips:
        assert [file.read_bytes() for file in one[clip]] == [file.read_bytes() for file in other[clip]]
    reseeded = fill(tmp_path / "one", *clips, variants=2, seed=1)
    assert not {file.name for file in one[clips[0]]} - {file.name for file in reseeded[clips[0]]}
    assert one[clips[0]][0].read_bytes() != reseeded[clips[0]][0].read_bytes()
    assert len({file.read_bytes() for files in one.values() for file in files}) == 6


def test_what_is_there_is_not_encoded_again(moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = moving / "left" / "clip_0.mp4"
    (two,) = fill(tmp_path, clip, variants=2).values()
    before = [file.stat().st_mtime_ns for file in two]
    (three,) = fill(tmp_path, clip, variants=3, share=0.9).values()  # share and number change no variant
    assert three[:2] == two and [file.stat().st_mtime_ns for file in two] == before
    assert files_in(tmp_path) == sorted(three)
    renamed = tmp_path.parent / "renamed.mp4"
    renamed.write_bytes(clip.read_bytes())
    monkeypatch.setattr(reencoding, "decoded_pictures", lambda *ignored: pytest.fail("decoded again"))
    assert list(fill(tmp_path, renamed).values()) == [three]


def test_a_turned_clip_is_encoded_as_it_is_displayed(moving: Path, tmp_path: Path) -> None:
    clip = moving / "left" / "clip_0.mp4"
    info = read_clip(clip, SPEC).info
    job = reencoding.Job(clip, replace(info, rotation=90), 26, settings(variants=1, crf=(18, 18)), tmp_path)
    (file,) = reencoding.reencode(job)
    found = read_clip(file, SPEC)
    assert found.info.rotation == 0 and found.info.width < found.info.height
    upright = SPEC.model_copy(update={"height": 96, "width": 64})
    expected = Preparer(job.info, upright).image(read_clip(clip, SPEC).images[0])
    image = Preparer(found.info, upright).image(found.images[0])
    assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.95
    assert np.corrcoef(image[:, ::-1].ravel(), expected.ravel())[0, 1] < 0.5


def test_a_clip_counts_once_with_its_variants(small: Callable[..., Recipe], moving: Path, tmp_path: Path) -> None:
    recipe = small(f"augment.reencode={{variants: 2, short_side: [40, 64], cache: {tmp_path}, share: 0.25}}")
    listener = Hearing()
    clips = clips_of(recipe, listener)
    assert listener.heard == ["reading clips 12", "encoding clips anew 9", "reading variants 18"]
    assert any(line.startswith("9 of 9 clips in other encodings too; 18 of 18 kept") for line in listener.lines)
    assert listener.lines[-1].startswith("3 classes, 9 clips train, 3 validate; 12 of 12 kept")
    assert clips.train == clips_of(small()).train and clips.validation == clips_of(small()).validation
    assert all(path.parent.parent == tmp_path for files in clips.variants.values() for path in files)
    labels = [label for batch in batches_of(recipe, clips).training(1) for label in batch.labels.tolist()]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    looks = Looks(recipe.views, recipe.network.input, clips)
    drawn: Counter = Counter()
    for epoch in range(200):
        for number, clip in enumerate(clips.train):
            look = looks.draw(epoch, number, clip)
            assert look.clip.label == clip.label
            drawn[[clip.path, *clips.variants[clip.path]].index(look.clip.path)] += 1
    assert [drawn[place] / 1800 for place in range(3)] == pytest.approx([0.25, 0.375, 0.375], abs=0.04)
    again = Looks(recipe.views, recipe.network.input, clips).draw(7, 2, clips.train[2])
    assert again.clip == looks.draw(7, 2, clips.train[2]).clip


def test_they_lie_beside_the_clips_and_are_no_class(small: Callable[..., Recipe], moving: Path, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.mp4").write_bytes((moving / label / "clip_0.mp4").read_bytes())
    recipe = small(f"data={tmp_path}", "validation_pattern=", "augment.reencode.variants=1")
    clips_of(recipe)
    assert len(files_in(tmp_path / ".reencoded")) == 2
    assert clips_of(recipe).labels == ["left", "right"]


def test_a_run_with_them_resumes_bit_for_bit(small: Callable[..., Recipe], tmp_path: Path) -> None:
    recipe = small(f"augment.reencode={{variants: 2, short_side: [40, 64], cache: {tmp_path / 'kept'}}}", "epochs=2")
    assert_resumed_run_is_the_same(recipe, tmp_path)


def test_what_cannot_be_decoded_is_said_and_looked_at_as_it_is(
    small: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = reencoding.decoded_pictures

    def losing(path: Path, extraction: str) -> Iterator[ShownPicture]:
        pictures = list(whole(path, extraction))
        return iter(pictures[:-1] if path.match("left/clip_1.mp4") else pictures)

    monkeypatch.setattr(reencoding, "decoded_pictures", losing)
    listener = Hearing()
    clips = clips_of(small(f"augment.reencode={{variants: 1, cache: {tmp_path}}}"), listener)
    (line,) = (line for line in listener.lines if line.startswith("without other encodings"))
    assert line.endswith("left/clip_1.mp4: 26 pictures are read and 25 decoded")
    assert len(clips.train) == 9 and len(clips.variants) == 8 and len(files_in(tmp_path)) == 8
    recipe = small("augment.reencode.share=0")
    looks = Looks(recipe.views, recipe.network.input, clips)
    alone = [looks.draw(epoch, 1, clips.train[1]).clip for epoch in range(20)]
    assert clips.train[1].path.match("left/clip_1.mp4") and set(alone) == {clips.train[1]}


def test_nothing_half_written_stays(moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reencoding.decoded_pictures

    def broken(path: Path, extraction: str) -> Iterator[ShownPicture]:
        yield next(whole(path, extraction))
        raise KeyboardInterrupt

    monkeypatch.setattr(reencoding, "decoded_pictures", broken)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, moving / "left" / "clip_0.mp4")
    assert files_in(tmp_path) == []


def test_a_worker_leaves_what_nobody_waits_for(moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = moving / "left" / "clip_0.mp4"
    monkeypatch.setitem(reencoding._WORKER, "stopped", lambda: True)
    outcome = reencoding.reencode(reencoding.Job(clip, read_clip(clip, SPEC).info, 26, settings(), tmp_path))
    assert isinstance(outcome, DatasetError) and not isinstance(outcome, StreamError)
    assert files_in(tmp_path) == []


def test_a_full_disk_a_clip_that_is_gone_and_a_folder_in_the_way_are_one_error_each(
    moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = moving / "left" / "clip_0.mp4"
    index = ClipIndex.of(read_clip(clip, SPEC))
    cache = ReencodedClips(settings(), tmp_path / "kept")
    with pytest.raises(DatasetError, match=r"gone\.mp4: cannot read the clip \(No such file"):
        cache.fill({tmp_path / "gone.mp4": index}, 0, Listener())

    def full(*ignored: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgecvar.files.os.replace", full)
    with pytest.raises(DatasetError, match=r"clip_0\.mp4: .*\(No space left.*set augment\.reencode\.cache"):
        cache.fill({clip: index}, 0, Listener())
    assert files_in(tmp_path / "kept") == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"nothing can be written there .*; set augment\.reencode\.cache"):
        ReencodedClips(settings(), tmp_path / "file" / "kept")


INTERRUPTED = """
import sys
from pathlib import Path
from edgecvar.clips.spec import InputSpec
from edgecvar.train.augment.settings import Reencode
from edgecvar.train.data.reading import read_clip
from edgecvar.train.augment.reencoded import ReencodedClips
from edgecvar.train.data.rereading import ClipIndex
from edgecvar.train.progress import Listener
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    clips = {path: ClipIndex.of(read_clip(path, InputSpec())) for path in folder.glob("*.mp4")}
    print(len(clips), flush=True)
    ReencodedClips(Reencode(variants=16), folder / "kept").fill(clips, 2, Listener())
"""


def test_ctrl_c_stops_the_processes_and_leaves_whole_files_alone(tmp_path: Path) -> None:
    """Sent as a terminal sends it, to all of them; each leaves its clip and takes its drafts away."""
    for number in range(4):
        moving_clip(tmp_path / f"{number}.mp4", 300, 1 + number)
    (tmp_path / "program.py").write_text(INTERRUPTED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", str(Path(__file__).parents[3])])}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), str(tmp_path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert until(lambda: any((tmp_path / "kept").rglob(".*.draft.mp4")), 120)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in errors
        assert until(lambda: not members(process.pid))
    finally:
        for each in members(process.pid):
            os.kill(each, signal.SIGKILL)
    left = files_in(tmp_path / "kept")
    assert not [file.name for file in left if "draft" in file.name]
    assert len(left) < 64 and all(read_clip(file, SPEC).values for file in left[:3])


def test_optical_flow_is_of_the_variants_too(small: Callable[..., Recipe], tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the flow extra")
    recipe = small(
        f"flow={{cache: {tmp_path / 'flow'}, preset: ultrafast, side: 32}}",
        f"augment.reencode={{variants: 1, share: 0, short_side: [40, 64], cache: {tmp_path / 'kept'}}}",
        "input={height: 32, width: 48, velocity_unit: 1.0, velocity_per: second}",
    )
    clips = clips_of(recipe, with_flow=True)
    assert clips.flow is not None and all(file in clips.flow for files in clips.variants.values() for file in files)
    expected = {0: -1.25, 1: 1.25, 2: 0.0}  # 3 pixels of 96 at 25 pictures a second, in a 30th, at half the size
    for batch in batches_of(recipe, clips).training(1):
        assert batch.flow is not None
        for flow, label in zip(batch.flow, batch.labels):
            assert abs(float(flow[:, 0].median()) - expected[int(label)]) < 0.4

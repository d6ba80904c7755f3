"""Sampling for networks that remember: training and tests take of a clip what a run takes, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.cli.report.page.training_run import streamed_scores  # noqa: E402
from edgecvar.clips.clock import NoClock  # noqa: E402
from edgecvar.clips.feed import Demand, Feed  # noqa: E402
from edgecvar.clips.gop import longest_part, pictures_of_parts  # noqa: E402
from edgecvar.clips.labelled import Clip  # noqa: E402
from edgecvar.clips.messages import SampledPicture  # noqa: E402
from edgecvar.clips.sampling import running_samples, stretch  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.stream.reader import open_stream  # noqa: E402
from edgecvar.train.augment.looks import Looks  # noqa: E402
from edgecvar.train.checkpoint import load_checkpoint  # noqa: E402
from edgecvar.train.data.batches import collate, fixed_samples, prepare_recorded  # noqa: E402
from edgecvar.train.data.reading import read_clip  # noqa: E402
from edgecvar.train.evaluate import score_checkpoint  # noqa: E402
from edgecvar.train.loop import start_run  # noqa: E402
from edgecvar.train.recipe import Recipe  # noqa: E402
from edgecvar.train.settings import SamplingSettings  # noqa: E402
from tests.moving_clip import moving_clip  # noqa: E402
from tests.small_recipe import VELOCITY, write_clip  # noqa: E402
from tests.stream.known_clips import encode, translation  # noqa: E402
from tests.stream.transport import shifted  # noqa: E402
from tests.train.heard import Heard  # noqa: E402

STREAM = SamplingSettings(name="stream")
X264 = {"x264-params": "keyint=12:bframes=0:scenecut=0:threads=1"}
REMEMBERS = (
    *("model=motion", "network={channels: 8, width: 24}", "sampling={name: stream}", "validation_pattern=_3\\.ts$"),
    *("segments=8", "validation_segments=256", "epochs=1"),
)
ENCODINGS = {"closed": {"g": "12", "bf": "2"}, "open": {"g": "10", "bf": "3", "x264-params": "open-gop=1"}, "long": {}}


def clip_and_spec(folder: Path, pictures: int, stride: int, **options: str) -> Any:
    spec = InputSpec(height=48, width=64, crop=1.0, gop_length=12, stride=stride)
    return moving_clip(folder / "clip.mp4", pictures, restless=True, **options), spec


@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_trains_is_what_a_run_samples(tmp_path: Path, encoding: str, stride: int) -> None:
    from edgecvar.clips.prepare import Preparer

    path, spec = clip_and_spec(tmp_path, 50, stride, **ENCODINGS[encoding])
    with open_stream(path) as stream:
        demand = Demand(frozenset(("image", "motion", "residual", "intra")), True, stride)
        ran = [each for each in Feed(stream, spec, demand, NoClock()).messages() if isinstance(each, SampledPicture)]
    ran.sort(key=lambda each: each.display_index)
    recorded = read_clip(path, spec)
    samples = running_samples(recorded.windows, recorded.display, stride)
    assert [sample.picture for sample in samples] == [each.decode_index for each in ran]
    assert [sample.appearance for sample in samples] == [each.current.index for each in ran]
    prepared = prepare_recorded(recorded, samples, Preparer(recorded.info, spec))
    for source in ("motion", "residual", "intra"):
        assert np.array_equal(getattr(prepared, source), [each.inputs[source] for each in ran])
    assert prepared.motion.any()
    assert encoding == "open" or prepared.intra.any()  # there an I-picture may be the new scene
    assert np.array_equal(prepared.image, [each.current.image for each in ran])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """25 pictures, then 50 whose times are hours ahead."""
    parts = [encode(tmp_path / f"{n}.ts", translation(n, (48, 64), (1, 0)), "libx264", X264) for n in (25, 50)]
    clip = tmp_path / "left" / "_3.ts"
    clip.parent.mkdir()
    clip.write_bytes(parts[0].read_bytes() + shifted(parts[1].read_bytes(), 5 * 3600 * 90_000))
    return clip


def test_nothing_is_remembered_over_a_break_in_training(broken: Path) -> None:
    spec = InputSpec(height=48, width=64, crop=1.0, gop_length=12, stride=2)
    recorded = read_clip(broken, spec)
    assert pictures_of_parts(recorded.windows) == {0: 22, 1: 45} and longest_part(recorded.windows) == 1
    assert [pictures_of_parts([]), longest_part([])] == [{}, 0]
    samples = fixed_samples(recorded, spec, 1000, STREAM)
    assert {sample.picture >= 25 for sample in samples} == {True}
    whole = running_samples(recorded.windows, recorded.display, 2)
    assert samples == [sample for sample in whole if sample.picture >= 25]
    assert [sample for sample in whole if sample.picture < 25] == running_samples(
        recorded.windows, recorded.display, 2, part=0
    )


def test_a_run_on_a_clip_that_breaks_and_its_test_are_one(
    broken: Path, small: Callable[..., Recipe], tmp_path: Path
) -> None:
    """And training says what it leaves out."""
    for label, velocity in VELOCITY.items():
        write_clip(tmp_path / label / "_1.mp4", velocity, seed=len(label))
    recipe, heard = small(f"data={tmp_path}", *REMEMBERS), Heard()
    training = start_run(recipe, tmp_path / "runs", heard)
    training.fit()
    (line,) = heard.matching("have a break")
    assert line.startswith("warning: 1 clips") and line.endswith("and 22 of 67 pictures are left out")
    checkpoint = load_checkpoint(training.folder / "last.pt")
    (ran,) = streamed_scores(checkpoint, [Clip(broken, "left")])
    (tested,) = score_checkpoint(checkpoint, recipe.views, recipe.machine, [Clip(broken, "left")])
    assert ran.answers is not None and len(ran.answers.seconds) == 19
    assert np.abs(tested.scores - ran.scores).max() < 1e-5
    looks = Looks(recipe.views, recipe.network.input, training.clips)
    samples = [each for epoch in range(9) for each in looks.draw(epoch, 0, Clip(broken, "left")).samples]
    assert min(sample.picture for sample in samples) >= 25


def test_a_stretch_begins_anywhere_and_plays_faster(tmp_path: Path) -> None:
    numbers: Any = list(range(10))
    assert stretch(numbers, 4) == [0, 1, 2, 3]
    assert stretch(numbers, 20, 7.0) == [7, 8, 9]
    assert stretch(numbers, 4, 1.0, 2.0) == [1, 3, 5, 7]
    assert stretch(numbers, 4, 0.5, 0.5) == [0, 1, 1, 2]


def test_clips_of_several_lengths_make_a_batch_that_knows_them(tmp_path: Path) -> None:
    from edgecvar.clips.prepare import Preparer

    prepared = []
    for number, pictures in enumerate((10, 30)):
        (tmp_path / str(number)).mkdir()
        path, spec = clip_and_spec(tmp_path / str(number), pictures, 2, g="12")
        recorded = read_clip(path, spec)
        samples = fixed_samples(recorded, spec, 12, STREAM)
        prepared.append(prepare_recorded(recorded, samples, Preparer(recorded.info, spec)))
    batch = collate(prepared, [0, 1])
    assert batch.lengths is not None and batch.lengths.tolist() == [5, 12]
    assert torch.equal(batch.motion[0, 5:10], batch.motion[0, :5])
    means = batch.mean(batch.motion.mean((2, 3, 4)))
    assert means[0].item() == pytest.approx(float(prepared[0].motion.mean()), abs=1e-5)
    assert means[1].item() == pytest.approx(float(prepared[1].motion.mean()), abs=1e-5)
    even = ClipBatch(batch.image, batch.adjacent_image, batch.motion, batch.residual, batch.labels)
    assert torch.equal(even.mean(even.motion), even.motion.mean(1))

"""Sampling for networks that remember: training and tests take of a clip what a run takes, in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.clips.clock import NoClock  # noqa: E402
from edgecvar.clips.feed import Demand, Feed  # noqa: E402
from edgecvar.clips.messages import SampledPicture  # noqa: E402
from edgecvar.clips.sampling import running_samples, stretch  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.nets.batch import ClipBatch  # noqa: E402
from edgecvar.stream.reader import open_stream  # noqa: E402
from edgecvar.train.data.batches import collate, fixed_samples, prepare_recorded  # noqa: E402
from edgecvar.train.data.reading import read_clip  # noqa: E402
from edgecvar.train.settings import SamplingSettings  # noqa: E402
from tests.moving_clip import moving_clip  # noqa: E402

STREAM = SamplingSettings(name="stream")
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
        demand = Demand(frozenset(("image", "motion", "residual")), True, stride)
        ran = [each for each in Feed(stream, spec, demand, NoClock()).messages() if isinstance(each, SampledPicture)]
    ran.sort(key=lambda each: each.display_index)
    recorded = read_clip(path, spec)
    samples = running_samples(recorded.windows, recorded.display, stride)
    assert [sample.picture for sample in samples] == [each.decode_index for each in ran]
    assert [sample.appearance for sample in samples] == [each.current.index for each in ran]
    prepared = prepare_recorded(recorded, samples, Preparer(recorded.info, spec))
    assert np.array_equal(prepared.motion, [each.inputs["motion"] for each in ran])
    assert np.array_equal(prepared.image, [each.current.image for each in ran])


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

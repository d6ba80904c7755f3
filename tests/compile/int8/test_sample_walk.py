"""Stages over all samples at once: fed with just what a walk over the samples, one by one, feeds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.train

from edgecvar.bundle.stages import StageSpec, StageState  # noqa: E402
from edgecvar.clips.appearance import Appearance  # noqa: E402
from edgecvar.clips.messages import SampledPicture  # noqa: E402
from edgecvar.compile.int8.sample_walk import BATCH, SampleWalk  # noqa: E402
from edgecvar.judge.parity import record  # noqa: E402
from edgecvar.runners.runner import Step  # noqa: E402

SHAPES = {"image": [3, 2, 2], "motion": [2, 2, 2], "residual": [3, 2, 2]}


def stage(name: str, cadence: str, output: int, **inputs: Any) -> StageSpec:
    """Inputs as name=(source, gop, segments, shape of the source)."""
    tensors = [
        {"name": each, "source": source, "gop": gop, "segments": T, "shape": shape if T is None else [T, *shape]}
        for each, (source, gop, T, shape) in inputs.items()
    ]
    return StageSpec.model_validate({"name": name, "cadence": cadence, "inputs": tensors, "output_shape": [output]})


STAGES = [
    stage("look", "gop", 3, picture=("image", "current", None, SHAPES["image"])),
    stage("move", "picture", 2, field=("motion", "current", None, SHAPES["motion"])),
    stage("pair", "picture", 4, moves=("move", "current", 2, [2]), there=("look", "adjacent", None, [3])),
    stage(
        "judge",
        "picture",
        5,
        pairs=("pair", "current", 3, [4]),
        pictures=("image", "current", 3, SHAPES["image"]),
        beside=("image", "adjacent", 2, SHAPES["image"]),
        looks=("look", "current", 4, [3]),
        changes=("residual", "current", 1, SHAPES["residual"]),
        now=("move", "current", None, [2]),
    ),
    stage(
        "recall", "picture", 5, judged=("judge", "current", None, [5]), there=("look", "adjacent", None, [3])
    ).model_copy(update={"state": [StageState(name="past", shape=[3]), StageState(name="more", shape=[2])]}),
    stage("end", "picture", 5, recalled=("recall", "current", None, [5]), now=("move", "current", None, [2])),
]
"""Every kind of input with segments, a clip of clips among them; state, and what takes it at second hand."""


@dataclass
class Sums:
    """Each stage's output depends on every value of every input and on where it stands."""

    name: str = "sums"
    sizes: Dict[str, int] = field(default_factory=lambda: {each.name: each.output_shape[0] for each in STAGES})

    def __enter__(self) -> Sums:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def launch(self, stage: str, inputs: Mapping[str, NDArray[np.float32]]) -> Any:
        flat = np.concatenate([value.reshape(len(value), -1) for _, value in sorted(inputs.items())], axis=1)
        weights = np.random.default_rng(flat.shape[1]).normal(size=(flat.shape[1], self.sizes[stage]))
        output = np.stack([row @ weights for row in flat.astype(np.float64)]).astype(np.float32)
        if stage != "recall":
            return output
        return Step(output, {"past": np.tanh(output[:, :3]), "more": np.tanh(output[:, 3:])})

    def fetch(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        return value


def clip_of(number: int, samples: int, first_index: int) -> List[SampledPicture]:
    rng = np.random.default_rng(number)
    images = [Appearance(first_index + 4 * n, rng.normal(size=SHAPES["image"]).astype(np.float32)) for n in range(9)]
    made: List[SampledPicture] = []
    for place in range(samples):
        window = place // 2
        inputs = {name: rng.normal(size=SHAPES[name]).astype(np.float32) for name in ("motion", "residual")}
        beside = images[window - 1 if window else 1]
        made.append(SampledPicture(place, place ^ 1, 0.0, window, 0.0, inputs, images[window], beside, clip=number))
    return made


# The second clip has I-pictures of the first one's numbers, the third and fourth have others and are one sample each.
SAMPLES = clip_of(0, 7, 0) + clip_of(1, 5, 0) + clip_of(2, 1, 100) + clip_of(3, 1, 200)


@pytest.mark.parametrize("samples", [SAMPLES, SAMPLES[1::2], SAMPLES[:1]])
def test_all_samples_at_once_are_walked_as_one_by_one(samples: List[SampledPicture]) -> None:
    runner = Sums()
    expected = record(runner, STAGES, samples)
    walk = SampleWalk(STAGES, samples)
    outputs: Dict[str, NDArray[np.float32]] = {}
    for spec in STAGES:
        batches: List[Dict[str, NDArray[np.float32]]] = []

        def compute(batch: Dict[str, NDArray[np.float32]], name: str = spec.name) -> List[NDArray[np.float32]]:
            batches.append(batch)  # noqa: B023  # called before the next stage
            launched = runner.launch(name, batch)
            return [launched.output, *launched.state.values()] if isinstance(launched, Step) else [launched]

        outputs[spec.name] = walk.run(spec.name, outputs, compute)
        assert max(len(value) for batch in batches for value in batch.values()) <= BATCH
        if spec.cadence == "picture" and spec.name not in ("recall", "end"):  # which see them in display order
            assert [list(batch) for batch in batches] == [[tensor.name for tensor in spec.inputs]] * len(batches)
            for tensor in spec.inputs:
                got = np.concatenate([batch[tensor.name] for batch in batches])
                want = np.concatenate([inputs[tensor.name] for inputs in expected.inputs[spec.name]])
                assert got.shape == (len(samples), *tensor.shape)
                assert np.array_equal(got, want)
    assert np.array_equal(walk.scores(outputs), expected.scores)
    assert len(samples) == 1 or np.ptp(expected.scores, axis=0).min() > 0

"""Every network that has learnt compiles, and its bundle decides as torch does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch

from edgecvar.bundle.manifest import Bundle, open_bundle
from edgecvar.bundle.stages import clip_segments, has_state
from edgecvar.cli.verify import torch_reference
from edgecvar.clips.samples import read_samples
from edgecvar.compile.inputs import read_inputs
from edgecvar.judge.parity import walk_all
from edgecvar.judge.verify import VerifyConfig, verify
from edgecvar.nets.batch import ClipBatch
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.shared import SharedRunner
from tests.small_networks import SMALL, ByHeart, of_one_worker

PROBABILITY = 1e-3
"""Issue's figure for fp32; sums in another order reach some 1e-6."""

ROUNDED = {"fp16": 0.01, "int8": 0.25}
"""On mean differences of probabilities, of networks this small; int8 reaches 0.07, a wrong graph nearly 1."""

STREAMS = 4


def softmax(scores: Any) -> Any:
    shifted = np.exp(scores - scores.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def walked(bundle: Bundle, precision: str, samples: Any) -> Any:
    """(samples, classes): probabilities as `edgecvar run` has them."""
    with OnnxRunner(bundle, precision=precision, threads=1) as runner:  # type: ignore[arg-type]
        return softmax(walk_all(runner, bundle.manifest.stages, samples))


def verifying(data: Path, checkpoint: Path) -> VerifyConfig:
    """As `edgecvar verify --runners torch,onnx` reads it."""
    document = {"runners": "torch,onnx", "data": data, "checkpoint": checkpoint, "samples": 8, "threads": 1}
    return VerifyConfig.model_validate(document)


def in_a_row(network: Any, samples: Any) -> Any:
    """(samples, classes) of a network that remembers: the samples of one clip as that clip, in display order."""
    order = np.argsort([sample.display_index for sample in samples])
    columns = {
        "image": [samples[place].current.image for place in order],
        "adjacent_image": [samples[place].neighbour.image for place in order],
        **{name: [samples[place].inputs[name] for place in order] for name in samples[0].inputs},
    }
    tensors = {name: torch.from_numpy(np.stack(column))[None] for name, column in columns.items()}
    batch = ClipBatch(**tensors, labels=torch.zeros(1, dtype=torch.int64))
    scores = network.each_picture(batch)[0].numpy()
    return scores[np.argsort(order)]


@pytest.mark.parametrize("name", of_one_worker(SMALL))
def test_it_compiles_in_every_precision_and_agrees_with_torch(
    by_heart: Callable[[str], ByHeart], learnt: Callable[[str], Any], synthetic: Path, name: str
) -> None:
    plan, compiled = learnt(name)
    bundle = open_bundle(compiled.path)
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    inputs = read_inputs(plan.clips, plan.subject)
    batch = inputs.batch(clip_segments(plan.subject.stages))
    with torch.no_grad():
        network = plan.subject.network
        scores = in_a_row(network, inputs.samples) if has_state(plan.subject.stages) else network(batch).numpy()
    whole = softmax(scores)
    assert np.ptp(whole, axis=0).max() > 0.1  # pictures are told apart, so a wrong input would show
    np.testing.assert_allclose(walked(bundle, "fp32", inputs.samples), whole, atol=PROBABILITY)
    misses: Dict[str, float] = {}
    for precision in ROUNDED:
        misses[precision] = float(np.abs(walked(bundle, precision, inputs.samples) - whole).mean(0).max())
    assert all(misses[precision] < ROUNDED[precision] for precision in ROUNDED), misses
    verification = verify(
        bundle, verifying(synthetic, by_heart(name).checkpoint), lambda file: torch_reference(bundle, file)
    )
    assert verification.reference.runner == "torch"
    failures = {result.precision: result.failures(untrained=False) for result in verification.results}
    assert failures == {"fp32": [], "fp16": [], "int8": []}


@pytest.mark.parametrize("name", of_one_worker(SMALL))
def test_streams_that_share_a_runner_get_what_each_gets_alone(
    learnt: Callable[[str], Any], synthetic: Path, name: str
) -> None:
    plan, compiled = learnt(name)
    stages, spec = compiled.manifest.stages, compiled.manifest.input
    clips = sorted(synthetic.rglob("*.mp4"))[:STREAMS]
    reading = {"frames": plan.subject.frames, "remembering": has_state(stages)}
    streams = [read_samples([clip], spec, 6, **reading) for clip in clips]
    with OnnxRunner(compiled, threads=1) as runner:
        alone = [walk_all(runner, stages, samples) for samples in streams]
        shared, begun = SharedRunner(runner, max_batch=STREAMS, deadline=0.5), Barrier(STREAMS)

        def walked_beside(samples: Any) -> Any:
            begun.wait(60)
            return walk_all(shared, stages, samples)

        with ThreadPoolExecutor(STREAMS) as pool:
            together = list(pool.map(walked_beside, streams))
    assert np.ptp([scores[-1] for scores in alone], axis=0).max() > 0.1  # streams are told apart
    for got, expected in zip(together, alone):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    assert max(shared.sizes) > 1

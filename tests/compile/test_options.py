"""What the papers' ablations change in a network compiles too, in every precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Set

import numpy as np
import pytest
import torch

from edgecvar.bundle.manifest import open_bundle
from edgecvar.bundle.stages import clip_segments, prepared_sources
from edgecvar.clips.spec import InputSpec
from edgecvar.compile.bundle import compile_bundle
from edgecvar.compile.config import CompileConfig
from edgecvar.compile.inputs import read_inputs
from edgecvar.compile.plan import plan_compilation
from edgecvar.judge.parity import walk_all
from edgecvar.runners.onnx import OnnxRunner

BOTTLENECK = {"block": "bottleneck", "repeats": [1, 1, 1, 1], "width": 0.125}
BASIC = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
CMR = {"backbone": BOTTLENECK, "segments": 3, "start": "random"}
TEAM = {"appearance": BOTTLENECK, "motion": BASIC, "residual": BASIC}
MEACI = {"backbone": {"repeats": [1, 1, 1, 1], "width": 0.125}, "segments": 2}

TOLERANCES = {"fp32": 1e-4, "fp16": 0.02, "int8": 0.5}
"""Relative to the scores' spread, on the mean: int8 of new weights reaches 0.25, a wrong graph some 1."""

CASES = [
    ("meaci", {**MEACI, "streams": "rgb"}, {"image"}),
    ("cmr", {**CMR, "cme": "pem", "sme_at": "all"}, {"frame"}),
    ("team-r50", {**TEAM, "arrangement": "c+s", "places": [1, 2, 3, 4, 5]}, {"image", "motion", "residual"}),
]


@pytest.mark.parametrize(("model", "options", "sources"), CASES)
def test_it_compiles_in_every_precision(
    model: str, options: Dict[str, Any], sources: Set[str], folder: Path, tmp_path: Path
) -> None:
    config = CompileConfig(
        model=model,
        untrained=True,
        classes=3,
        network=options,
        input=InputSpec(height=32, width=48, stride=4, crop=1.0),
        data=folder,
        output=tmp_path / "small.edgecvar",
        precision=frozenset({"fp32", "fp16", "int8"}),
        max_drop=None,
        search_samples=1,
    )
    plan = plan_compilation(config)
    compiled = compile_bundle(plan).bundle
    bundle = open_bundle(compiled.path)
    assert prepared_sources(bundle.manifest.stages) == sources
    subject, inputs = plan.subject, read_inputs(plan.clips, plan.subject)
    with torch.no_grad():
        whole = subject.network(inputs.batch(clip_segments(subject.stages) or 1)).numpy()
    assert np.ptp(whole, axis=0).min() > 1e-3  # pictures are told apart, so a wrong input would show
    for precision, tolerance in TOLERANCES.items():
        with OnnxRunner(bundle, precision=precision, threads=1) as runner:  # type: ignore[arg-type]
            scores = walk_all(runner, bundle.manifest.stages, inputs.samples)
        off = np.abs(scores - whole).mean() / whole.std()
        assert off < tolerance, precision

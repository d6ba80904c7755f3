"""Engines of the played TensorRT: how they are asked for, and what is left of a build that fails."""

from __future__ import annotations

import pytest

from edgecvar.bundle.engines import EngineKey
from edgecvar.runners.tensorrt.builder import build_engines
from edgecvar.runners.tensorrt.options import Build, TensorRtOptions


def build_of(played, **options):
    chosen = TensorRtOptions(**{"precision": "fp16", **options})
    gpu = "Orin, 8 multiprocessors"
    key = EngineKey(sm="sm87", gpu=gpu, tensorrt=played.version, precision=chosen.precision, dla=chosen.dla)
    return Build(played.bundle, key, chosen)


def failing(played, kind, **options):
    """The one line of a build's error; engines/ is as it was."""
    with pytest.raises(kind) as caught:
        build_engines(build_of(played, **options), "")
    assert not (played.bundle.path / "engines").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)

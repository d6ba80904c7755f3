"""TensorRT of each version, played over a small bundle."""

from __future__ import annotations

import pytest

from tests.runners.tensorrt.played_tensorrt import EACH_VERSION, PlayedTensorRt, with_precision
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(params=EACH_VERSION)
def played(request, tmp_path, monkeypatch):
    played = PlayedTensorRt(request.param, with_precision(tiny_bundle(tmp_path), "fp16"), monkeypatch)
    yield played
    assert played.cuda.clocks.races == []
    assert played.cuda.current == 0
    assert played.cuda.alive["memory"] == played.cuda.alive["graph"] == played.cuda.current == 0

"""A bundle on its way: how its stages are run before it is one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest

pytest.importorskip("onnx", reason="needs the train extra")

from edgecvar.bundle.manifest import Provenance
from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.compile.draft import Draft

pytestmark = pytest.mark.train


@pytest.mark.parametrize("typed", [False, True])
def test_stages_with_fp16_scales_are_computed_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: bool
) -> None:
    """ONNX Runtime 1.31 takes such scales for others where it rewrites what lies beside them."""
    made: List[Any] = []
    monkeypatch.setattr("edgecvar.compile.draft.OnnxRunner", lambda *given, **named: made.append((given, named)))
    taken = StageInput(name="field", source="motion", shape=[2, 32, 32])
    stage = StageSpec(name="s", cadence="picture", inputs=[taken], output_shape=[2])
    subject: Any = SimpleNamespace(stages=[stage], labels=["a", "b"], input=InputSpec(height=32, width=32))
    Draft(tmp_path, subject, Provenance(model="motion")).runner("int8", strongly_typed=typed)
    (((bundle, precision), named),) = made
    assert (precision, named) == ("int8", {"as_written": typed})
    assert [(file.path, file.strongly_typed) for file in bundle.manifest.files] == [
        (f"onnx/s.int8{'-typed' if typed else ''}.onnx", typed)
    ]

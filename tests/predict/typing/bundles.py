"""A bundle of one stage whose files are as given, for the types in them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

from edgecvar.bundle.manifest import Manifest, Provenance, StageFile, write_manifest
from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.spec import InputSpec
from tests.predict.typing.written import Call, written

HALF = written(
    [
        Call("half", "Cast", ["x"], to="fp16"),
        Call("gate", "Sigmoid", ["half"]),
        Call("full", "Cast", ["gate"], to="fp32"),
        Call("sum", "ReduceSum", ["full"]),
    ],
    {},
    {"x": "fp32"},
    "sum",
)
"""A stage in fp16 but for a sum."""


def swish_bundle(folder: Path, files: Dict[str, bytes]) -> Path:
    """A bundle of stage `s`; by precision, or "typed", its files beside one in fp32."""
    root = folder / "swish.edgecvar"
    (root / "onnx").mkdir(parents=True)
    entries = []
    for form, model in {"fp32": b"not read", **files}.items():
        path = f"onnx/s.{form}.onnx"
        (root / path).write_bytes(model)
        entry = {"stage": "s", "precision": "int8" if form == "typed" else form, "path": path, "max_difference": 0.0}
        entries.append(StageFile.model_validate({**entry, "strongly_typed": form == "typed"}))
    spec = InputSpec(height=32, width=32)
    taken = StageInput(name="x", source="motion", shape=list(spec.shape("motion")))
    stage = StageSpec(name="s", cadence="picture", inputs=[taken], output_shape=[2])
    document = Manifest(
        labels=["a", "b"], input=spec, stages=[stage], files=entries, provenance=Provenance(model="motion")
    )
    write_manifest(root, document)
    return root

"""A bundle whose stages take a device some time: an I-stage, one of vectors, and scores of both."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from edgecvar.bundle.manifest import Manifest, Provenance, StageFile, write_manifest
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from tests.predict.onnx_file import OnnxFile

SIDE, WIDTH, DEPTH, CLASSES = 128, 64, 25, 3


def heavy_bundle(folder: Path, precisions: Sequence[str] = ("fp32", "fp16", "int8")) -> Path:
    """HEAVY.edgecvar of 128 x 128, each of its first two stages some 4 x 10^9 multiply-adds."""
    root = folder / "heavy.edgecvar"
    (root / "onnx").mkdir(parents=True)
    shapes = {"appearance": [3, SIDE, SIDE], "motion": [2, SIDE, SIDE]}
    sources = {"appearance": ("image", "gop"), "motion": ("motion", "picture")}
    stages = [
        {"name": name, "cadence": sources[name][1], "output_shape": [WIDTH],
         "inputs": [{"name": "picture", "source": sources[name][0], "shape": shape}]}
        for name, shape in shapes.items()
    ]  # fmt: skip
    taken = [{"name": name, "source": name, "shape": [WIDTH]} for name in shapes]
    stages.append({"name": "fuse", "cadence": "picture", "output_shape": [CLASSES], "inputs": taken})
    files = []
    for precision in precisions:
        models = {name: _maps(shape[0], precision == "int8") for name, shape in shapes.items()}
        for name, model in {**models, "fuse": _scores()}.items():
            path = f"onnx/{name}.{precision}.onnx"
            (root / path).write_bytes(model)
            entry = {"stage": name, "precision": precision, "path": path, "max_difference": 0.0}
            files.append(StageFile.model_validate(entry))
    document = Manifest(
        labels=["a", "b", "c"],
        input=InputSpec(height=SIDE, width=SIDE, gop_length=12, stride=2),
        stages=[StageSpec.model_validate(stage) for stage in stages],
        files=files,
        provenance=Provenance(model="heavy", untrained=True),
    )
    write_manifest(root, document)
    return root


def _maps(channels: int, int8: bool) -> bytes:
    """Many convolutions that share their weights, and the mean of what comes out."""
    file = OnnxFile(picture=[channels, SIDE, SIDE])
    here = file.call("Relu", file.conv("picture", (WIDTH, channels, 7, 7), strides=[2, 2]))
    stored = file.weights(WIDTH, WIDTH, 3, 3)
    weights = file.quantised(stored) if int8 else stored
    for _ in range(DEPTH):
        maps = file.call("Conv", file.quantised(here) if int8 else here, weights, pads=[1, 1, 1, 1])
        here = file.call("Relu", maps)
    return file.content(file.call("Flatten", file.call("GlobalAveragePool", here), axis=1))


def _scores() -> bytes:
    file = OnnxFile(appearance=[WIDTH], motion=[WIDTH])
    both = file.call("Concat", "appearance", "motion", axis=1)
    return file.content(file.call("MatMul", both, file.weights(2 * WIDTH, CLASSES)))

"""A whole bundle of four tiny stages, its ONNX files written by hand: the device half has no onnx package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from edgecvar.bundle.manifest import MANIFEST, Manifest, Provenance, StageFile, write_manifest
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec

LABELS = ["left", "right", "still"]
SPEC = InputSpec(height=32, width=32, gop_length=12, stride=2, consensus=4, velocity_unit=1.0)


def tiny_bundle(folder: Path, untrained: bool = False, labels: Sequence[str] = tuple(LABELS), **spec: Any) -> Path:
    """NAME.edgecvar whose scores follow the mean horizontal velocity: labels 0 for left, 1 for right, else 2."""
    root = folder / "tiny.edgecvar"
    (root / "onnx").mkdir(parents=True)
    stages = _stages(len(labels))
    files = []
    for stage in stages:
        inputs = [(tensor.name, tensor.shape) for tensor in stage.inputs]
        fused = stage.name == "fuse"
        path = f"onnx/{stage.name}.fp32.onnx"
        (root / path).write_bytes(fuse_model(inputs, len(labels)) if fused else mean_model(inputs[0], "mean"))
        files.append(StageFile(stage=stage.name, precision="fp32", path=path, max_difference=0.0))
    document = Manifest(
        labels=list(labels),
        input=SPEC.model_copy(update=spec),
        stages=stages,
        files=files,
        provenance=Provenance(model="tiny", untrained=untrained),
    )
    write_manifest(root, document)
    return root


def tiny_clip_bundle(folder: Path, segments: int) -> Path:
    """A bundle of clips of the newest `segments`: mean motions, their mean, and scores of both and of residuals."""
    root = folder / "clips.edgecvar"
    (root / "onnx").mkdir(parents=True)
    motion, residual = [2, 32, 32], [3, 32, 32]
    means = {"source": "motion", "segments": segments, "shape": [segments, 2]}
    changes = {"name": "residual", "source": "residual", "segments": segments, "shape": [segments, *residual]}
    described: List[Tuple[str, List[Any], int]] = [
        ("motion", [{"name": "field", "source": "motion", "shape": motion}], 2),
        ("drift", [{"name": "moves", **means}], 2),
        (
            "clip",
            [{"name": "motion", **means}, changes, {"name": "mean", "source": "drift", "shape": [2]}],
            len(LABELS),
        ),
    ]
    stages = [
        StageSpec.model_validate({"name": name, "cadence": "picture", "inputs": inputs, "output_shape": [size]})
        for name, inputs, size in described
    ]
    drift = _model(
        [_node("ReduceMean", ["moves"], "drift", [_ints("axes", [1]), _int("keepdims", 0)])],
        [("moves", [segments, 2])],
        ("drift", [2]),
    )
    models = {"motion": mean_model(("field", motion), "mean"), "drift": drift, "clip": clip_model(segments, residual)}
    files = []
    for name, model in models.items():
        path = f"onnx/{name}.fp32.onnx"
        (root / path).write_bytes(model)
        files.append(StageFile(stage=name, precision="fp32", path=path, max_difference=0.0))
    document = Manifest(labels=LABELS, input=SPEC, stages=stages, files=files, provenance=Provenance(model="tiny"))
    write_manifest(root, document)
    return root


def tiny_state_bundle(folder: Path) -> Path:
    """A bundle of mean motions, and of scores of the newest one, the one before it and the sum of all."""
    root = folder / "state.edgecvar"
    (root / "onnx").mkdir(parents=True)
    field, moves = ("field", [2, 32, 32]), {"name": "moves", "source": "motion", "shape": [2]}
    state = [{"name": "before", "shape": [2]}, {"name": "sum", "shape": [2]}]
    described: List[Dict[str, Any]] = [
        {"name": "motion", "inputs": [{"name": field[0], "source": "motion", "shape": field[1]}], "output_shape": [2]},
        {"name": "recall", "inputs": [moves], "output_shape": [len(LABELS)], "state": state},
    ]
    weight = np.random.default_rng(1).normal(size=(6, len(LABELS))).astype(np.float32)
    nodes = [
        _node("Identity", ["moves"], "before_next", []),
        _node("Add", ["sum", "moves"], "sum_next", []),
        _node("Concat", ["moves", "before", "sum_next"], "all", [_int("axis", 1)]),
        _node("MatMul", ["all", "weight"], "recall", []),
    ]
    taken = [(name, [2]) for name in ("moves", "before", "sum")]
    given = [("recall", [len(LABELS)]), ("before_next", [2]), ("sum_next", [2])]
    models = {"motion": mean_model(field, "mean"), "recall": _model(nodes, taken, given, [("weight", weight)])}
    files = []
    for name, model in models.items():
        path = f"onnx/{name}.fp32.onnx"
        (root / path).write_bytes(model)
        files.append(StageFile(stage=name, precision="fp32", path=path, max_difference=0.0))
    stages = [StageSpec.model_validate({"cadence": "picture", **each}) for each in described]
    document = Manifest(labels=LABELS, input=SPEC, stages=stages, files=files, provenance=Provenance(model="tiny"))
    write_manifest(root, document)
    return root


def replace_stage(root: Path, stage: str, model: bytes) -> Path:
    """The bundle with another fp32 file of a stage."""
    document = Manifest.model_validate(json.loads((root / MANIFEST).read_text()))
    (root / "onnx" / f"{stage}.fp32.onnx").write_bytes(model)
    write_manifest(root, document)
    return root


def steep_bundle(folder: Path) -> Path:
    """A bundle whose motion stage overflows fp16 in its middle, at `beyond`, and not in fp32."""
    motion = ("motion", [2, 32, 32])
    root = replace_stage(tiny_bundle(folder), "motion", steep_model(motion, "mean", half=False))
    return add_precision(root, "fp16", motion=steep_model(motion, "mean", half=True))


def add_precision(root: Path, precision: str, **replaced: bytes) -> Path:
    """The fp32 files once more under another precision, but for stages `replaced` with another model."""
    document = Manifest.model_validate(json.loads((root / MANIFEST).read_text()))
    files = []
    for entry in document.files:
        if entry.precision == "fp32":
            path = f"onnx/{entry.stage}.{precision}.onnx"
            (root / path).write_bytes(replaced.get(entry.stage, (root / entry.path).read_bytes()))
            files.append(entry.model_copy(update={"precision": precision, "path": path}))
    write_manifest(root, document.model_copy(update={"files": [*document.files, *files]}))
    return root


def _stages(classes: int) -> List[StageSpec]:
    def stage(name: str, cadence: str, inputs: List[Tuple[str, str, str, List[int]]], output: List[int]) -> StageSpec:
        tensors = [{"name": n, "source": s, "gop": g, "shape": shape} for n, s, g, shape in inputs]
        return StageSpec.model_validate({"name": name, "cadence": cadence, "inputs": tensors, "output_shape": output})

    image, motion, residual = ([channels, 32, 32] for channels in (3, 2, 3))
    return [
        stage("appearance", "gop", [("image", "image", "current", image)], [3]),
        stage("motion", "picture", [("motion", "motion", "current", motion)], [2]),
        stage("residual", "picture", [("residual", "residual", "current", residual)], [3]),
        stage(
            "fuse",
            "picture",
            [
                ("appearance", "appearance", "current", [3]),
                ("adjacent", "appearance", "adjacent", [3]),
                ("motion", "motion", "current", [2]),
                ("residual", "residual", "current", [3]),
            ],
            [classes],
        ),
    ]


def mean_model(tensor: Tuple[str, Sequence[int]], output: str) -> bytes:
    """Mean over rows and columns: (B, C, h, w) to (B, C)."""
    name, shape = tensor
    attributes = [_ints("axes", [2, 3]), _int("keepdims", 0)]
    return _model([_node("ReduceMean", [name], output, attributes)], [tensor], (output, [shape[0]]))


def steep_model(tensor: Tuple[str, Sequence[int]], output: str, half: bool) -> bytes:
    """mean_model by way of 90000 times its input, which fp16 does not hold; `half`: all but the mean is fp16."""
    name, shape = tensor
    casts = [_node("Cast", [name], "narrow", [_int("to", 10)]), _node("Cast", ["by"], "factor", [_int("to", 10)])]
    start, by = ("narrow", "factor") if half else (name, "by")
    nodes = [
        *(casts if half else []),
        _node("Mul", [start, by], "large", []),
        _node("Mul", ["large", by], "beyond", []),
        _node("Div", ["beyond", by], "back", []),
        _node("Div", ["back", by], "same", []),
        *([_node("Cast", ["same"], "wide", [_int("to", 1)])] if half else []),
        _node("ReduceMean", ["wide" if half else "same"], output, [_ints("axes", [2, 3]), _int("keepdims", 0)]),
    ]
    return _model(nodes, [tensor], (output, [shape[0]]), [("by", np.array([300], np.float32))])


def fuse_model(tensors: Sequence[Tuple[str, Sequence[int]]], classes: int) -> bytes:
    """All inputs side by side times a matrix that looks at mean horizontal velocity, plus a bias for the third."""
    columns = sum(shape[0] for _, shape in tensors)
    weight = np.zeros((columns, classes), np.float32)
    weight[6, :2] = (-3, 3)
    bias = np.zeros(classes, np.float32)
    bias[2:3] = 1
    nodes = [
        _node("Concat", [name for name, _ in tensors], "all", [_int("axis", 1)]),
        _node("Gemm", ["all", "weight", "bias"], "scores", []),
    ]
    return _model(nodes, tensors, ("scores", [classes]), [("weight", weight), ("bias", bias)])


def clip_model(segments: int, residual: Sequence[int]) -> bytes:
    """Motion (B, T, 2), the means of residuals (B, T, 3, h, w) and a mean (B, 2): each number with its own weights."""
    weight = np.random.default_rng(0).normal(size=(5 * segments + 2, len(LABELS))).astype(np.float32)
    nodes = [
        _node("Flatten", ["motion"], "moved", [_int("axis", 1)]),
        _node("ReduceMean", ["residual"], "means", [_ints("axes", [3, 4]), _int("keepdims", 0)]),
        _node("Flatten", ["means"], "changed", [_int("axis", 1)]),
        _node("Concat", ["moved", "changed", "mean"], "all", [_int("axis", 1)]),
        _node("MatMul", ["all", "weight"], "scores", []),
    ]
    inputs = [("motion", [segments, 2]), ("residual", [segments, *residual]), ("mean", [2])]
    return _model(nodes, inputs, ("scores", [len(LABELS)]), [("weight", weight)])


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _int(name: str, value: int) -> bytes:
    return _text(1, name) + _number(3, value) + _number(20, 2)


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7)


def _node(kind: str, inputs: Sequence[str], output: str, attributes: Sequence[bytes]) -> bytes:
    names = b"".join(_text(1, name) for name in inputs) + _text(2, output)
    return names + _text(4, kind) + b"".join(_bytes(5, attribute) for attribute in attributes)


def _value(name: str, shape: Sequence[int]) -> bytes:
    dimensions = [_text(2, "batch"), *(_number(1, side) for side in shape)]
    tensor = _number(1, 1) + _bytes(2, b"".join(_bytes(1, each) for each in dimensions))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _initializer(name: str, value: np.ndarray) -> bytes:
    sides = b"".join(_number(1, side) for side in value.shape)
    return sides + _number(2, 1) + _text(8, name) + _bytes(9, value.astype("<f4").tobytes())


def _model(nodes: Sequence[bytes], inputs: Sequence[Any], output: Any, constants: Sequence[Any] = ()) -> bytes:
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "stage")
    graph += b"".join(_bytes(5, _initializer(*constant)) for constant in constants)
    outputs = output if isinstance(output, list) else [output]
    graph += b"".join(_bytes(11, _value(*tensor)) for tensor in inputs)
    graph += b"".join(_bytes(12, _value(*tensor)) for tensor in outputs)
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 13))

"""A made-up network of two stages in numpy and in ONNX: a look at each I-picture, a judgement of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

from edgecvar.bundle.stages import StageInput, StageSpec
from edgecvar.clips.appearance import Appearance
from edgecvar.clips.messages import SampledPicture

Reference = Callable[[SampledPicture, Appearance], Tuple[NDArray, NDArray]]

CLASSES = 5


def chain(folder: Path, ruin: float = 1.0) -> Tuple[List[StageSpec], Dict[str, Path], Reference]:
    """Stages, their files, and a function to what "judge" multiplies and the scores.

    look: Conv "first", Relu, Conv "second", mean; judge: (current + adjacent + 0 * motion) through Gemm "classify".
    `ruin` enlarges one channel between the convolutions, and the second one makes it small again: exact in floats,
    and in int8 the end of all others.
    """
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(8, 3, 1, 1)), rng.normal(size=(6, 8, 1, 1))
    classify = rng.normal(size=(CLASSES, 6))
    first[0] *= ruin
    second[:, 0] /= ruin
    values = {"first": first, "second": second, "classify": classify}
    constants = {name: value.astype(np.float32) for name, value in values.items()}
    specs = [
        StageSpec(
            name="look",
            cadence="gop",
            inputs=[StageInput(name="picture", source="image", shape=[3, 4, 4])],
            output_shape=[6],
        ),
        StageSpec(
            name="judge",
            cadence="picture",
            inputs=[
                StageInput(name="here", source="look", shape=[6]),
                StageInput(name="there", source="look", gop="adjacent", shape=[6]),
                StageInput(name="moves", source="motion", shape=[6]),
            ],
            output_shape=[CLASSES],
        ),
    ]
    look = [
        helper.make_node("Conv", ["picture", "first"], ["wide"], name="first"),
        helper.make_node("Relu", ["wide"], ["seen"], name="relu"),
        helper.make_node("Conv", ["seen", "second"], ["narrow"], name="second"),
        helper.make_node("ReduceMean", ["narrow"], ["look"], name="mean", axes=[2, 3], keepdims=0),
    ]
    judge = [
        helper.make_node("Add", ["here", "there"], ["both"], name="add"),
        helper.make_node("Add", ["both", "moves"], ["joined"], name="add2"),
        helper.make_node("Gemm", ["joined", "classify"], ["judge"], name="classify", transB=1),
    ]
    files = {}
    for spec, nodes in zip(specs, (look, judge)):
        files[spec.name] = folder / f"{spec.name}.onnx"
        save(_model(spec, nodes, constants), str(files[spec.name]))

    def features(appearance: Appearance) -> NDArray:
        wide = np.einsum("oc,chw->ohw", constants["first"][:, :, 0, 0], appearance.image)
        return np.einsum("oc,chw->o", constants["second"][:, :, 0, 0], np.maximum(wide, 0)) / 16

    def reference(sample: SampledPicture) -> Tuple[NDArray, NDArray]:
        joined = features(sample.current) + features(sample.neighbour) + sample.inputs["motion"]
        return joined, constants["classify"] @ joined

    return specs, files, reference


def samples(count: int, seed: int = 0) -> List[SampledPicture]:
    """Two sampled pictures an I-picture; I-pictures of different clips have the same index."""
    rng = np.random.default_rng(seed)
    images = [Appearance(place % 3, rng.normal(size=(3, 4, 4)).astype(np.float32)) for place in range((count + 3) // 2)]
    drawn: List[SampledPicture] = []
    for place in range(count):
        sample = SampledPicture(
            decode_index=place,
            display_index=place,
            pts_seconds=place / 25,
            window=place // 2,
            read_at=0.0,
            inputs={"motion": rng.normal(size=6).astype(np.float32)},
            current=images[place // 2],
            adjacent=images[place // 2 + 1],
        )
        drawn.append(sample)
    return drawn


def _model(spec: StageSpec, nodes: List[Any], constants: Dict[str, NDArray]) -> Any:
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        spec.name,
        [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, ["batch", *each.shape]) for each in spec.inputs],
        [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, ["batch", *spec.output_shape])],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

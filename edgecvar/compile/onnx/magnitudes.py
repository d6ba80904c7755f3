"""How large every tensor of a stage gets on real inputs: what decides whether fp16 can hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgecvar.compile.int8.sample_walk import open_session
from edgecvar.compile.onnx.graph import element_types, producers


def largest_magnitudes(file: Path, stage: str, inputs: Sequence[Mapping[str, NDArray[np.float32]]]) -> Dict[str, float]:
    """Largest absolute value of every float tensor of an fp32 stage on its `inputs`, one sample after the other.

    Raises CompileError where ONNX Runtime cannot load the stage.
    """
    model = onnx.load(str(file))
    types, own = element_types(model), {value.name for value in model.graph.output}
    for name in producers(model.graph):
        if name not in own and types.get(name) == TensorProto.FLOAT:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(model.SerializeToString(), stage)
    names = [value.name for value in session.get_outputs()]
    largest: Dict[str, float] = {}
    for sample in inputs:
        tensors = {**sample, **dict(zip(names, session.run(None, dict(sample))))}
        for name, values in tensors.items():
            # Not Python's max, which loses a NaN.
            largest[name] = float(np.maximum(largest.get(name, 0.0), np.abs(values).max(initial=0.0)))
    return largest

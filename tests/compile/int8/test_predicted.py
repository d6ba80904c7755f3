"""The predictor as a clock: its graph of a choice is that of the file which that choice is written to."""

from __future__ import annotations

from pathlib import Path
from typing import FrozenSet, Set, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the train extra")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgecvar.bundle.devices import DEVICES  # noqa: E402
from edgecvar.clips.spec import InputSpec  # noqa: E402
from edgecvar.compile.int8.layers import quantised_tensors  # noqa: E402
from edgecvar.compile.int8.predicted import Int8Graph, PredictedClock  # noqa: E402
from edgecvar.compile.int8.quantize import Quantizer  # noqa: E402
from edgecvar.predict.fitted import EngineModel  # noqa: E402
from edgecvar.predict.fusion import fuse  # noqa: E402
from edgecvar.predict.graph import read_graph  # noqa: E402
from edgecvar.predict.timing import PRIOR  # noqa: E402
from tests.compile.chains import chain  # noqa: E402

pytestmark = pytest.mark.train

MODEL = EngineModel({name: believed for name, (believed, _) in PRIOR.items()}, (0.8, 1.2), 1, 0.2)
"""Coefficients as they are believed before anything is measured."""


def block(folder: Path) -> Path:
    """Pointwise, depthwise, pointwise, and a sum with what came in: the layers `up`, `deep` and `down`."""
    rng = np.random.default_rng(0)
    shapes = {"w_up": (64, 16, 1, 1), "w_deep": (64, 1, 3, 3), "w_down": (16, 64, 1, 1)}
    nodes = [
        helper.make_node("Conv", ["x", "w_up"], ["a"], name="up"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "w_deep"], ["c"], name="deep", group=64, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"], name="relu2"),
        helper.make_node("Conv", ["d", "w_down"], ["e"], name="down"),
        helper.make_node("Add", ["e", "x"], ["y"], name="add"),
    ]
    sizes = ["batch", 16, 28, 28]
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(rng.normal(size=of).astype(np.float32), name) for name, of in shapes.items()],
    )
    file = folder / "block.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(file))
    return file


@pytest.mark.parametrize("kept", [set(), {"deep"}, {"up", "deep"}, {"down"}, {"up", "deep", "down"}])
def test_a_choice_is_fused_as_its_file_would_be(tmp_path: Path, kept: Set[str]) -> None:
    file = block(tmp_path)
    model = onnx.load(str(file))
    written = Quantizer(model).write(dict.fromkeys(quantised_tensors(model), 1.0), kept)
    expected = fuse(read_graph(written.SerializeToString()), "int8")
    found = fuse(Int8Graph(file).choice(frozenset(kept)), "int8")
    # Casts give the tensors around a layer in fp16 other names in the file.
    costs = [(each.kind, each.precision, each.moved, each.multiply_adds) for each in found]
    assert costs == [(each.kind, each.precision, each.moved, each.multiply_adds) for each in expected]
    assert {each.name for each in found if each.precision == "int8" and each.nodes} == {"up", "deep", "down"} - kept


def test_layers_in_fp16_take_longer_and_a_stage_of_a_window_is_shared(tmp_path: Path) -> None:
    specs, files, _ = chain(tmp_path)
    files["judge"], files["look"] = block(tmp_path), block(tmp_path)

    def times(kept: FrozenSet[str], **spec: int) -> Tuple[float, float]:
        clock = PredictedClock(DEVICES["orin-nano"], MODEL, specs, files, InputSpec(**spec))
        assert clock.device == "orin-nano"
        return clock.ms("look", kept), clock.ms("judge", kept)

    every: FrozenSet[str] = frozenset(("up", "deep", "down"))
    none: FrozenSet[str] = frozenset()
    assert times(every)[1] > times(none)[1] > 0
    window, picture = times(none, gop_length=12, stride=3)
    assert window == pytest.approx(picture / 4)
    window, picture = times(none, gop_length=12, stride=24)
    assert window == picture

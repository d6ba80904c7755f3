"""Stages to ONNX files, one each, that TensorRT 8.2 to 11 and ONNX Runtime from 1.19 on read at any batch."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Tuple

import onnx
import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.compile.onnx.lowering import EXPORTED_OPSET, NEWEST_OPSET, OLDEST_OPSET, lower
from edgecvar.compile.onnx.naming import name_parts
from edgecvar.errors import CompileError, reason

NEWEST_IR = 8
"""Of ONNX 1.10 to 1.12: what parsers of operator sets up to 17 were built with; set 13 has 7."""


class _Stage(nn.Module):
    """A stage with its inputs one by one: `torch.export` wants a batch dimension stated for each."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tuple[Tensor, ...]) -> Any:
        return self.module(*inputs)


def export_stage(module: nn.Module, spec: StageSpec, path: Path) -> None:
    """Write `module`, in eval mode, as fp32 ONNX with the names of `spec`; raises CompileError.

    The output is named after the stage, the next state as StageState says; the first axis of every tensor is "batch",
    batch norms are folded into the convolutions before them, nodes are named after the modules that they come from.
    """
    example = tuple(torch.zeros(2, *shape) for shape in spec.takes.values())
    batch = torch.export.Dim("batch", min=1)
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                _Stage(module).eval(),
                (example,),
                dynamo=True,
                opset_version=EXPORTED_OPSET,
                input_names=list(spec.takes),
                output_names=list(spec.gives),
                dynamic_shapes=(tuple({0: batch} for _ in example),),
                verbose=False,
            )
    except Exception as error:  # the exporter has errors of its own at every step
        raise CompileError(f"stage {spec.name}: torch {torch.__version__} cannot export it: {reason(error)}") from error
    model = program.model_proto
    try:
        lower(model)
    except CompileError as error:
        raise CompileError(f"stage {spec.name}: {error}") from error
    name_parts(model.graph)
    _strip(model)
    _check(model, spec)
    onnx.save(model, str(path))


def _strip(model: onnx.ModelProto) -> None:
    """Remove what no engine reads: stack traces, which also hold paths of this machine, and settings that go unsaid."""
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for node in graph.node:
        defaults = {
            name: attribute.default_value for name, attribute in onnx.defs.get_schema(node.op_type).attributes.items()
        }
        for place in reversed(range(len(node.attribute))):
            if node.attribute[place] == defaults.get(node.attribute[place].name):
                del node.attribute[place]


def _check(model: onnx.ModelProto, spec: StageSpec) -> None:
    onnx.checker.check_model(model, full_check=True)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if set(opsets) != {""} or not OLDEST_OPSET <= opsets[""] <= NEWEST_OPSET or model.ir_version > NEWEST_IR:
        raise CompileError(
            f"stage {spec.name}: exported as IR {model.ir_version} with operator sets {opsets}, expected at most "
            f"IR {NEWEST_IR} and ONNX {OLDEST_OPSET} to {NEWEST_OPSET} alone; use the versions in constraints.txt"
        )
    expected = [*spec.takes, *spec.gives]
    got = [value.name for value in (*model.graph.input, *model.graph.output)]
    if got != expected:
        raise CompileError(f"stage {spec.name}: exported with tensors {got}, expected {expected}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of the exporter's on the terminal but errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

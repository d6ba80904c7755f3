"""Stages to ONNX files that ONNX Runtime 1.19 and newer read: one file each, weights inside, any batch."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import onnx
import torch
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import CompileError

OPSET = 18
"""The exporter's own; with IR 10 the newest that ONNX Runtime 1.19, the last for Python 3.8, loads."""

NEWEST_IR = 10


class _Stage(nn.Module):
    """A stage with its inputs one by one: `torch.export` wants a batch dimension stated for each."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: tuple) -> Tensor:
        output: Tensor = self.module(*inputs)
        return output


def export_stage(module: nn.Module, spec: StageSpec, path: Path) -> None:
    """Write `module`, in eval mode, as fp32 ONNX with the names of `spec`; raises CompileError.

    The output is named after the stage, the first axis of every tensor is "batch", batch norms are folded into the
    convolutions before them.
    """
    example = tuple(torch.zeros(2, *tensor.shape) for tensor in spec.inputs)
    batch = torch.export.Dim("batch", min=1)
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                _Stage(module).eval(),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[tensor.name for tensor in spec.inputs],
                output_names=[spec.name],
                dynamic_shapes=(tuple({0: batch} for _ in example),),
                verbose=False,
            )
    except Exception as error:  # the exporter has errors of its own at every step
        first = " ".join(str(error).split())[:200]
        raise CompileError(f"stage {spec.name}: torch {torch.__version__} cannot export it: {first}") from error
    model = program.model_proto
    _strip(model)
    _check(model, spec)
    onnx.save(model, str(path))


def _strip(model: onnx.ModelProto) -> None:
    """Remove what no engine reads: the exporter's stack traces, which also hold paths of this machine."""
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _check(model: onnx.ModelProto, spec: StageSpec) -> None:
    onnx.checker.check_model(model, full_check=True)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET} or model.ir_version > NEWEST_IR:
        raise CompileError(
            f"stage {spec.name}: exported as IR {model.ir_version} with operator sets {opsets}, expected at most "
            f"IR {NEWEST_IR} and ONNX {OPSET} alone; use the versions in constraints.txt"
        )
    expected = [*(tensor.name for tensor in spec.inputs), spec.name]
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

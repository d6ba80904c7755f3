"""The predictor as a clock for choices of int8 layers: the stage's graph is typed anew for each, and fused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Dict, FrozenSet, List, Mapping, Sequence

import onnx

from edgecvar.bundle.devices import Device
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import COMMON_RATE, InputSpec
from edgecvar.compile.int8.layers import find_layers, find_residuals
from edgecvar.predict.engines import call_ms, target_of
from edgecvar.predict.fitted import EngineModel
from edgecvar.predict.fusion import fuse
from edgecvar.predict.graph import Graph, Node, Tensor, read_graph


class PredictedClock:
    """StageClock for a device that need not be here; raises ConfigError for one without a data sheet."""

    def __init__(
        self,
        device: Device,
        model: EngineModel,
        stages: Sequence[StageSpec],
        files: Mapping[str, Path],
        spec: InputSpec,
    ) -> None:
        """`files`: the stages in fp32."""
        self.device = device.name
        self._target = target_of(device)
        self._model = model
        sampled = max(1.0, spec.gop_length / spec.every(Fraction(COMMON_RATE)))
        self._runs = {stage.name: 1.0 if stage.cadence == "picture" else 1.0 / sampled for stage in stages}
        self._graphs = {stage.name: Int8Graph(files[stage.name]) for stage in stages}

    def ms(self, stage: str, kept: FrozenSet[str]) -> float:
        layers = fuse(self._graphs[stage].choice(kept), "int8", self._target.rules)
        return call_ms(layers, self._target.gpu, self._model).likely * self._runs[stage]


class Int8Graph:
    """A stage's graph at any choice of layers in int8, its weights as they are: their types follow the layer's."""

    def __init__(self, file: Path) -> None:
        model = onnx.load(str(file))
        self._graph = read_graph(file.read_bytes(), str(file))
        self._layers = {layer.name: layer for layer in find_layers(model)}
        self._residuals = {residual.output: residual for residual in find_residuals(model)}

    def choice(self, kept: FrozenSet[str]) -> Graph:
        """As Quantizer writes it: an activation is quantised once, the identity branch of a sum with its layer."""
        nodes: List[Node] = []
        made: Dict[str, Tensor] = {}
        for node in self._graph.nodes:
            place, layer = -1, self._layers.get(node.name)
            residual = self._residuals.get(node.outputs[0]) if node.outputs else None
            if layer is not None and layer.name not in kept:
                place = 1 - layer.place
            elif residual is not None and residual.layer not in kept:
                place = residual.place
            if place < 0:
                nodes.append(node)
                continue
            read = node.inputs[place]
            levels, back = f"{read}.levels", f"{read}.int8"
            if back not in made:
                made[levels] = replace(self._graph.tensors[read], dtype="int8")
                made[back] = self._graph.tensors[read]
                nodes.append(Node(f"{read}.QuantizeLinear", "QuantizeLinear", (read,), (levels,), {}))
                nodes.append(Node(f"{read}.DequantizeLinear", "DequantizeLinear", (levels,), (back,), {}))
            inputs = (*node.inputs[:place], back, *node.inputs[place + 1 :])
            nodes.append(replace(node, inputs=inputs))
        return Graph(tuple(nodes), {**self._graph.tensors, **made}, self._graph.inputs, self._graph.outputs)

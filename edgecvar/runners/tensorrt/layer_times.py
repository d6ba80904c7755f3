"""Times of an engine's layers from TensorRT's profiler, beside what its inspector says of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, AbstractSet, Any, Dict, Iterable, Tuple

from edgecvar.errors import reason
from edgecvar.runners.layer_times import EngineLayer, LayerTally, StageLayers, nodes_named, precision_of
from edgecvar.terminal import printable

if TYPE_CHECKING:
    import tensorrt as trt

LONGEST = 300
"""Of a name or tactic that is kept: a fused region may name hundreds of nodes."""
PARSED = "node_of_"
"""What the ONNX parser puts before the output of a node without a name; `read_nodes` names such nodes by the output."""


def profiler_into(tally: LayerTally) -> trt.IProfiler:
    """TensorRT's profiler that adds to `tally`."""
    import tensorrt as trt

    class Recorder(trt.IProfiler):  # type: ignore[misc]  # TensorRT has no types
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            tally.add(layer_name, ms)

    return Recorder()


def timed_layers(tally: LayerTally, inspected: str, known: AbstractSet[str]) -> StageLayers:
    """What was timed, with what the inspector's JSON says of it; `known` are the names of the graph's nodes."""
    medians = tally.medians()
    if not medians:
        return StageLayers(runs=tally.runs, complaint="the profiler was told of no layer")
    complaint = ""
    described: Dict[str, EngineLayer] = {}
    try:
        described = read_inspection(inspected, known)
    except (ValueError, RecursionError) as error:
        complaint = f"what the inspector says of the layers cannot be read: {reason(error)}"
    else:
        if not any(layer.kind for layer in described.values()):
            complaint = "the engine names its layers and no more: it was built before that was asked for"
    layers = [_timed(name, ms, described, known) for name, ms in medians.items()]
    return StageLayers(tuple(layers), tally.runs, complaint)


def read_inspection(inspected: str, known: AbstractSet[str]) -> Dict[str, EngineLayer]:
    """The layers of an engine by name, without times; raises ValueError where it is none of an inspector's JSON.

    Versions tell different things of a layer, and some layers have names alone: what is missing is empty.
    """
    document = json.loads(inspected)
    layers = document.get("Layers") if isinstance(document, dict) else None
    if not isinstance(layers, list):
        raise ValueError("no list of layers in it")
    found: Dict[str, EngineLayer] = {}
    for layer in layers:
        told: Dict[str, Any] = layer if isinstance(layer, dict) else {"Name": layer}
        name = told.get("Name")
        if isinstance(name, str):
            found[name] = EngineLayer(
                name=name,
                ms=0.0,
                kind=_text(told.get("LayerType")),
                precision=_precision(told),
                tactic=_text(told.get("TacticName")),
                nodes=_nodes(name, told.get("Metadata"), known),
            )
    return found


def _timed(name: str, ms: float, described: Dict[str, EngineLayer], known: AbstractSet[str]) -> EngineLayer:
    # Of a profile but the first, one of the two may say which it is of.
    plain = re.sub(r" \[profile \d+\]$", "", name)
    layer = described.get(name) or described.get(plain) or EngineLayer(name, ms, nodes=_nodes(plain, None, known))
    return EngineLayer(_text(name), ms, layer.kind, layer.precision, layer.tactic, layer.nodes)


def _precision(told: Dict[str, Any]) -> str:
    """The type of the first tensor that a layer takes, or else gives."""
    for tensors in (told.get("Inputs"), told.get("Outputs")):
        for tensor in tensors if isinstance(tensors, list) else []:
            types = tensor.get("Format/Datatype") if isinstance(tensor, dict) else None
            if isinstance(types, str) and precision_of(types):
                return precision_of(types)
    return ""


def _nodes(name: str, metadata: Any, known: AbstractSet[str]) -> Tuple[str, ...]:
    """By the metadata, which the parser has given layers since 8.6, or else by what the layer's name is made of."""
    parsed = {f"{PARSED}{node}" for node in known}
    told = re.findall(r"\[ONNX Layer: ([^\]|]*)", metadata) if isinstance(metadata, str) else []
    named: Iterable[str] = [each.strip() for each in told] or nodes_named(name, {*known, *parsed})
    plain = (node if node in known else node[len(PARSED) :] for node in named if node in known or node in parsed)
    return tuple(dict.fromkeys(plain))


def _text(told: Any) -> str:
    text = printable(told) if isinstance(told, str) else ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."

"""Times of ONNX Runtime's nodes, from the trace that its own profiling writes."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import AbstractSet, Any, Dict, List, Mapping, Tuple

from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.runners.layer_times import EngineLayer, LayerTally, StageLayers, precision_of

TRACE_BYTES = 256 * MEBIBYTE
"""Some 700 bytes a node and run."""
RUNS = 50
"""At most: a trace has every node of every run."""
_ENDING = "_kernel_time"
_ADDED = re.compile(r"^(InsertedPrecisionFreeCast_|fused )|(_nchwc|_nhwc|_quant)$|_token_\d+$")
"""What ONNX Runtime adds to the name of the node that a node of its own was made of."""


def trace_layers(runtime: Any, model: bytes, options: Any, arrays: Mapping[str, Any], runs: int) -> str:
    """The trace of `runs` runs of a model after one that only warms up; `runtime` is the `onnxruntime` module."""
    with tempfile.TemporaryDirectory(prefix="edgecvar-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "layers")
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(1 + min(runs, RUNS)):
            session.run(None, dict(arrays))
        return read_text(Path(session.end_profiling()), TRACE_BYTES)


def read_trace(trace: str, known: AbstractSet[str]) -> StageLayers:
    """The nodes of a trace, its first run left out; `known` are the names of the graph's nodes."""
    try:
        events = parse_json(trace)
    except ValueError as error:
        return StageLayers(complaint=f"ONNX Runtime's trace cannot be read: {error}")
    tally = LayerTally()
    described: Dict[str, EngineLayer] = {}
    seen: List[str] = []
    first = True
    for event in events if isinstance(events, list) else []:
        if _is_run(event):
            tally.end_run(counts=not first)
            first = False
        name, ms = _node_of(event)
        if name:
            tally.add(name, ms)
            if name not in described:
                seen.append(name)
                described[name] = _described(name, event, known)
    if not tally.runs:
        return StageLayers(complaint="ONNX Runtime's trace has no run with nodes in it")
    medians = tally.medians()
    layers = [described[name] for name in seen if name in medians]
    return StageLayers(
        tuple(EngineLayer(each.name, medians[each.name], each.kind, each.precision, "", each.nodes) for each in layers),
        tally.runs,
    )


def _is_run(event: Any) -> bool:
    """The end of a run: its own event comes behind those of its nodes."""
    return isinstance(event, dict) and event.get("name") == "model_run"


def _node_of(event: Any) -> Tuple[str, float]:
    """A node's name and milliseconds; no name where the event is none of a node's kernel."""
    if not isinstance(event, dict) or event.get("cat") != "Node":
        return "", 0.0
    name, microseconds = event.get("name"), event.get("dur")
    if not isinstance(name, str) or not name.endswith(_ENDING) or not isinstance(microseconds, (int, float)):
        return "", 0.0
    return name[: -len(_ENDING)] or "(no name)", microseconds / 1e3


def _described(name: str, event: Any, known: AbstractSet[str]) -> EngineLayer:
    told = event.get("args")
    arguments: Mapping[str, Any] = told if isinstance(told, dict) else {}
    types = arguments.get("input_type_shape")
    first = types[0] if isinstance(types, list) and types and isinstance(types[0], dict) else {}
    plain = name
    while _ADDED.search(plain):
        plain = _ADDED.sub("", plain)
    return EngineLayer(
        name=name,
        ms=0.0,
        kind=str(arguments.get("op_name", "")),
        precision=precision_of(" ".join(map(str, first))),
        nodes=tuple(each for each in (plain,) if each in known),
    )

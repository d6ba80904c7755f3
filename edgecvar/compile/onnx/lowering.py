"""From the exporter's operator set down to the oldest that can say the same, for parsers of that time.

TensorRT 8.2 reads operator set 13 (its own operator table says so), and everything later reads it too, as ONNX
Runtime does. A node moves down when its meaning is the same there, by one of the rules below; a graph that holds an
operator without a rule stays at the set that this operator needs.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set

import numpy as np
import onnx
from onnx import NodeProto, defs, helper

from edgecvar.compile.onnx.graph import (
    constant_tensor,
    constants,
    consumers,
    drop_unused,
    replace_nodes,
    tensor_names,
    unused_name,
)
from edgecvar.compile.onnx.naming import module_of
from edgecvar.errors import CompileError

EXPORTED_OPSET = 18
"""What torch's exporter writes whatever it is asked for."""

OLDEST_OPSET, NEWEST_OPSET = 13, 17

EVERY_AXIS = 2**31 - 1
"""End of a slice that takes all the rest."""

WIDER_TYPES = frozenset(("Add", "CumSum", "Div", "GreaterOrEqual", "Identity", "LeakyRelu", "LessOrEqual")) | frozenset(
    ("Mul", "PRelu", "Pow", "Relu", "Sub", "Where")
)
"""Later versions than 13 only take more types."""

REDUCTIONS = frozenset(
    [
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSumSquare",
    ]
)
"""Their axes are an attribute until operator set 18."""


def lower(model: onnx.ModelProto) -> None:
    """Rewrite `model` in place for the oldest operator set of 13 to 17 that it can be said in; raises CompileError."""
    graph = model.graph
    _drop_identities(graph)
    _divide_instead(graph)
    _slice_shapes(graph)
    _pad_in_convolutions(graph)
    opset = OLDEST_OPSET
    for node in graph.node:
        if not _moves_down(node, graph):
            since = defs.get_schema(node.op_type, EXPORTED_OPSET).since_version
            if since > NEWEST_OPSET:
                raise CompileError(
                    f"layer {module_of(node) or node.name}: operator {node.op_type} as exported exists from operator "
                    f"set {since} on, and {NEWEST_OPSET} is the newest that devices read; write the layer with other "
                    "operations"
                )
            opset = max(opset, since)
    drop_unused(graph)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=False)


def _moves_down(node: NodeProto, graph: onnx.GraphProto) -> bool:
    """Whether the node now means in operator set 13 what it meant as exported."""
    if node.op_type in WIDER_TYPES or defs.get_schema(node.op_type, EXPORTED_OPSET).since_version <= OLDEST_OPSET:
        return True
    if node.op_type in REDUCTIONS:
        return _axes_to_attribute(node, graph)
    rule = RULES.get(node.op_type)
    return rule is not None and rule(node, graph)


def _axes_to_attribute(node: NodeProto, graph: onnx.GraphProto) -> bool:
    axes = constants(graph).get(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    if axes is None and len(node.input) > 1 and node.input[1]:
        return False
    settings = _attributes(node)
    if axes is None or not axes.size:
        if settings.get("noop_with_empty_axes"):
            return False
    else:
        node.attribute.append(helper.make_attribute("axes", [int(axis) for axis in axes]))
    _remove_attributes(node, ["noop_with_empty_axes"])
    del node.input[1:]
    return True


def _reshape(node: NodeProto, graph: onnx.GraphProto) -> bool:
    """`allowzero` says what a 0 in the shape means: nothing where there is none."""
    shape = constants(graph).get(node.input[1])
    if _attributes(node).get("allowzero") and (shape is None or not shape.all()):
        return False
    _remove_attributes(node, ["allowzero"])
    return True


def _batch_norm(node: NodeProto, graph: onnx.GraphProto) -> bool:
    """One that no convolution precedes, such as an input's, is not folded; in training it means other things."""
    if _attributes(node).get("training_mode") or len([name for name in node.output if name]) > 1:
        return False
    _remove_attributes(node, ["training_mode"])
    return True


def _split(node: NodeProto, graph: onnx.GraphProto) -> bool:
    """A number of parts as the lengths of the parts: equal, and only the last one shorter."""
    if len(node.input) > 1:
        return True
    settings = _attributes(node)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in (*graph.input, *graph.value_info)}
    sizes = shapes.get(node.input[0])
    length = sizes[int(settings.get("axis", 0))].dim_value if sizes else 0
    if not length:
        return False
    part = -(-length // len(node.output))
    lengths = [max(0, min(part, length - part * number)) for number in range(len(node.output))]
    name = unused_name(f"{node.output[0]}.lengths", tensor_names(graph))
    graph.initializer.append(constant_tensor(name, np.array(lengths, np.int64)))
    node.input.append(name)
    _remove_attributes(node, ["num_outputs"])
    return True


def _pad(node: NodeProto, graph: onnx.GraphProto) -> bool:
    return len(node.input) < 4 and _attributes(node).get("mode", b"constant") != b"wrap"


def _resize(node: NodeProto, graph: onnx.GraphProto) -> bool:
    settings = _attributes(node)
    policy = settings.get("keep_aspect_ratio_policy", b"stretch")
    if settings.get("antialias") or "axes" in settings or policy != b"stretch":
        return False
    _remove_attributes(node, ["antialias", "keep_aspect_ratio_policy"])
    return True


def _shape(node: NodeProto, graph: onnx.GraphProto) -> bool:
    return not node.attribute


RULES: Dict[str, Callable[[NodeProto, onnx.GraphProto], bool]] = {
    "BatchNormalization": _batch_norm,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Split": _split,
}


def _attributes(node: NodeProto) -> Dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _remove_attributes(node: NodeProto, names: List[str]) -> None:
    for place in reversed(range(len(node.attribute))):
        if node.attribute[place].name in names:
            del node.attribute[place]


def _drop_identities(graph: onnx.GraphProto) -> None:
    """Let the readers of an Identity read its input; one between an input and an output of the graph must stay."""
    outputs = {value.name for value in graph.output}
    sources = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Identity" and node.output[0] not in outputs
    }
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[place] = name
    drop_unused(graph)


def _divide_instead(graph: onnx.GraphProto) -> None:
    """a * Reciprocal(b) as a / b, and Reciprocal(b) alone as 1 / b: TensorRT 8.2 lists no Reciprocal."""
    inverted = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Reciprocal"}
    tensors, readers = tensor_names(graph), consumers(graph)
    outputs = {value.name for value in graph.output}
    nodes: List[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Mul" and (node.input[0] in inverted) != (node.input[1] in inverted):
            first, second = node.input if node.input[1] in inverted else reversed(node.input)
            node.op_type = "Div"
            node.input[:] = [first, inverted[second]]
        elif node.op_type == "Reciprocal" and _needed(node.output[0], readers, outputs):
            one = unused_name("one", tensors)
            graph.initializer.append(constant_tensor(one, np.ones((), np.float32)))
            node.op_type = "Div"
            node.input[:] = [one, node.input[0]]
        nodes.append(node)
    replace_nodes(graph, nodes)
    drop_unused(graph)


def _slice_shapes(graph: onnx.GraphProto) -> None:
    """A part of a shape, which operator set 15 brought, as a slice of the whole one."""
    tensors = tensor_names(graph)
    nodes: List[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        settings = _attributes(node) if node.op_type == "Shape" else {}
        start, end = int(settings.get("start", 0)), int(settings.get("end", EVERY_AXIS))
        _remove_attributes(node, ["start", "end"] if settings else [])
        if (start, end) == (0, EVERY_AXIS):
            continue
        part, whole = node.output[0], unused_name(f"{node.output[0]}.whole", tensors)
        names = [unused_name(f"{part}.{role}", tensors) for role in ("starts", "ends")]
        bounds = (np.array([each], np.int64) for each in (start, end))
        graph.initializer.extend(constant_tensor(name, each) for name, each in zip(names, bounds))
        node.output[0] = whole
        nodes.append(helper.make_node("Slice", [whole, *names], [part]))
        nodes[-1].metadata_props.extend(node.metadata_props)
    replace_nodes(graph, nodes)


def _pad_in_convolutions(graph: onnx.GraphProto) -> None:
    """Zeros around an image as padding of the convolutions that read it, which may differ before and behind.

    As a layer of its own it would stand between a convolution and its quantised input.
    """
    values, readers = constants(graph), consumers(graph)
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        around = _zeros_around(node, values)
        reading = readers.get(node.output[0], [])
        if around is None or node.output[0] in outputs or not all(_takes_padding(each, node) for each in reading):
            continue
        for conv in reading:
            pads = np.add(_attributes(conv).get("pads", [0] * len(around)), around)
            _remove_attributes(conv, ["pads"])
            conv.attribute.append(helper.make_attribute("pads", [int(each) for each in pads]))
            conv.input[0] = node.input[0]
    drop_unused(graph)


def _zeros_around(node: NodeProto, values: Dict[str, Any]) -> Optional[List[int]]:
    """What a Pad adds to the axes after the second, all before and then all behind; None where it does other things."""
    if node.op_type != "Pad" or _attributes(node).get("mode", b"constant") != b"constant" or len(node.input) > 3:
        return None
    added = values.get(node.input[1])
    filled = values.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
    if added is None or filled is None or filled.any() or added.min(initial=0) < 0:
        return None
    before, behind = np.split(added, 2)
    return None if any((*before[:2], *behind[:2])) else [*map(int, before[2:]), *map(int, behind[2:])]


def _takes_padding(node: NodeProto, source: NodeProto) -> bool:
    """Whether it is a convolution of the padded image, its padding stated in numbers."""
    padded = node.input[0] == source.output[0] and source.output[0] not in node.input[1:]
    return node.op_type == "Conv" and padded and _attributes(node).get("auto_pad", b"NOTSET") == b"NOTSET"


def _needed(name: str, readers: Dict[str, List[NodeProto]], outputs: Set[str]) -> bool:
    return name in outputs or any(
        reader.op_type != "Mul" or list(reader.input).count(name) > 1 for reader in readers[name]
    )

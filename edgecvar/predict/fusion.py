"""From a graph to the layers that TensorRT makes of it: what becomes one kernel, what is copied, what costs nothing.

After "Types of Fusions" of TensorRT's developer guide and the layer names that its engines print.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Set, Tuple

from edgecvar.bundle.precision import Precision
from edgecvar.predict.counting import ARITHMETIC, CLAMPS, ELEMENTWISE, MOVEMENT, WEIGHTED, count
from edgecvar.predict.graph import Graph, Node
from edgecvar.predict.work import Layer

VIEWS = {
    "Identity",
    "Dropout",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Cast",
    "QuantizeLinear",
    "DequantizeLinear",
}
"""What moves nothing by itself: shapes are read otherwise, types are those of the kernels before and after."""
QUANTISING = {"QuantizeLinear", "DequantizeLinear"}
FREE = {"Concat", "Shape", "Constant", "ConstantOfShape"}
"""Parts of a concatenation are written where they belong."""
WIDTHS = {"fp32": 4, "fp16": 2, "int8": 2}
"""Bytes of an activation that is not int8."""


@dataclass(frozen=True)
class FusionRules:
    """What a version of TensorRT fuses beyond what all do; `swish`: x * sigmoid(x) with the convolution before it."""

    swish: bool = False

    @staticmethod
    def of(version: Tuple[int, ...], sm: int) -> FusionRules:
        """Engines of 8.6 and later print such layers for Ampere and after."""
        return FusionRules(swish=version >= (8, 6) and sm >= 80)


def fuse(graph: Graph, precision: Precision, rules: FusionRules = FusionRules()) -> List[Layer]:
    """The layers in their order, counted for a batch of 1, of a file of that precision.

    Of an fp32 file it may be asked what it would be in fp16: the counts are the same.
    """
    return _Fusion(graph, precision, rules).layers()


@dataclass
class _Group:
    """Nodes that go together; `out` is what the last of them gives."""

    nodes: List[Node]
    out: str
    inputs: List[str] = field(default_factory=list)


class _Fusion:
    def __init__(self, graph: Graph, precision: Precision, rules: FusionRules) -> None:
        self._graph, self._precision, self._rules = graph, precision, rules
        self._constant = _constants(graph)
        self._mixed = any(tensor.dtype == "float16" for tensor in graph.tensors.values())
        self._view_of: Dict[str, Tuple[str, bool]] = {}
        """By what a view gives, what it takes and whether it is quantised on the way."""
        self._order: Dict[str, int] = {}
        self._nodes: List[Node] = []
        for place, node in enumerate(graph.nodes):
            if all(name in self._constant for name in node.outputs):
                continue
            if node.operator in VIEWS:
                taken = node.inputs[0]
                quantised = node.operator in QUANTISING or self._quantised(taken)
                self._view_of[node.outputs[0]] = (self._root(taken), quantised)
                continue
            self._nodes.append(node)
            self._order.update(dict.fromkeys(node.outputs, place))
        self._outputs = {self._root(name) for name in graph.outputs}
        self._readers: Dict[str, List[Tuple[Node, bool]]] = {}
        for node in self._nodes:
            for name in node.inputs:
                if name and name not in self._constant:
                    self._readers.setdefault(self._root(name), []).append((node, self._quantised(name)))

    def layers(self) -> List[Layer]:
        taken: Set[str] = set()
        made: List[Layer] = []
        for node in self._nodes:
            if node.outputs[0] in taken or node.operator in FREE:
                continue
            group = self._group(node)
            taken.update(each.outputs[0] for each in group.nodes)
            made.append(self._layer(group))
            made += self._quantise_apart(group)
        return made

    def _group(self, node: Node) -> _Group:
        group = _Group([node], node.outputs[0])
        if node.operator in WEIGHTED:
            self._take_after(group)
        elif node.operator in ELEMENTWISE:
            self._take_elementwise(group)
        members = {each for node in group.nodes for each in node.outputs}
        names = [name for node in group.nodes for name in node.inputs if name and name not in self._constant]
        seen = dict.fromkeys(name for name in names if self._root(name) not in members)
        # Of a tensor in int8 and as it is both forms are read.
        group.inputs = list({(self._root(name), self._quantised(name)): name for name in seen}.values())
        return group

    def _take_after(self, group: _Group) -> None:
        """What a convolution or a product takes along: scale, activation, one sum with what is there already."""
        summed = False
        while True:
            readers = self._reading(group.out)
            if len(readers) == 1 and self._is_clamp(readers[0]):
                following = readers[0]
            elif len(readers) == 1 and readers[0].operator == "Add" and not summed:
                following, summed = readers[0], True
                if not self._ready(following, group, same_size=True):
                    return
            elif self._rules.swish and self._swish(group.out) is not None:
                sigmoid, following = self._swish(group.out) or (readers[0], readers[0])
                group.nodes.append(sigmoid)
            else:
                return
            group.nodes.append(following)
            group.out = following.outputs[0]

    def _take_elementwise(self, group: _Group) -> None:
        while True:
            readers = self._reading(group.out)
            if len(readers) != 1 or readers[0].operator not in ELEMENTWISE:
                return
            if not self._ready(readers[0], group, same_size=False):
                return
            group.nodes.append(readers[0])
            group.out = readers[0].outputs[0]

    def _is_clamp(self, node: Node) -> bool:
        """An activation, or arithmetic with a constant, which becomes part of weights, bias or activation."""
        others = [name for name in node.inputs[1:] if name] if node.operator in ARITHMETIC else []
        variable = [name for name in node.inputs if name and name not in self._constant]
        return node.operator in CLAMPS or (bool(others) and len(variable) == 1)

    def _swish(self, name: str) -> Optional[Tuple[Node, Node]]:
        """The sigmoid and the product of x * sigmoid(x) where nothing else takes x."""
        readers = self._reading(name)
        kinds = {node.operator: node for node in readers}
        if len(readers) != 2 or set(kinds) != {"Sigmoid", "Mul"}:
            return None
        sigmoid, product = kinds["Sigmoid"], kinds["Mul"]
        takes = {self._root(each) for each in product.inputs}
        return (sigmoid, product) if takes == {self._root(name), sigmoid.outputs[0]} else None

    def _ready(self, node: Node, group: _Group, same_size: bool) -> bool:
        """Whether all else that a node takes is computed by then, and its output no smaller than what comes in.

        A gate of squeeze-and-excitation, one value a channel, is computed with what it is multiplied with.
        """
        own = {name for each in group.nodes for name in each.outputs}
        last = self._order[group.nodes[-1].outputs[0]]
        size = self._graph.tensors[group.out].elements
        for name in node.inputs:
            root = self._root(name) if name else ""
            if not name or name in self._constant or root in own:
                continue
            if self._order.get(root, -1) > last or (same_size and self._graph.tensors[root].elements != size):
                return False
        given = self._graph.tensors[node.outputs[0]].elements
        return given == size if same_size else given >= size

    def _reading(self, name: str) -> List[Node]:
        """Who takes a tensor; nobody may take it along where it is also the stage's output."""
        if name in self._outputs:
            return []
        return list({node.outputs[0]: node for node, _ in self._readers.get(name, ())}.values())

    def _root(self, name: str) -> str:
        while name in self._view_of:
            name = self._view_of[name][0]
        return name

    def _quantised(self, name: str) -> bool:
        while name in self._view_of:
            name, quantised = self._view_of[name]
            if quantised:
                return True
        return False

    def _width(self, root: str) -> int:
        """Bytes of an element as a kernel that is not int8 writes it."""
        dtype = self._graph.tensors[root].dtype
        if dtype == "float32" and self._precision == "fp16" and self._mixed:
            return 4
        return WIDTHS[self._precision] if dtype in ("float32", "float16") else 4

    def _write_width(self, root: str) -> int:
        readers = self._readers.get(root, [])
        if readers and all(quantised for _, quantised in readers) and root not in self._outputs:
            return 1
        return 4 if root in self._outputs else self._width(root)

    def _quantise_apart(self, group: _Group) -> List[Layer]:
        """A kernel that writes the int8 form of what is also read as it is."""
        readers = self._readers.get(group.out, [])
        kinds = {quantised for _, quantised in readers}
        if kinds != {True, False}:
            return []
        size = self._graph.tensors[group.out].elements
        name = f"{group.out}.quantise"
        return [Layer(name, "movement", ("QuantizeLinear",), (), "int8", 0, size * self._width(group.out), 0, size)]

    def _layer(self, group: _Group) -> Layer:
        lead, tensors = group.nodes[0], self._graph.tensors
        moving = lead.operator in MOVEMENT
        writes = sum(tensors[name].elements for name in (group.nodes[-1].outputs if moving else [group.out]) if name)
        reads = 0
        for name in group.inputs:
            root = self._root(name)
            # What is moved is read alone: a slice not all of its tensor.
            size = min(tensors[root].elements, writes) if moving else tensors[root].elements
            reads += size * (1 if self._quantised(name) else self._width(root))
        work = count(lead, self._graph, self._constant)
        int8 = lead.operator in WEIGHTED and bool(group.inputs) and self._quantised(lead.inputs[work.activation])
        precision: Precision = "int8" if int8 else self._computes(group)
        width = {"int8": 1, "fp16": 2, "fp32": 4}[precision]
        places = writes // work.outputs if work.kind == "elementwise" else work.places
        return Layer(
            name=lead.name,
            kind=work.kind,
            operators=tuple(node.operator for node in group.nodes),
            nodes=tuple(node.name for node in group.nodes),
            precision=precision,
            multiply_adds=work.multiply_adds,
            reads=reads,
            weights=work.weights * width,
            writes=writes * self._write_width(group.out),
            places=places,
            inputs=work.inputs,
            outputs=work.outputs,
            window=work.window,
            stride=work.stride,
        )

    def _computes(self, group: _Group) -> Precision:
        if self._precision == "fp32":
            return "fp32"
        dtype = self._graph.tensors[group.nodes[0].outputs[0]].dtype
        return "fp32" if self._precision == "fp16" and self._mixed and dtype == "float32" else "fp16"


def _constants(graph: Graph) -> Set[str]:
    """Tensors that follow from what is stored in the file alone, or from shapes."""
    constant = {name for name, tensor in graph.tensors.items() if tensor.constant}
    for node in graph.nodes:
        if node.operator == "Shape" or all(not name or name in constant for name in node.inputs):
            constant.update(node.outputs)
    return constant

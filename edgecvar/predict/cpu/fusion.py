"""What ONNX Runtime's CPU engine makes of a stage's graph, as its optimiser fuses: kernels in their order.

Found by comparing with the models that version 1.31 writes when asked for what it optimised; 1.19 differs in that it
takes what is between x * sigmoid(x) and convolutions out of the blocked layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Iterator, List, Optional, Set

from edgecvar.predict.cpu.kernels import BLOCK, Kernel, carrying
from edgecvar.predict.cpu.routines import convolution, other, reordered, routine_of_convolution
from edgecvar.predict.graph import Graph, Node

FUSED = {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid"}
"""Activations that a convolution computes on its way out."""
KEEP_LAYOUT = {"Relu", "Sigmoid", "Tanh", "LeakyRelu"}
BLOCKED = {"Conv", "MaxPool", "AveragePool"}
NOTHING = {"Constant", "Identity", "Dropout"}
ALIGNMENT = 4
"""Of input channels from BLOCK on, for a convolution to be blocked."""


@dataclass
class Group:
    """Nodes that run as one kernel, led by the first; `summed`: what is added to a convolution's result."""

    lead: Node
    nodes: List[Node]
    operator: str
    quantised: bool = False
    summed: Optional[str] = None

    @property
    def output(self) -> str:
        return self.nodes[-1].outputs[0]


def cpu_kernels(graph: Graph) -> List[Kernel]:
    """All kernels of one call, in an order in which they can run."""
    kernels: List[Kernel] = []
    fusion = _Fusion(graph)
    groups = fusion.groups()
    layouts = _Layouts(graph, fusion)
    for group in groups:
        kernels += layouts.kernels(group)
    return kernels + layouts.outputs()


class _Fusion:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.readers, self.makers = graph.readers(), graph.makers()
        self.blocked = blocked_tensors(graph)
        self.taken: Set[str] = set()

    def groups(self) -> List[Group]:
        """Led by the nodes that are left, in the order of the graph; a group runs where its last node stands."""
        place = {node.outputs[0]: index for index, node in enumerate(self.graph.nodes)}
        found = [group for node in self.graph.nodes for group in self._group(node)]
        kept = [group for group in found if group.lead.outputs[0] not in self.taken or group.operator == "Conv"]
        return sorted(kept, key=lambda group: place[group.output])

    def _group(self, node: Node) -> Iterator[Group]:
        if node.outputs[0] in self.taken or node.operator in NOTHING:
            return
        if node.operator == "Conv":
            yield self._convolution(node)
        elif node.operator == "Sigmoid" and self._gelu(node) is not None:
            product = self._gelu(node)
            assert product is not None
            self.taken.add(product.outputs[0])
            yield Group(node, [node, product], "QuickGelu")
        elif node.operator in ("Gemm", "MatMul"):
            yield self._product(node)
        else:
            yield Group(node, [node], node.operator)

    def _product(self, node: Node) -> Group:
        group = Group(node, [node], node.operator)
        last = self._only_reader(node)
        if last is None or node.operator != "Gemm":
            return group
        group.quantised = last.operator == "QuantizeLinear" and self._from_q(node)
        if group.quantised or last.operator in FUSED:
            self._take(group, last)
        return group

    def _convolution(self, node: Node) -> Group:
        group = Group(node, [node], "Conv")
        last = self._only_reader(node)
        if last is None:
            return group
        if last.operator == "QuantizeLinear" and self._from_q(node) and self._same_sign(node, last):
            self._take(group, last)
            group.quantised = True
        elif last.operator in FUSED:
            self._take(group, last)
        elif last.operator == "Add" and self._sums(node, last):
            self._take(group, last)
            other_one = [name for name in last.inputs if name != node.outputs[0]]
            group.summed = other_one[0]
            after = self._only_reader(last)
            if after is not None and after.operator == "Relu":
                self._take(group, after)
        return group

    def _take(self, group: Group, node: Node) -> None:
        group.nodes.append(node)
        self.taken.add(node.outputs[0])

    def _sums(self, node: Node, add: Node) -> bool:
        shape = self.graph.tensors[node.outputs[0]].shape
        if len(shape) != 4 or add.outputs[0] in self.taken or len(set(add.inputs)) != 2:
            return False
        other_one = next(name for name in add.inputs if name != node.outputs[0])
        tensor = self.graph.tensors[other_one]
        if tensor.constant or tensor.shape != shape:
            return False
        # Blocked, a sum needs the other one blocked as well.
        return not is_constant(self.graph, node.inputs[1]) or other_one in self.blocked

    def _only_reader(self, node: Node) -> Optional[Node]:
        readers = self.readers.get(node.outputs[0], [])
        return readers[0] if len(readers) == 1 and node.outputs[0] not in self.graph.outputs else None

    def _gelu(self, node: Node) -> Optional[Node]:
        after = self._only_reader(node)
        if after is None or after.operator != "Mul" or after.outputs[0] in self.taken:
            return None
        return after if set(after.inputs) == {node.inputs[0], node.outputs[0]} else None

    def _from_q(self, node: Node) -> bool:
        """Whether both that a product takes come as integers."""
        makers = [self.makers.get(name) for name in node.inputs[:2]]
        return all(maker is not None and maker.operator == "DequantizeLinear" for maker in makers)

    def _same_sign(self, node: Node, quantise: Node) -> bool:
        """Whether what goes in and out has one type: it becomes unsigned where one node alone reads it."""
        after = self._only_reader(quantise)
        readers_in = len(self.readers[node.inputs[0]])
        readers_out = 0 if after is None else len(self.readers.get(after.outputs[0], []))
        return (readers_in == 1) == (readers_out == 1)


def is_constant(graph: Graph, name: str) -> bool:
    tensor = graph.tensors.get(name)
    return tensor is None or tensor.constant


def blocks(graph: Graph, node: Node) -> bool:
    """Whether a convolution or pooling is computed in the blocked layout."""
    shape = graph.tensors[node.inputs[0]].shape
    if len(shape) != 4:
        return False
    if node.operator in ("MaxPool", "AveragePool", "GlobalAveragePool"):
        return shape[1] % BLOCK == 0
    if node.operator != "Conv" or not is_constant(graph, node.inputs[1]):
        return False
    weights = graph.tensors[node.inputs[1]].shape
    groups = int(node.attributes.get("group", 1))  # type: ignore[arg-type]
    if groups > 1:
        depthwise = weights[1] == 1 and weights[0] == groups
        return depthwise and shape[1] % ALIGNMENT == 0
    return shape[1] < BLOCK or shape[1] % ALIGNMENT == 0


def blocked_tensors(graph: Graph) -> Set[str]:
    """What convolutions and poolings give in blocks, or what comes of that without leaving them."""
    found: Set[str] = set()
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name and not is_constant(graph, name)]
        there = bool(inputs) and all(name in found for name in inputs)
        shapes = {graph.tensors[name].shape for name in inputs}
        passes = node.operator in KEEP_LAYOUT or (node.operator in ("Add", "Mul") and len(shapes) == 1)
        if blocks(graph, node) if node.operator in BLOCKED else there and passes:
            found.update(node.outputs)
    return found


@dataclass
class _Layouts:
    """Which tensors are there plainly, in blocks or both, and the kernels that carry them from one to the other."""

    graph: Graph
    fusion: _Fusion
    plain: Set[str] = field(default_factory=set)
    blocked: Set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.readers, self.makers = self.graph.readers(), self.graph.makers()
        self.plain |= set(self.graph.inputs)

    def kernels(self, group: Group) -> List[Kernel]:
        node = group.lead
        if node.operator == "DequantizeLinear":
            return self._dequantised(node)
        inputs = [name for name in node.inputs if name and not is_constant(self.graph, name)]
        found: List[Kernel] = []
        blocked = self._in_blocks(group, inputs)
        direct = node.operator == "Conv" and self.graph.tensors[node.inputs[0]].shape[1] < BLOCK
        for name in inputs[:1] if node.operator == "Conv" else inputs:
            found += self._bring(name, blocked and not direct)
        if group.summed is not None:
            found += self._bring(group.summed, blocked)
        if group.quantised and node.operator == "Conv":
            found += self._turned(node)
        found += self._bias(group)
        found.append(self._named(self._kernel(group, blocked), group))
        (self.blocked if blocked else self.plain).update(name for each in group.nodes for name in each.outputs)
        return found

    def outputs(self) -> List[Kernel]:
        return [kernel for name in self.graph.outputs for kernel in self._bring(name, False)]

    def _in_blocks(self, group: Group, inputs: List[str]) -> bool:
        node = group.lead
        if node.operator in BLOCKED:
            return blocks(self.graph, node)
        shapes = {self.graph.tensors[name].shape for name in inputs}
        there = bool(inputs) and all(name in self.blocked for name in inputs)
        if group.operator == "QuickGelu" or node.operator in KEEP_LAYOUT:
            return there
        if node.operator in ("Add", "Mul"):
            return there and len(shapes) == 1 and len(inputs) == 2
        if node.operator == "Concat" and there and node.attributes.get("axis") == 1:
            return all(self.graph.tensors[name].shape[1] % BLOCK == 0 for name in inputs)
        return False

    def _bring(self, name: str, blocked: bool) -> List[Kernel]:
        there, elsewhere = (self.blocked, self.plain) if blocked else (self.plain, self.blocked)
        if name in there or name not in elsewhere:
            return []
        there.add(name)
        kernel = reordered(self.graph, name)
        return [replace(kernel, layer=replace(kernel.layer, name=name))]

    def _kernel(self, group: Group, blocked: bool) -> Kernel:
        if group.operator != "Conv":
            return other(self.graph, group.lead, group.operator, blocked)
        sizes = convolution(self.graph, group.lead)
        dims = len(self.graph.tensors[group.lead.inputs[1]].shape) - 2
        routine = routine_of_convolution(sizes, dims, blocked, group.quantised)
        if blocked:
            sizes = sizes.blocked()
        layer = sizes.layer("int8", 1) if group.quantised else sizes.layer()
        if not group.quantised and not is_constant(self.graph, group.lead.inputs[1]):
            # They were turned back a moment ago, and are near.
            layer = replace(layer, reads=layer.reads + layer.weights, weights=0)
        return Kernel(routine, layer, max(self.graph.tensors[group.lead.outputs[0]].shape[0], 1))

    def _named(self, kernel: Kernel, group: Group) -> Kernel:
        names = tuple(node.name for node in group.nodes)
        operators = tuple(node.operator for node in group.nodes)
        return replace(kernel, layer=replace(kernel.layer, name=group.lead.name, nodes=names, operators=operators))

    def _bias(self, group: Group) -> List[Kernel]:
        """It becomes an integer as well where Q follows, and is turned back at every call."""
        node = group.lead
        after = self.readers.get(group.output, [])
        if group.quantised or node.operator != "Conv" or len(node.inputs) < 3 or group.summed is not None:
            return []
        if is_constant(self.graph, node.inputs[1]) or [each.operator for each in after] != ["QuantizeLinear"]:
            return []
        layer = carrying("elementwise", (1, self.graph.tensors[node.inputs[2]].elements, 1), 0, 4, 4)
        return [Kernel("dequantise weights", replace(layer, name=node.inputs[2], operators=("DequantizeLinear",)))]

    def _turned(self, node: Node) -> List[Kernel]:
        """To channels last and back, around int8's convolution."""
        found = []
        for name in (node.inputs[0], node.outputs[0]):
            tensor = self.graph.tensors[name]
            layer = carrying("movement", tensor.shape, 4 * tensor.elements, 4 * tensor.elements)
            found.append(Kernel("transpose", replace(layer, name=node.name, operators=("Transpose",))))
        return found

    def _dequantised(self, node: Node) -> List[Kernel]:
        """One for each node that reads it in floating point."""
        self.plain.update(node.outputs)
        readers = [each for each in self.readers.get(node.outputs[0], []) if not self._takes_integers(each)]
        kernel = other(self.graph, node, node.operator, blocked=False)
        layer = replace(kernel.layer, name=node.name, operators=(node.operator,))
        return [
            Kernel(kernel.routine, replace(layer, nodes=(node.name,) if not at else ())) for at in range(len(readers))
        ]

    def _takes_integers(self, node: Node) -> bool:
        return takes_integers(self.graph, node, self.fusion)


def takes_integers(graph: Graph, node: Node, fusion: _Fusion) -> bool:
    """Whether int8 kernels compute it: its Q and DQ are then part of it."""
    if node.operator == "MatMul":
        return fusion._from_q(node)
    if node.operator not in ("Conv", "Gemm"):
        return False
    last = fusion._only_reader(node)
    if last is None or last.operator != "QuantizeLinear" or not fusion._from_q(node):
        return False
    return node.operator == "Gemm" or fusion._same_sign(node, last)

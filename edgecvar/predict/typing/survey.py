"""The types of a bundle's stages by precision on each generation of TensorRT, as its parser would get the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Literal, Optional, Tuple

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.errors import BundleError, reason
from edgecvar.predict.typing.computing import ComputedNode, by_file, by_flags, full_nodes
from edgecvar.predict.typing.inference import Mismatch, infer_types
from edgecvar.predict.typing.reading import StatedGraph, read_stated
from edgecvar.runners.tensorrt.api import GENERATIONS, Generation
from edgecvar.runners.tensorrt.onnx_weights import plain_weights
from edgecvar.runners.tensorrt.precision import FileTyping, typing_of

Typing = Literal["weak", "strong"]
WEAK: Typing = "weak"
STRONG: Typing = "strong"


@dataclass(frozen=True)
class StageTypes:
    """What one stage is computed in: by its nodes, on generations of TensorRT that agree on it.

    `typing`: "weak" is precision by flags, "strong" by the file's types. `mismatches`: what its parser would refuse.
    `unasked`: nodes in fp32 that the fp16 stage does not have in fp32.
    """

    stage: str
    precision: Precision
    generations: Tuple[Generation, ...]
    typing: Typing
    nodes: Tuple[ComputedNode, ...]
    mismatches: Tuple[Mismatch, ...]
    unasked: Tuple[ComputedNode, ...]

    def named(self, kind: str) -> Tuple[ComputedNode, ...]:
        """The nodes that compute in a type."""
        return tuple(node for node in self.nodes if node.type == kind)


def given_graph(model: bytes) -> StatedGraph:
    """What TensorRT's parser gets of a file; raises ValueError where it is no ONNX file as edgecvar writes them."""
    return read_stated(plain_weights(model))


def survey_types(bundle: Bundle) -> List[StageTypes]:
    """Every stage in every precision below fp32, generations that type alike together; raises BundleError."""
    found: List[StageTypes] = []
    for stage in bundle.manifest.stages:
        half = _graph(bundle.stage_file(stage.name, "fp16")) if "fp16" in bundle.precisions else None
        if half is not None:
            found += [_typed(stage.name, "fp16", typing, half, half) for typing in (WEAK, STRONG)]
        if "int8" in bundle.precisions:
            for typing in (WEAK, STRONG):
                graph = _graph(bundle.stage_file(stage.name, "int8", strongly_typed=typing == STRONG))
                found.append(_typed(stage.name, "int8", typing, graph, half))
    return found


def _typed(
    stage: str, precision: Precision, typing: Typing, graph: StatedGraph, half: Optional[StatedGraph]
) -> StageTypes:
    """One row; `half`: the stage in fp16, which says what must stay fp32."""
    if typing == STRONG:
        nodes = by_file(graph)
    else:
        nodes = by_flags(graph, precision, None if half is None or precision == "fp16" else full_nodes(half))
    asked = {node.name for node in by_file(half) if node.type == "fp32"} if half is not None else frozenset()
    unasked = tuple(node for node in nodes if node.type == "fp32" and node.name not in asked)
    generations = tuple(each for each in GENERATIONS if _typing(each, precision) == typing)
    return StageTypes(stage, precision, generations, typing, nodes, infer_types(graph).mismatches, unasked)


def _typing(generation: Generation, precision: Precision) -> Optional[Typing]:
    if (precision, generation) == ("int8", "8.2"):
        return None  # TX2 and Nano, which have no newer one, have no int8
    return STRONG if issubclass(typing_of(generation, precision, None), FileTyping) else WEAK


def _graph(file: Path) -> StatedGraph:
    try:
        return given_graph(file.read_bytes())
    except (OSError, LookupError, ValueError) as error:
        raise BundleError(f"{file}: its types cannot be read: {reason(error)}; compile the bundle again") from error

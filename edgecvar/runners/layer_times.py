"""How long each layer of a stage takes, as its engine tells it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import AbstractSet, Any, DefaultDict, Dict, List, Mapping, Protocol, Sequence, Tuple, runtime_checkable

_TYPES: Tuple[Tuple[str, str], ...] = (
    ("bf16", r"bf16|bfloat"),
    ("fp16", r"fp16|half|float16"),
    ("fp8", r"fp8|float8"),
    ("fp32", r"fp32|float"),
    ("int8", r"u?int8"),
    ("int32", r"int32"),
    ("int64", r"int64"),
    ("bool", r"bool"),
)
"""What engines call the types of tensors; formats such as "channel major" stand around the words."""


@dataclass(frozen=True)
class EngineLayer:
    """A layer of an engine and the median of its times.

    `precision`: the type of its first input. `tactic`: the kernel. `nodes`: the nodes of the ONNX graph that it holds,
    as far as the engine tells them; all texts are empty where it does not.
    """

    name: str
    ms: float
    kind: str = ""
    precision: str = ""
    tactic: str = ""
    nodes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class StageLayers:
    """The layers of a stage in the order in which they ran, over `runs`; `complaint`: what is missing, and why."""

    layers: Tuple[EngineLayer, ...] = ()
    runs: int = 0
    complaint: str = ""


@runtime_checkable
class LayerClock(Protocol):
    """A runner that can time the layers of its stages, while nothing else runs."""

    def layer_times(self, stage: str, inputs: Mapping[str, Any], runs: int) -> StageLayers:
        """Run a stage `runs` times on inputs as `launch` takes them; raises EdgecvarError where it cannot be run."""
        ...


class LayerTally:
    """The times of layers, run after run; a layer that runs several times in one has their sum.

    At most `most` layers: an engine has some hundreds.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._ended: DefaultDict[str, List[float]] = defaultdict(list)
        self._run: Dict[str, float] = {}
        self.runs = 0

    def add(self, name: str, ms: float) -> None:
        if name in self._run or len(self._run) < self._most:
            self._run[name] = self._run.get(name, 0.0) + ms

    def end_run(self, counts: bool = True) -> None:
        """The layers from here on are of the next run; one that does not count, such as the first, is forgotten."""
        if counts:
            for name, ms in self._run.items():
                self._ended[name].append(ms)
            self.runs += 1
        self._run = {}

    def medians(self) -> Dict[str, float]:
        """Milliseconds a run by name, in the order of the first run."""
        return {name: median(times) for name, times in self._ended.items()}


def precision_of(types: str) -> str:
    """What a description of a tensor says of its type: "fp16" for "Channel major FP16 format", "" for nothing known."""
    lowered = types.lower()
    return next((name for name, words in _TYPES if re.search(words, lowered)), "")


def nodes_named(text: str, known: AbstractSet[str]) -> Tuple[str, ...]:
    """Nodes of a graph that the name of a fused layer is made of, such as "conv + relu" or "PWN(sigmoid, mul)".

    Names themselves may hold any sign; so parts are taken between the signs that engines put around them.
    """
    parts: Sequence[str] = [text, *re.split(r" \+ |\|\||, |[(){}\[\]]|\.\.\.", text)]
    found = (part.strip() for part in parts)
    return tuple(dict.fromkeys(part for part in found if part in known))

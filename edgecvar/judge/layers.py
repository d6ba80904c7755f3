"""Where in a stage things go wrong: the first tensor that is not finite, or leaves its tolerance, found by halves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.manifest import Bundle
from edgecvar.bundle.precision import Precision
from edgecvar.clips.samples import spread
from edgecvar.errors import BundleError
from edgecvar.judge.comparison import TOLERANCES, Pair, Tolerance, compare_pairs, pair_of
from edgecvar.judge.parity import Recording, StageRun
from edgecvar.runners.choice import RunnerChoice, make_probe
from edgecvar.runners.layers import LayerProbe, OnnxProbe
from edgecvar.runners.onnx_nodes import read_nodes

Samples = Sequence[Mapping[str, Any]]

SAMPLES = 16
"""Samples on which the inside of a stage is looked at, spread over all."""


@dataclass(frozen=True)
class LayerFault:
    """The first layer of a stage that goes wrong: its name, its operator, how, and the range of its output in fp32.

    `everywhere`: it is not finite in fp32 either, so that no precision mends it.
    """

    stage: str
    precision: Precision
    layer: str
    operator: str
    what: str
    low: float
    high: float
    everywhere: bool

    @property
    def text(self) -> str:
        where = f"stage {self.stage}: goes wrong at layer {self.layer} ({self.operator}): {self.what}"
        if self.everywhere:
            return f"{where}; the weights or the inputs are to blame, not the precision"
        where += f"; in fp32 it gives {self.low:.3g} to {self.high:.3g}"
        if self.precision == "int8":
            return f"{where}; `edgecvar compile` keeps more layers in fp16 with a smaller --max-drop"
        if self.precision == "fp32":
            return f"{where}; fp32 should not: report it with the block below"
        return f"{where}; keep it and what reads it in fp32: edgecvar compile --keep-fp32 {self.stage}:{self.layer}"


@dataclass
class _Seen:
    """One tensor over the samples, beside fp32's."""

    pairs: List[Pair] = field(default_factory=list)
    low: float = np.inf
    high: float = -np.inf
    infinite: int = 0
    everywhere: bool = False

    def add(self, name: str, got: NDArray[Any], want: NDArray[Any]) -> None:
        self.pairs.append(pair_of(f"tensor {name}", got, want))
        self.low, self.high = min(self.low, float(want.min())), max(self.high, float(want.max()))
        self.infinite += not np.isfinite(got).all()
        self.everywhere |= not np.isfinite(want).all()

    def fault(self, tolerance: Optional[Tolerance]) -> Optional[str]:
        """What is wrong, in words; without a tolerance only what is not finite is."""
        if self.infinite:
            either = " in fp32 either" if self.everywhere else ""
            return f"not finite{either} in {self.infinite} of {len(self.pairs)} samples"
        figures = compare_pairs(self.pairs)
        if tolerance is None or figures.max_difference == 0:
            return None
        return "; ".join(figures.exceeds(tolerance)) or None


def find_faults(
    bundle: Bundle, choice: RunnerChoice, stages: Sequence[StageRun], reference: Recording
) -> List[LayerFault]:
    """The layers at which stages that were compared go wrong inside; raises EdgecvarError.

    TensorRT builds engines for it, so there only stages that failed are looked into; ONNX Runtime takes no time, and
    computes much of fp16 in fp32, so that there a stage may pass whose inside no device can hold.
    """
    precision = choice.precision or "fp32"
    if choice.runner == "onnx" and precision == "fp32":
        return []
    engine, fp32 = make_probe(bundle, choice), OnnxProbe(bundle, "fp32", choice.threads)
    faults = []
    for run in stages:
        passed = not run.comparison.exceeds(TOLERANCES[precision])
        if not passed or choice.runner == "onnx":
            samples = spread(reference.inputs[run.stage], SAMPLES)
            faults.append(find_fault(bundle, run.stage, precision, engine, fp32, samples, passed))
    return [fault for fault in faults if fault is not None]


def find_fault(
    bundle: Bundle,
    stage: str,
    precision: Precision,
    engine: LayerProbe,
    fp32: LayerProbe,
    samples: Samples,
    passed: bool,
) -> Optional[LayerFault]:
    """The first layer of a stage that goes wrong on `engine`, in the graph's order; None where none does.

    Of a stage that has `passed` only what is not finite is wrong: an engine may compute fp16 in fp32, and hide what
    another one shows. Raises EdgecvarError.
    """
    makers = {tensor: node for node in _nodes(bundle, stage, "fp32") for tensor in node.outputs}
    names = [tensor for node in _nodes(bundle, stage, precision) for tensor in node.outputs if tensor in makers]
    tolerance = None if passed else TOLERANCES[precision]
    seen: Dict[str, _Seen] = {}

    def faults(marked: Sequence[str]) -> Dict[str, str]:
        fresh: Dict[str, _Seen] = {}
        for got, want in zip(engine.run(stage, marked, samples), fp32.run(stage, marked, samples)):
            for name in marked:
                # Shapes and masks are no numbers that a precision could spoil; an engine may have folded others away.
                if name in got and got[name].dtype.kind == want[name].dtype.kind == "f" and want[name].size:
                    fresh.setdefault(name, _Seen()).add(name, got[name], want[name])
        seen.update(fresh)
        return {name: what for name, what in ((name, each.fault(tolerance)) for name, each in fresh.items()) if what}

    # Most stages that passed are sound: one look at all of their tensors tells.
    found = None if passed and not faults(names) else first_fault(names, faults)
    if found is None:
        return None
    tensor, what = found
    node, figures = makers[tensor], seen[tensor]
    return LayerFault(stage, precision, node.name, node.operator, what, figures.low, figures.high, figures.everywhere)


def first_fault(
    names: Sequence[str], faults: Callable[[Sequence[str]], Mapping[str, str]]
) -> Optional[Tuple[str, str]]:
    """The first of `names` that `faults` says something of when it is among those marked, and what.

    Ever fewer are marked, at last that one alone: each mark keeps an engine from fusing as it would without.
    """
    found: Optional[Tuple[str, str]] = None
    low, high = 0, len(names)
    while low < high:
        middle = low + (high - low + 1) // 2
        said = faults(names[low:middle])
        place = next((place for place in range(low, middle) if names[place] in said), None)
        if place is None:
            low = middle
            continue
        found = (names[place], said[names[place]])
        if middle - low == 1:
            break
        high = place + 1
    return found


def _nodes(bundle: Bundle, stage: str, precision: str) -> List[Any]:
    file = bundle.stage_file(stage, precision)
    try:
        return list(read_nodes(bundle.content(file)))
    except ValueError as error:
        raise BundleError(f"{file}: not a whole ONNX file: {error}; compile the bundle again") from error

"""Outputs beside those of a reference: the figures, how far they may be apart, the decisions that differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.precision import Precision
from edgecvar.errors import BundleError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Tolerance:
    """How far a runner may be from an fp32 reference.

    `relative`: largest difference of a stage's outputs, as a part of the largest output; None where it tells nothing.
    `cosine`: least, of the outputs of a stage and of the scores; the median of all samples. `length`: how many times
    longer or shorter they may be, as vectors; the median too. `agreement`: least part of decisions that agree. `tie`:
    the reference itself hardly decided where two labels' probabilities are closer.
    """

    relative: Optional[float]
    cosine: float
    length: float
    agreement: float
    tie: float


TOLERANCES: Dict[Precision, Tolerance] = {
    # Engines sum the same fp32 products in another order: some 100 layers of that give 1e-6 to 1e-5 of the largest
    # output, and a weight or an operator that is wrong gives 1e-2 and more.
    "fp32": Tolerance(relative=1e-4, cosine=0.999999, length=1.001, agreement=0.999, tie=1e-3),
    # A half rounds by 2^-11, that is 5e-4; 100 roundings on the way add up, as a random walk, to 5e-3 rms, where the
    # cosine is 1 - 1e-5. The root of a sum that cancels to nothing turns 5e-4 into 2e-2, so single values may be far
    # off: 5e-2. Wrong weights, or sums that overflow (65504), are far beyond both.
    "fp16": Tolerance(relative=5e-2, cosine=0.999, length=1.05, agreement=0.995, tie=2e-2),
    # One int8 rounding is 1/127 of the tensor's range, clipped on purpose where few values are large: some 2 % rms of
    # a usual tensor, 10 to 20 % after the 50 or so layers of a backbone, where the cosine is 0.98 to 0.995. What is
    # clipped may be anywhere, and spoils the few samples that it is in: the largest difference tells nothing, and the
    # cosine is the median for their sake. Outputs with nothing in common but their sign have one of some 0.6.
    # Clipping also shortens: to 0.78 where ranges by entropy were narrowest. The scale of another tensor or a power of
    # two too much turns nothing, and is seen by the length alone.
    "int8": Tolerance(relative=None, cosine=0.95, length=1.8, agreement=0.98, tie=5e-2),
}


@dataclass(frozen=True)
class Comparison:
    """Outputs beside the reference's on the same samples.

    `scale`: the reference's largest absolute output. `cosine`, and `length`, that of the outputs as a vector as a part
    of the reference's: the median of all samples.
    """

    max_difference: float
    mean_difference: float
    cosine: float
    length: float
    scale: float
    samples: int

    def exceeds(self, tolerance: Tolerance) -> List[str]:
        """What is passed, in words; every comparison with NaN is."""
        excesses = []
        if not self.scale > 0:
            excesses.append("the reference gives nothing but zero, or no numbers")
        elif tolerance.relative is not None and not self.max_difference <= tolerance.relative * self.scale:
            part = self.max_difference / self.scale
            excesses.append(f"largest difference {part:.2g} of the largest output, allowed {tolerance.relative:g}")
        if self.scale > 0 and not self.cosine >= tolerance.cosine:
            excesses.append(f"cosine {self.cosine:.6g}, at least {tolerance.cosine:g} expected")
        if self.scale > 0 and not 1 / tolerance.length <= self.length <= tolerance.length:
            excesses.append(f"{self.length:.5g} times as long as the reference, up to {tolerance.length:g} allowed")
        return excesses


@dataclass(frozen=True)
class Decisions:
    """Labels given beside the reference's. `ties`: of those that differ, where the reference itself hardly decided."""

    samples: int
    differing: int
    ties: int

    @property
    def agreement(self) -> float:
        return 1 - self.differing / self.samples

    def exceeds(self, tolerance: Tolerance) -> List[str]:
        """What is passed, in words.

        A share measured on few samples is an estimate: as many may differ as a runner of the stated share shows in 39
        of 40 such measurements (two standard deviations), and one always where it is a near-tie.
        """
        expected = (1 - tolerance.agreement) * self.samples
        allowed = int(expected + 2 * math.sqrt(expected * tolerance.agreement))
        if self.differing <= allowed or (self.differing == 1 and self.ties == 1):
            return []
        return [
            f"{self.differing} of {self.samples} decisions differ ({self.ties} of them near-ties), "
            f"{allowed} may where {tolerance.agreement:.1%} are to agree"
        ]


@dataclass(frozen=True)
class Pair:
    """One output beside the one expected: figures as in Comparison, and the sum of differences over `size` values."""

    max_difference: float
    total: float
    size: int
    cosine: float
    length: float
    scale: float


def pair_of(where: str, got: NDArray[Any], want: NDArray[Any]) -> Pair:
    """One output beside the one expected; raises BundleError, beginning with `where`, for another shape."""
    if got.shape != want.shape:
        raise BundleError(f"{where} gives shape {list(got.shape)}, the reference {list(want.shape)}")
    have, ask = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # an infinite output shows as NaN in the figures
        apart = np.abs(have - ask)
        return Pair(
            max_difference=float(apart.max(initial=0.0)),
            total=float(apart.sum()),
            size=want.size,
            cosine=_cosine(have, ask),
            length=_length(have, ask),
            scale=float(np.abs(ask).max(initial=0.0)),
        )


def compare_pairs(pairs: Sequence[Pair]) -> Comparison:
    """All samples together."""
    return Comparison(
        max_difference=float(np.max([pair.max_difference for pair in pairs])),
        mean_difference=sum(pair.total for pair in pairs) / sum(pair.size for pair in pairs),
        cosine=float(np.median([pair.cosine for pair in pairs])),
        length=float(np.median([pair.length for pair in pairs])),
        scale=float(np.max([pair.scale for pair in pairs])),
        samples=len(pairs),
    )


def compare(where: str, outputs: Sequence[Array], expected: Sequence[Array]) -> Comparison:
    """Outputs beside those expected, pair by pair; raises BundleError, beginning with `where`, for another shape."""
    return compare_pairs([pair_of(where, got, want) for got, want in zip(outputs, expected)])


def compare_stages(
    where: str, outputs: Sequence[Array], expected: Sequence[Array], widths: Optional[Sequence[int]]
) -> Comparison:
    """As `compare`, of what stages give; where that is several tensors, of such `widths`, the worst of each figure.

    Most of a state is an input that comes out as it went in: together with it, wrong scores would look right.
    """
    if widths is None:
        return compare(where, outputs, expected)
    ends = np.cumsum(widths)
    columns = [slice(end - width, end) for width, end in zip(widths, ends)]
    parts = [
        compare(where, [each[:, part] for each in outputs], [each[:, part] for each in expected]) for part in columns
    ]
    # A state that is zero in all samples, and on both sides, tells nothing.
    telling = [parts[0], *(part for part in parts[1:] if part.scale or part.max_difference)]
    farthest = max(telling, key=lambda part: part.max_difference / part.scale if part.scale else math.inf)
    lengths = [part.length for part in telling]
    return replace(
        farthest,
        cosine=min(part.cosine for part in telling),
        length=max(lengths, key=lambda length: abs(math.log(length)) if 0 < length < math.inf else math.inf),
    )


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of two vectors; 1 where both are zero, 0 where one is."""
    length = math.sqrt(one @ one) * math.sqrt(other @ other)
    if length == 0:
        return float(not one.any() and not other.any())
    return float(one @ other / length)


def _length(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Of one vector as a part of the other's; 1 where both are zero."""
    length = math.sqrt(other @ other)
    if length == 0:
        return math.inf if one.any() else 1.0
    return math.sqrt(one @ one) / length


def compare_decisions(scores: Array, reference: Array, tie: float) -> Decisions:
    """Labels by `scores` (N, classes) beside those by the reference's."""
    theirs, ours = reference.argmax(1), scores.argmax(1)
    raised = np.exp(reference.astype(np.float64) - reference.max(1, keepdims=True))
    probabilities = raised / raised.sum(1, keepdims=True)
    rows = np.arange(len(theirs))
    margins = probabilities[rows, theirs] - probabilities[rows, ours]
    differing = theirs != ours
    return Decisions(len(theirs), int(differing.sum()), int((differing & (margins < tie)).sum()))

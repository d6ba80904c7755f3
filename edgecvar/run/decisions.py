"""From scores of sampled pictures to decisions over time, and the counts of one run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import EdgecvarError, reason
from edgecvar.run.exit_counts import ExitCounts
from edgecvar.stream.types import LiveCounts


@dataclass(frozen=True)
class Decision:
    """What is seen at one sampled picture: the consensus of the newest sampled pictures.

    `top` holds (label, probability), most probable first. `latency_ms` runs from the moment when the picture's
    packet came out of the reader, of a live source from when it arrived. `scores` float32 (classes,) are this picture's
    own, before the consensus. `opens` is why the stream broke since the decision before this one, empty where it did
    not.
    """

    pts_seconds: float
    display_index: int
    decode_index: int
    label: str
    probability: float
    top: Tuple[Tuple[str, float], ...]
    latency_ms: float
    scores: NDArray[np.float32] = field(repr=False, compare=False)
    opens: str = ""

    def __repr__(self) -> str:
        return f"<Decision at {self.pts_seconds:.2f} s: {self.label} {self.probability:.0%}>"


@dataclass(frozen=True)
class RunSummary:
    """Counts of one run. `skipped` packets and pictures gave nothing, `reasons` says why; `damaged` pictures were
    used although a part of them is made up, `damage` says what is wrong with them: inside, of the sampled ones alone,
    as others are not looked into. `hidden` ones, which an edit list or the stream hides, are not among `pictures`,
    and `other_layers` are units of layers of HEVC beyond the base one, which are left out. `breaks`: places where the
    stream did not go on as it was, by reason. `live`: of a source that comes and goes, how often and long. `decoder` is
    the one in hardware that decoded I-pictures, or began to, and how far it was from software; `fallbacks`: what
    software decoded in its place, by reason. `exits`: of a network that pictures may leave early, where they did.

    `stream_fps` is pictures per second of wall time, reading to decision; `stream_seconds` is what they span in
    the stream's own time, without the gaps at breaks, but with the time that a live source was away. `ended` is empty
    where the stream was run to its end, else what ended the run before: "interrupted", "terminated", "closed", an
    error's text; "under way" as long as it runs. `kinds` of pictures are what may be sampled. `broke_off`: why the
    container could not be read to its end, which ends a run as its end does.
    """

    pictures: int
    sampled: int
    decisions: int
    skipped: int
    reasons: Dict[str, int]
    wall_seconds: float
    stream_seconds: float
    ended: str = ""
    damaged: int = 0
    damage: Mapping[str, int] = field(default_factory=dict)
    hidden: int = 0
    other_layers: int = 0
    breaks: Mapping[str, int] = field(default_factory=dict)
    live: Optional[LiveCounts] = None
    decoder: str = ""
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    exits: Optional[ExitCounts] = None
    kinds: str = "PB"
    broke_off: str = ""

    @property
    def complete(self) -> bool:
        return not self.ended

    @property
    def stream_fps(self) -> float:
        return self.pictures / self.wall_seconds if self.wall_seconds > 0 else 0.0

    def __repr__(self) -> str:
        rest = f", ended early: {self.ended}" if self.ended else ""
        counts = f"{self.pictures} pictures, {self.sampled} sampled, {self.skipped} skipped, {self.damaged} damaged"
        return f"<RunSummary: {self.decisions} decisions, {counts}, {self.stream_fps:.0f} pictures/s{rest}>"

    @property
    def note(self) -> str:
        """Why there is no decision; empty when there is one."""
        if self.decisions:
            return ""
        if self.ended:
            return "no decision: the run ended before the first"
        if not self.pictures:
            return "no decision: no picture could be decoded"
        kinds = " or ".join(self.kinds)
        return f"no decision: none of {self.pictures} pictures is a {kinds} picture after an I-picture"


def ended_by(error: BaseException) -> str:
    """What a summary says of a run that `error` ended; an interrupt may carry its own name."""
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    if isinstance(error, GeneratorExit):
        return "closed"
    return str(error) if isinstance(error, EdgecvarError) else reason(error)


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities (..., classes) of scores (..., classes)."""
    exact = scores.astype(np.float64)
    shifted = np.exp(exact - exact.max(-1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(-1, keepdims=True)
    return probabilities


class Consensus:
    """The mean of the scores of the newest `size` sampled pictures (TSN's segmental consensus, sliding)."""

    def __init__(self, size: int) -> None:
        self._newest: Deque[NDArray[np.float32]] = deque(maxlen=size)

    def reopen(self) -> None:
        """The stream breaks: what was seen before counts no more."""
        self._newest.clear()

    def push(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (classes,) after one more picture's scores (classes,)."""
        self._newest.append(scores)
        return softmax(np.mean(np.stack(list(self._newest)), axis=0, dtype=np.float64))


def ranked(labels: Sequence[str], probabilities: NDArray[np.float64], top: int) -> Tuple[Tuple[str, float], ...]:
    """The `top` most probable labels; of equals, the one listed first."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((labels[index], float(probabilities[index])) for index in order)

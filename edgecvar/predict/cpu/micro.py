"""Measuring the chains, each for as long as tells its links apart, in passes that lie far apart."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.predict.cpu.sketch import Sketch
from edgecvar.predict.cpu.trials import Link, Trial
from edgecvar.progress import Progress, silent
from edgecvar.runners.onnx import onnx_runtime, session_options

PASSES, ROUNDS = 2, 5
LEAST_ROUNDS, LONG = 3, 0.05
"""Of what takes this many seconds."""
NEAR, FAR = 3 << 20, 64 << 20
"""Bytes that are touched before a call: more than a core's own cache holds, more than all its caches do."""
RINGS = (8, 16, 24, 32, 48)
"""MiB of the weights of a ring."""


@dataclass(frozen=True)
class Measured:
    """Seconds of one kernel with its weights in the shared cache and in memory, in the best pass."""

    trial: Trial
    near: float
    far: Optional[float] = None


def clock_of(threads: int) -> Callable[[], float]:
    """Seconds: where one thread computes, its own time, which leaves out what other programs take of its core."""
    return time.thread_time if threads == 1 and hasattr(time, "thread_time") else time.perf_counter


class Bench:
    """Calls chains in turn; `touched` is what takes the caches from them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._touched: NDArray[np.uint8] = np.zeros(FAR, np.uint8)

    def seconds(self, trial: Trial, far: bool) -> float:
        """Of one kernel; may be negative where the noise is larger than it."""
        whole = self._link_seconds(trial, trial.link, far)
        return (whole - sum(self._link_seconds(trial, each, far) for each in trial.less)) / trial.times

    def _link_seconds(self, trial: Trial, link: Link, far: bool) -> float:
        many, clock = trial.links, clock_of(self.threads)
        chains = [_session(trial, link, links, self.threads) for links in (1, many)]
        bytes_ = FAR if far else NEAR
        calls: List[List[float]] = [[], []]
        begun = clock()
        for round_ in range(ROUNDS + 1):
            if round_ > LEAST_ROUNDS and clock() - begun > LONG:
                break
            for (session, feeds), taken in zip(chains, calls):
                self._touched[:bytes_] += 1
                seconds = _timed(clock, session, feeds)
                if round_:
                    taken.append(seconds)
        few, all_ = (_low(each) for each in calls)
        return (all_ - few) / (many - 1)


def kept_bytes(threads: int, progress: Progress = silent) -> int:
    """How many of a call's weights the next call finds as near as the trials do, of stages that have more.

    Caches count, and so does how much memory the processor can address without looking it up. Convolutions with
    weights of a MiB each, in rings of ever more of them.
    """
    touched: NDArray[np.uint8] = np.zeros(FAR, np.uint8)
    clock = clock_of(threads)
    few = _ring(4, threads)
    kept: List[float] = []
    for count in RINGS:
        progress(len(kept), len(RINGS), "measuring caches")
        many = _ring(count, threads)
        again, first, near = [], [], []
        for _ in range(ROUNDS + 2):
            _timed(clock, *many)
            again.append(_timed(clock, *many) / count)
            touched += 1
            first.append(_timed(clock, *many) / count)
        for _ in range(4 * ROUNDS):
            touched[:NEAR] += 1
            near.append(_timed(clock, *few) / 4)
        slow, fast, here = (_low(each) for each in (first, near, again))
        missed = min(max((here - fast) / max(slow - fast, 1e-9), 0.0), 1.0)
        kept.append((1 - missed) * count * (1 << 20))
    return max(int(np.median(kept)), 1 << 20)


def _low(seconds: Sequence[float]) -> float:
    """The second least: the least may be a fluke."""
    return sorted(seconds)[:2][-1]


def _timed(clock: Callable[[], float], session: Any, feeds: Dict[str, NDArray[Any]]) -> float:
    begun = clock()
    session.run(None, feeds)
    return clock() - begun


def _ring(count: int, threads: int) -> Tuple[Any, Dict[str, NDArray[Any]]]:
    sketch = Sketch()
    value = sketch.given((1, 512, 4, 4))
    for _ in range(count):
        weights = sketch.weights((512, 512, 1, 1))
        value = sketch.node("Conv", [value, weights, sketch.weights((512,))], {"kernel_shape": (1, 1)})
    model = sketch.model([(value, "float32")])
    options = session_options(threads, as_written=False)
    return onnx_runtime().InferenceSession(model, options, providers=["CPUExecutionProvider"]), sketch.feeds


def _session(trial: Trial, link: Link, links: int, threads: int) -> Tuple[Any, Dict[str, NDArray[Any]]]:
    sketch = Sketch()
    dtype = "uint8" if trial.routine == "quantised" else "float32"
    given = sketch.given(trial.given, dtype)
    before = given if trial.given == link.start else sketch.given(link.start, dtype)
    for _ in range(links):
        before = link.unit(sketch, given, before)
    onnxruntime = onnx_runtime()
    options = session_options(threads, as_written=False)
    if not link.optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = sketch.model([(before, dtype)])
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session, {each.name: sketch.feeds[each.name] for each in session.get_inputs()}


class Reference:
    """The same small chain again and again: whether the machine is as quick as it was."""

    def __init__(self, threads: int) -> None:
        self._chain = _ring(4, threads)
        self._clock = clock_of(threads)

    def seconds(self) -> float:
        return sorted(_timed(self._clock, *self._chain) for _ in range(20))[5]


def call_seconds(threads: int, tensors: int = 1) -> float:
    """Of a call that computes next to nothing, with so many inputs and as many outputs."""
    sketch = Sketch()
    outputs = [(sketch.node("Relu", [sketch.given((1, 16))]), "float32") for _ in range(tensors)]
    model = sketch.model(outputs)
    options = session_options(threads, as_written=False)
    session = onnx_runtime().InferenceSession(model, options, providers=["CPUExecutionProvider"])
    clock = clock_of(threads)
    taken = sorted(_timed(clock, session, sketch.feeds) for _ in range(200))
    return taken[len(taken) // 4]


def measure_trials(
    trials: Sequence[Trial], threads: int, passes: int = PASSES, progress: Progress = silent
) -> List[Measured]:
    """Each trial's best pass: what else the machine does comes and goes."""
    bench = Bench(threads)
    best: List[List[float]] = [[] for _ in trials]
    far: List[List[float]] = [[] for _ in trials]
    for each in range(passes):
        for index, trial in enumerate(trials):
            progress(each * len(trials) + index, passes * len(trials), f"measuring {trial.routine}")
            best[index].append(bench.seconds(trial, far=False))
            if trial.streams:
                far[index].append(bench.seconds(trial, far=True))
    return [
        Measured(trial, _least(near), _least(away) if away else None) for trial, near, away in zip(trials, best, far)
    ]


def _least(seconds: Sequence[float]) -> float:
    """A negative one is noise."""
    return min([each for each in seconds if each > 0], default=0.0)

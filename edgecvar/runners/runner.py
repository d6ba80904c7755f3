"""The seam behind which an engine runs a network's stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class History:
    """An input with `segments`: what launches gave for the newest T samples, in display order, each (B, *shape)."""

    values: Tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """What a launch of a stage with state gave: its output, and its state by the names of the next call's inputs."""

    output: Any
    state: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Gathered:
    """An input of several launches that go through as one: what each of them has for it, in turn along the batch."""

    values: Tuple[Any, ...]


class Runner(Protocol):
    """Runs stages by name. Building one touches no device; entering it loads, leaving it frees.

    Launching and fetching are two steps, so that a device may compute independent stages side by side and outputs
    need not leave it on their way from stage to stage.
    """

    name: str

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        """Start a stage on its named inputs, state among them: float32 arrays (B, *shape), what launches gave, History,
        or Gathered of these.

        What comes back may still be computing; it is good for `fetch` and as an input until the runner is left. Of a
        stage with state it is a Step, whose parts are.
        """
        ...

    def fetch(self, value: Any) -> NDArray[np.float32]:
        """Wait for what a launch gave, or a part of its Step: float32 (B, *shape)."""
        ...


def as_array(value: Any) -> NDArray[np.float32]:
    """An input of a runner whose launches give arrays; a History becomes (B, T, *shape)."""
    if isinstance(value, Gathered):
        return np.concatenate([as_array(each) for each in value.values])
    array: NDArray[np.float32] = np.stack(value.values, axis=1) if isinstance(value, History) else value
    return array


def rows_of(value: Any) -> int:
    """B of an input, or of what a launch gave."""
    if isinstance(value, (History, Gathered)):
        counts = [rows_of(each) for each in value.values]
        return counts[0] if isinstance(value, History) else sum(counts)
    return len(value) if isinstance(value, np.ndarray) else int(value.batch)


def part_of(launched: Any, first: int, rows: int) -> Any:
    """Some rows of what a launch gave, as a launch of theirs would have given it; arrays are copied."""
    if isinstance(launched, Step):
        state = {name: part_of(each, first, rows) for name, each in launched.state.items()}
        return Step(part_of(launched.output, first, rows), state)
    # A view would hold the other streams' rows, for as long as a stream keeps it.
    return launched[first : first + rows].copy() if isinstance(launched, np.ndarray) else launched.part(first, rows)


def stepped(outputs: List[Any], state: List[str]) -> Any:
    """What a launch gives of `outputs`, the stage's own and then its state of those names: a Step where it has any."""
    return Step(outputs[0], dict(zip(state, outputs[1:]))) if state else outputs[0]


def fetched(runner: Runner, launched: Any) -> Any:
    """What a launch gave as arrays: one, or a Step of them."""
    if not isinstance(launched, Step):
        return runner.fetch(launched)
    return Step(runner.fetch(launched.output), {name: runner.fetch(each) for name, each in launched.state.items()})


def run_stage(runner: Runner, stage: str, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
    """The stage's output (B, *output_shape) for its named inputs; with state, all it gives in one row (B, values)."""
    return in_rows(fetched(runner, runner.launch(stage, inputs)))


def in_rows(fetched: Any) -> NDArray[np.float32]:
    """An array as it is; the arrays of a Step side by side, (B, values)."""
    if not isinstance(fetched, Step):
        array: NDArray[np.float32] = fetched
        return array
    arrays = [fetched.output, *fetched.state.values()]
    return np.concatenate([each.reshape(len(each), -1) for each in arrays], axis=1)

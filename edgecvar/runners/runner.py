"""The seam behind which an engine runs a network's stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class History:
    """An input with `segments`: what launches gave for the newest T samples, in display order, each (B, *shape)."""

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
        """Start a stage on its named inputs: float32 arrays (B, *shape), what earlier launches gave, or a History.

        What comes back may still be computing; it is good for `fetch` and as an input until the runner is left.
        """
        ...

    def fetch(self, value: Any) -> NDArray[np.float32]:
        """Wait for what a launch gave: the stage's output, float32 (B, *output_shape)."""
        ...


def as_array(value: Any) -> NDArray[np.float32]:
    """An input of a runner whose launches give arrays; a History becomes (B, T, *shape)."""
    array: NDArray[np.float32] = np.stack(value.values, axis=1) if isinstance(value, History) else value
    return array


def run_stage(runner: Runner, stage: str, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
    """The stage's output (B, *output_shape) for its named inputs."""
    return runner.fetch(runner.launch(stage, inputs))

"""The seam behind which an engine runs a network's stages."""

from __future__ import annotations

from typing import Any, Mapping, Protocol

import numpy as np
from numpy.typing import NDArray


class Runner(Protocol):
    """Runs stages by name. Building one touches no device; entering it loads, leaving it frees.

    Launching and fetching are two steps, so that a device may compute independent stages side by side and outputs
    need not leave it on their way from stage to stage.
    """

    name: str

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        """Start a stage on its named inputs, each a float32 array (B, *shape) or what an earlier launch gave.

        What comes back may still be computing; it is good for `fetch` and as an input until the runner is left.
        """
        ...

    def fetch(self, value: Any) -> NDArray[np.float32]:
        """Wait for what a launch gave: the stage's output, float32 (B, *output_shape)."""
        ...


def run_stage(runner: Runner, stage: str, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
    """The stage's output (B, *output_shape) for its named inputs."""
    return runner.fetch(runner.launch(stage, inputs))

"""The seam behind which an engine runs a network's stages."""

from __future__ import annotations

from typing import Mapping, Protocol

import numpy as np
from numpy.typing import NDArray


class Runner(Protocol):
    """Runs stages by name. Building one touches no device; entering it loads, leaving it frees."""

    name: str

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...

    def run(self, stage: str, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The stage's output (B, *output_shape) for its named inputs, each (B, *shape) float32."""
        ...

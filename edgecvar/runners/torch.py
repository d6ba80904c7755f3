"""A network's stages in torch: the reference that every other runner is compared with."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from edgecvar.bundle.stages import StageSpec
from edgecvar.nets.network import Network
from edgecvar.runners.runner import as_array, stepped


class TorchRunner:
    """Runs the modules of `network` in evaluation mode; entering switches the mode, leaving restores it."""

    def __init__(self, network: Network) -> None:
        self.name = "torch"
        self._network = network
        self._stages: Dict[str, StageSpec] = {}
        self._was_training = False

    def __enter__(self) -> TorchRunner:
        self._was_training = self._network.training
        self._network.eval()
        self._stages = {stage.name: stage for stage in self._network.stages()}
        return self

    def __exit__(self, *exc: object) -> None:
        self._network.train(self._was_training)

    def launch(self, stage: str, inputs: Mapping[str, Any]) -> Any:
        spec = self._stages[stage]
        tensors = [torch.from_numpy(np.ascontiguousarray(as_array(inputs[name]))) for name in spec.takes]
        with torch.no_grad():
            given = self._network.stage(stage)(*tensors)
        outputs = [tensor.numpy() for tensor in (given if spec.state else [given])]
        return stepped(outputs, [each.name for each in spec.state])

    def fetch(self, value: NDArray[np.float32]) -> NDArray[np.float32]:
        return value

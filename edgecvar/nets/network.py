"""What every network offers: scores of a batch in training, stages to whoever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List

from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.nets.batch import ClipBatch


class Network(nn.Module, ABC):
    """A network that is trained whole and runs as stages; both give the same scores in eval mode."""

    @abstractmethod
    def stages(self) -> List[StageSpec]:
        """The stages in the order they run; the last gives the class scores."""

    @abstractmethod
    def stage(self, name: str) -> nn.Module:
        """The module of one stage: positional inputs in the order of its StageSpec, each (B, *shape)."""

    @abstractmethod
    def forward(self, batch: ClipBatch) -> Tensor:
        """Class scores (N, classes): logits averaged over the T segments."""

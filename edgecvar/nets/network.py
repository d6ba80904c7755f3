"""What every network offers: scores of a batch in training, stages to whoever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, FrozenSet, List, Mapping

from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec, prepared_sources
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.features import Features


class Network(nn.Module, ABC):
    """A network that is trained whole and runs as stages; both give the same scores in eval mode.

    For one that looks at single pictures, the whole gives the mean over T segments of what the stages give for each.
    For one that looks at a clip (inputs with `segments` T, its option `segments` the same T), the whole on a batch of
    T segments gives what the stages give for the last of T sampled pictures in a row: segment t is the t-th of them in
    display order, with the I-pictures of its own window and neighbour. The first pictures of a stream make clips in
    which the first stands in for those before it.
    For one that remembers (stages with `state`), the whole gives the mean of what the stages give for each of T sampled
    pictures in a row, in display order, from a state of zeros. The modules of such stages take the states behind the
    inputs, and give (output, *next states).
    """

    classes: int
    sees_flow = False
    """Whether it looks at a batch's optical flow, which no device has: it can be trained and tested, not compiled."""

    @abstractmethod
    def stages(self) -> List[StageSpec]:
        """The stages in the order they run; the last gives the class scores."""

    def prepared_inputs(self) -> FrozenSet[str]:
        """The prepared inputs that it takes."""
        return prepared_sources(self.stages())

    @abstractmethod
    def stage_modules(self) -> Mapping[str, nn.Module]:
        """The module of each stage: positional inputs in the order of its StageSpec, each (B, *shape)."""

    def stage(self, name: str) -> Any:
        """The module of one stage; raises ConfigError for a name that is none."""
        modules = self.stage_modules()
        if name not in modules:
            raise unknown_name("stage", name, modules)
        return modules[name]

    @abstractmethod
    def forward(self, batch: ClipBatch) -> Tensor:
        """Class scores (N, classes): logits averaged over the T segments, or of the clip that they are."""

    def features(self, batch: ClipBatch) -> Features:
        """One forward pass with what losses may ask for; its scores are those of `forward`."""
        return Features(self(batch))

    @staticmethod
    def check_clip(samples: int, segments: int) -> None:
        """Raises ValueError where a batch's clips are not of the length that the network looks at."""
        if samples != segments:
            raise ValueError(f"got clips of {samples} segments, expected {segments} as the network's options say")

    def companion(self, name: str) -> nn.Module:
        """A new module that only training has, such as "discriminator" or "teacher"; raises ConfigError without it."""
        raise ConfigError(
            f"{type(self).__name__} has no {name!r}, which a loss of the recipe needs; leave that loss out"
        )

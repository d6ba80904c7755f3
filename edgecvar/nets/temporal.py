"""A network that scores single pictures, made to remember: its scores become features, which the past makes scores of.

The papers average the scores of a clip's pictures (Huo et al. 2020, section 3.4; Wang et al. 2016, section 3.1), and
the order in time is lost. Here the network gives `width` features a picture instead, and causal convolutions over them
(`nets/modules/past.py`) give the scores at each picture. All else of the network stays: its stages, and one more.

Or the scores are averaged as they are, and the layers before them see the order: with "online_shift" the blocks of what
runs once a sampled picture read an eighth of their channels of the picture before (`nets/modules/temporal_shift.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Callable, List, Literal, Mapping, Optional, Sequence, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec, has_state
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.past import Past, PastOptions
from edgecvar.nets.network import Network
from edgecvar.nets.stages import joining, stage_output

Temporal = Union[Literal["average", "online_shift"], PastOptions]
"""How scores of pictures become those of a clip: their mean, as in the papers, or what causal convolutions see.

With "online_shift" it is their mean, and the blocks have seen the picture before.
"""

NAMES = ("average", "conv", "online_shift")
"""Of the ways in which a recipe may say so."""


def temporal_options(value: Any, *, also: Sequence[str] = ()) -> Any:
    """Those of "conv" by its name, for a field validator; `also`: names that a network has beside NAMES."""
    known = (*NAMES, *also)
    if isinstance(value, str) and value not in known:
        raise unknown_name("temporal", value, known)
    return PastOptions() if value == "conv" else value


TSM_SEGMENTS = 8
"""Samples of a clip of TSM, as published (Lin et al. 2019) and in Wang et al. 2021, appendix B's table 1."""


class ClipOptions(BaseModel):
    """Of a network whose `temporal` may be "tsm": it then looks at clips of `segments` samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: Optional[int] = Field(default=None, ge=2, le=64)

    @model_validator(mode="before")
    @classmethod
    def _segments_of_tsm(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("temporal") == "tsm" and values.get("segments") is None:
            return {**values, "segments": TSM_SEGMENTS}
        return values

    @model_validator(mode="after")
    def _segments_are_shifted(self) -> ClipOptions:
        if self.segments is not None and getattr(self, "temporal", None) != "tsm":
            raise ValueError("segments are what temporal: tsm looks at together; leave them out without it")
        return self


class PictureNetwork(Network):
    """A network whose scores are of one sampled picture each."""

    @abstractmethod
    def each_picture(self, batch: ClipBatch) -> Tensor:
        """Scores (N, T, classes) of each picture by itself."""


class Recall(nn.Module):
    """Features (B, width) of one picture, and states, to scores (B, classes) and the states for the next."""

    def __init__(self, options: PastOptions, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(options.width)
        self.past = Past(options, classes)

    def forward(self, features: Tensor, *states: Tensor) -> Tuple[Tensor, ...]:
        scores, *newest = self.past(self.norm(features[:, :, None, None]), *states)
        return (scores.flatten(1), *newest)

    def sequence(self, features: Tensor) -> Tensor:
        """Features (N, T, width) of clips to the scores at each picture (N, T, classes)."""
        seen = self.norm(features.transpose(1, 2).unsqueeze(3))  # (N, width, T, 1)
        states = [seen.new_zeros(len(seen), *shape) for shape in self.past.state_shapes.values()]
        scores: Tensor = self.past(seen, *states)[0]
        return scores


class Remembering(PictureNetwork):
    """The whole: `pictures`, a network of `width` scores, and what recalls them."""

    def __init__(self, pictures: PictureNetwork, options: PastOptions, classes: int) -> None:
        super().__init__()
        self.pictures, self.options, self.classes = pictures, options, classes
        self.recall = Recall(options, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return {**self.pictures.stage_modules(), "recall": self.recall}

    def stages(self) -> List[StageSpec]:
        stages = self.pictures.stages()
        features = stage_output(stages[-1].name, stages[-1].output_shape)
        return [*stages, joining("recall", [features], [self.classes], self.recall.past.state_shapes)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return batch.mean(self.each_picture(batch))

    def each_picture(self, batch: ClipBatch) -> Tensor:
        """Scores (N, T, classes) at each picture, made of it and those before it."""
        return self.recall.sequence(self.pictures.each_picture(batch))


def remembering(
    build: Callable[[Any, InputSpec, int], PictureNetwork],
) -> Callable[[Any, InputSpec, int], PictureNetwork]:
    """`build` of a network whose options have `temporal`, as that says."""

    def built(options: Any, spec: InputSpec, classes: int) -> PictureNetwork:
        temporal: Temporal = options.temporal
        if isinstance(temporal, PastOptions):
            return Remembering(build(options, spec, temporal.width), temporal, classes)
        network = build(options, spec, classes)
        if temporal == "online_shift" and not has_state(network.stages()):
            raise ConfigError(
                "temporal: online_shift: nothing to shift, as no block with a shortcut runs once a sampled picture; "
                "I-pictures, which tsn and attp's fusion i look at alone, come once a GOP. Take a network or fusion "
                "with motion or residual, tsn's frames: all, deeper backbones if it has them, or temporal: conv"
            )
        return network

    return built

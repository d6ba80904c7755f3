"""MoViNet-A0-Stream (Kondratyuk et al. 2021), on decoded pictures or on what the bitstream says of them.

A mobile network whose convolutions over time look back alone: what they need of the pictures before is a stream buffer,
and the averages over time are cumulative. So a stream costs one picture at a time, whatever came before, in memory of
one size. The layers are in `nets/backbones/movinet.py`, what is kept in `nets/modules/stream_buffer.py`.

With `inputs: frames` it is the published network: every sampled picture is decoded. With `inputs: coded`, ours, a stem
of five channels sees motion vectors and residual of the sampled picture (MV and R, 2 + 3), nothing but I-pictures is
decoded, and once a GOP the same layers without those over time, `appearance` as wide, see the I-picture. The two meet
where both are vectors, before the head: there the I-picture's features stand beside the cumulative average of the
others, so that buffers hold motion alone and a new I-picture is seen at once. In training whole clips lose their
I-features at random (`appearance_dropout`): few places are shown in a small data set, and the place tells the class.

What differs from the paper: a clip's scores are the mean of its pictures' scores, as those of every network here that
remembers, and not those of its last picture; cumulative averages forget (`memory`), as a camera's stream has no end.
The paper's clips have 50 pictures, and until then both are the same.
"""

from __future__ import annotations

from typing import Dict, List, Literal, Mapping, Optional, Tuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.movinet import MovinetBackbone, MovinetOptions
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.stream_buffer import COUNT_SHAPE, Buffers, Clip, Kept, mean_shape
from edgecvar.nets.network import Network
from edgecvar.nets.stages import joining, opening, prepared_input, stage_output

HEAD_CHANNELS = 2048


class StreamOptions(MovinetOptions):
    """`inputs`: decoded pictures, or MV and R. `dropout`: before the classifier.

    `appearance`: width of the network on I-pictures beside MV and R, 0 without one; `appearance_dropout`: the share of
    clips that lose its features in training. `memory`: pictures that a cumulative average is over, before it fades.
    """

    inputs: Literal["frames", "coded"] = "coded"
    appearance: float = Field(default=1.0, ge=0, le=4)
    appearance_dropout: float = Field(default=0.5, ge=0, lt=1)
    memory: int = Field(default=50, ge=1, le=256)
    dropout: float = Field(default=0.2, ge=0, lt=1)

    @property
    def sources(self) -> Tuple[str, ...]:
        """The prepared inputs of every sampled picture."""
        return ("frame",) if self.inputs == "frames" else ("motion", "residual")

    @property
    def still(self) -> Optional[MovinetOptions]:
        """Options of the network on I-pictures; None without one."""
        if self.inputs == "frames" or self.appearance == 0:
            return None
        return MovinetOptions(width=self.appearance, depth=self.depth, stochastic_depth=self.stochastic_depth)


class Appearance(nn.Module):
    """An I-picture (B, 3, h, w) to its features (B, channels)."""

    def __init__(self, options: MovinetOptions, spec: InputSpec) -> None:
        super().__init__()
        self.backbone = MovinetBackbone(options, spec.shape("image")[0], (spec.height, spec.width), stream=False)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone(images, Clip(1, 1))
        return features.flatten(1)


class StreamStage(nn.Module):
    """Inputs of one picture, I-features if any, and the states, to scores (B, classes) and the next states."""

    def __init__(self, options: StreamOptions, spec: InputSpec, still: int, classes: int) -> None:
        super().__init__()
        self.memory, self.prepared, self.still = options.memory, len(options.sources), still
        channels = sum(spec.shape(source)[0] for source in options.sources)
        self.backbone = MovinetBackbone(options, channels, (spec.height, spec.width), stream=True)
        inner = options.scaled(HEAD_CHANNELS)
        self.head = nn.Linear(self.backbone.channels + still, inner)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(inner, classes)
        self.state_shapes: Dict[str, List[int]] = {
            "pictures": COUNT_SHAPE,
            **self.backbone.states(),
            "last_average": mean_shape(self.backbone.channels),
        }
        """Of each state by name, without the batch, in the order that `forward` takes and gives them."""

    def forward(self, *tensors: Tensor) -> Tuple[Tensor, ...]:
        inputs = self.prepared + (self.still > 0)
        kept = Kept(tensors[inputs:], self.memory)
        scores = self.scores(tensors[: self.prepared], tensors[self.prepared : inputs], kept)
        return (scores, *kept.newest)

    def scores(self, prepared: Tuple[Tensor, ...], still: Tuple[Tensor, ...], buffers: Buffers) -> Tensor:
        """Scores (B, classes) of prepared inputs (B, channels, h, w) and I-features (B, still), as `buffers` says."""
        average = buffers.averaged(self.backbone(torch.cat(prepared, 1), buffers)).flatten(1)
        scores: Tensor = self.classifier(self.dropout(functional.silu(self.head(torch.cat([average, *still], 1)))))
        return scores


class Movinet(Network):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: StreamOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.appearance = None if options.still is None else Appearance(options.still, spec)
        self.still = 0 if self.appearance is None else self.appearance.backbone.channels
        self.stream = StreamStage(options, spec, self.still, classes)

    def stage_modules(self) -> Mapping[str, nn.Module]:
        still = {} if self.appearance is None else {"appearance": self.appearance}
        return {**still, "stream": self.stream}

    def stages(self) -> List[StageSpec]:
        inputs = [prepared_input(source, self.spec) for source in self.options.sources]
        states = self.stream.state_shapes
        if self.appearance is None:
            return [joining("stream", inputs, [self.classes], states)]
        still = stage_output("appearance", [self.still])
        opened = opening("appearance", "image", self.spec, [self.still])
        return [opened, joining("stream", [*inputs, still], [self.classes], states)]

    def forward(self, batch: ClipBatch) -> Tensor:
        return batch.mean(self.each_picture(batch))

    def each_picture(self, batch: ClipBatch) -> Tensor:
        """Scores (N, T, classes) at each picture, made of it and those before it."""
        prepared = tuple(self._prepared(batch, source).flatten(0, 1) for source in self.options.sources)
        clips = batch.motion.shape[:2]
        still = () if self.appearance is None else (self._still(batch.image).flatten(0, 1),)
        buffers = Clip(clips[1], self.options.memory)
        scores: Tensor = self.stream.scores(prepared, still, buffers).unflatten(0, clips)
        return scores

    def _prepared(self, batch: ClipBatch, source: str) -> Tensor:
        prepared: Optional[Tensor] = getattr(batch, source)
        if prepared is None:
            raise ValueError(f"ClipBatch.{source}: got none, which inputs: {self.options.inputs} looks at")
        return prepared

    def _still(self, images: Tensor) -> Tensor:
        """I-features (N, T, still) of I-pictures (N, T, 3, h, w), those that follow each other computed once."""
        assert self.appearance is not None
        new = torch.ones(images.shape[:2], dtype=torch.bool, device=images.device)
        new[:, 1:] = (images[:, 1:] != images[:, :-1]).flatten(2).any(2)
        each: Tensor = self.appearance(images[new])[new.flatten().cumsum(0) - 1]
        features: Tensor = each.unflatten(0, images.shape[:2])
        if self.training and self.options.appearance_dropout > 0:
            keep = 1 - self.options.appearance_dropout
            features = features * features.new_empty(len(features), 1, 1).bernoulli_(keep)
        return features

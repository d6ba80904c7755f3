"""DMC-Net: a generated motion cue, classified, then fused with I, MV and R (Shou et al. 2019).

A small generator (`dmc_generator`) turns MV and R into a discriminative motion cue of MV's size and units, which
learns to resemble optical flow; a classifier takes it from there. Beside it stand CoViAR's three streams (`coviar`),
and the scores of all four are fused (section 4.2):

    s = sum_m w_m s_m(x_m) / sum_m w_m        m of I, MV, R and G_DMC(MV, R)

What training minimises (eq. 1 to 4) is in `train.losses` and `train.objective`; the adversary is in
`dmc_discriminator`. The four streams share nothing but inputs, and are trained apart in the paper: under the loss
`streams` one run does the same.

What the paper leaves open, and what is chosen:

- The weights of the fusion: 2 for I and 1 for each other, as in the authors' released code. No batch norm before the
  cue's classifier, as there; the other streams are `coviar`'s.
- Section 3.1 has R against the I-picture (accumulated), and CoViAR's streams take accumulated MV and R; the released
  runs feed the generator with plain vectors and residuals, since optical flow is from one picture to the next. One
  InputSpec serves all streams here: plain, so that the cue and its flow speak of the same motion.
- CoViAR + Flow of figure 4 (`cue: flow`): the cue's classifier looks at the optical flow that the cue learns to
  resemble. There is no generator then. It is trained and tested, and no device runs it.
- The I3D that replaces the cue's ResNet-18 in table 4 is inflated from Inception; here, where every backbone is a
  ResNet, it is an I3D-ResNet-50 (`i3d: i3d_resnet50`). The other streams' scores are then means over the clip.
- How I3D is trained the paper does not print: the released runs take 64 pictures in a row, and test on 250 in a row
  (as the supplement says), once, in the centre; what is shorter is shown over and over. I3D pools over time, so that a
  test may have another length than training: `segments: 64`, `sampling: {name: dense, span: 64, short: again}`, `test:
  {segments: 250, span: 250}`. A bundle looks at the network's `segments`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Dict, FrozenSet, List, Literal, Mapping, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError
from edgecvar.nets.backbones.resnet import RESNETS, ResNet, ResNetOptions, resnet_options
from edgecvar.nets.backbones.resnet3d import ResNet3d, ResNet3dOptions, resnet3d_options
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.coviar import LateFused, LateFusion, Stream
from edgecvar.nets.features import Features
from edgecvar.nets.modules.dmc_discriminator import Discriminator
from edgecvar.nets.modules.dmc_generator import MOTION_CHANNELS, Generator
from edgecvar.nets.stages import MODALITIES, joining, opening, prepared_input, stage_output

NO_DEVICE = (
    "network.cue=flow needs optical flow, which no device has: such a network is trained and tested alone; to compile "
    "one train it with network.cue=generated"
)

CLIP_SEGMENTS = 64
"""Pictures of a clip that the released I3D is trained on."""


class StreamWeights(BaseModel):
    """w of each stream; 0 leaves a stream out, but for the cue's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    appearance: float = Field(default=2.0, ge=0)
    motion: float = Field(default=1.0, ge=0)
    residual: float = Field(default=1.0, ge=0)
    cue: float = Field(default=1.0, gt=0)


class DmcOptions(BaseModel):
    """The four classifiers and how they are fused.

    `classifier`: of the cue, or instead of it an `i3d` that looks at clips of `segments` sampled pictures, in training
    and in a bundle; in a test at as many as there are.
    `data_norm`: a batch norm on the input of MV's and R's streams. `cue`: generated from MV and R, or optical flow in
    its place, which no device has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    appearance: ResNetOptions = RESNETS["resnet152"]
    motion: ResNetOptions = RESNETS["resnet18"]
    residual: ResNetOptions = RESNETS["resnet18"]
    classifier: ResNetOptions = RESNETS["resnet18"]
    weights: StreamWeights = StreamWeights()
    data_norm: bool = True
    cue: Literal["generated", "flow"] = "generated"
    i3d: Optional[ResNet3dOptions] = None
    segments: Optional[int] = Field(default=None, ge=2, le=256)

    _named_backbones = field_validator(*MODALITIES, "classifier", mode="before")(resnet_options)
    _named_i3d = field_validator("i3d", mode="before")(resnet3d_options)

    @model_validator(mode="before")
    @classmethod
    def _clips_of_i3d(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("i3d") is not None and values.get("segments") is None:
            return {**values, "segments": CLIP_SEGMENTS}
        return values

    @model_validator(mode="after")
    def _segments_are_a_clip(self) -> DmcOptions:
        if self.segments is not None and self.i3d is None:
            raise ValueError("segments are what an i3d looks at together; leave them out without it")
        return self

    @property
    def streams(self) -> Tuple[str, ...]:
        """CoViAR's streams that count."""
        return tuple(name for name in MODALITIES if getattr(self.weights, name) > 0)


class Fusion(nn.Module):
    """The stage "fuse" of single pictures: I's scores if they count, MV and R, to the fused scores (B, classes)."""

    def __init__(self, network: Dmc) -> None:
        super().__init__()
        self.generator, self.classifier = network.generator, network.classifier
        self.streams = tuple(name for name in network.options.streams if name != "appearance")
        for name in self.streams:
            self.add_module(name, network.get_submodule(name))
        self.weighted = network.fuse

    def forward(self, *inputs: Tensor) -> Tensor:
        *scores, motion, residual = inputs
        prepared = {"motion": motion, "residual": residual}
        scores += [self.get_submodule(name)(prepared[name]) for name in self.streams]
        fused: Tensor = self.weighted(*scores, self.classifier(self.generator(motion, residual)))
        return fused


class ClipFusion(nn.Module):
    """The stage "fuse" of clips: scores (B, T, classes) of the streams that count, cues (B, T, 2, h, w), to scores."""

    def __init__(self, network: Dmc) -> None:
        super().__init__()
        self.classifier = network.classifier
        self.weighted = network.fuse

    def forward(self, *inputs: Tensor) -> Tensor:
        *scores, cues = inputs
        fused: Tensor = self.weighted(*(each.mean(1) for each in scores), self.classifier(cues.transpose(1, 2)))
        return fused


class Dmc(LateFused):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: DmcOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        for name in options.streams:
            norm = options.data_norm and name != "appearance"
            self.add_module(name, Stream(getattr(options, name), spec.shape(MODALITIES[name])[0], classes, norm))
        self.sees_flow = options.cue == "flow"
        if not self.sees_flow:
            self.generator = Generator()
        self.classifier: nn.Module
        if options.i3d is None:
            self.classifier = ResNet(options.classifier, MOTION_CHANNELS, classes)
        else:
            self.classifier = ResNet3d(options.i3d, MOTION_CHANNELS, classes)
        self.fuse = LateFusion([getattr(options.weights, name) for name in (*options.streams, "cue")])
        # Not registered: their layers are the network's own.
        self._stages: Dict[str, nn.Module] = {} if self.sees_flow else self._made_stages(options)

    def _made_stages(self, options: DmcOptions) -> Dict[str, nn.Module]:
        stages: Dict[str, nn.Module] = {}
        for name in options.streams:
            if name == "appearance" or options.segments is not None:
                stages[name] = self.get_submodule(name)
        if options.segments is not None:
            stages["cue"] = self.generator
        stages["fuse"] = Fusion(self) if options.segments is None else ClipFusion(self)
        return stages

    def stage_modules(self) -> Mapping[str, nn.Module]:
        self._check_device()
        return self._stages

    def prepared_inputs(self) -> FrozenSet[str]:
        streams = {MODALITIES[name] for name in self.options.streams}
        return frozenset(streams if self.sees_flow else streams | {"motion", "residual"})

    def _check_device(self) -> None:
        if self.sees_flow:
            raise ConfigError(NO_DEVICE)

    def stages(self) -> List[StageSpec]:
        self._check_device()
        streams, scores, segments = self._stage_streams(), [self.classes], self.options.segments
        scored = [opening(name, MODALITIES[name], self.spec, scores) for name in streams]
        moving = [prepared_input(source, self.spec) for source in ("motion", "residual")]
        own = [stage_output(name, scores, segments) for name in streams]
        if segments is None:
            return [*scored, joining("fuse", [*own, *moving], scores)]
        shape = self.spec.shape("motion")
        # First, as the streams' outputs will hide the prepared inputs of their names.
        cue = joining("cue", moving, shape)
        return [cue, *scored, joining("fuse", [*own, stage_output("cue", shape, segments)], scores)]

    def _stage_streams(self) -> List[str]:
        """The streams that are stages of their own."""
        return [name for name in self._stages if name in MODALITIES]

    def forward(self, batch: ClipBatch) -> Tensor:
        return self.features(batch).scores

    def features(self, batch: ClipBatch) -> Features:
        return DmcFeatures(self, batch)

    @property
    def streams(self) -> Tuple[str, ...]:
        return (*self.options.streams, "cue")

    def stream_scores(self, name: str, batch: ClipBatch) -> Tensor:
        return DmcFeatures(self, batch).stream(name)

    def companion(self, name: str) -> nn.Module:
        if name == "discriminator" and not self.sees_flow:
            return Discriminator(self.spec.height, self.spec.width)
        return super().companion(name)


class DmcFeatures(Features):
    """Fused scores (N, classes), each stream's, and the cues (N, T, 2, h, w) that the losses of eq. 1 to 3 see.

    There are no cues where flow is in their place.
    """

    def __init__(self, network: Dmc, batch: ClipBatch) -> None:
        self._network, self._batch = network, batch
        self._lead = batch.motion.shape[:2]

    @cached_property
    def cue(self) -> Optional[Tensor]:
        if self._network.sees_flow:
            return None
        motion, residual = self._batch.motion.flatten(0, 1), self._batch.residual.flatten(0, 1)
        cue: Tensor = self._network.generator(motion, residual).unflatten(0, self._lead)
        return cue

    @property
    def _classified(self) -> Tensor:
        """What the cue's classifier looks at, (N, T, 2, h, w); raises ValueError where it is flow and there is none."""
        moving = self._batch.flow if self.cue is None else self.cue
        if moving is None:
            raise ValueError("got a batch without optical flow, expected one with it as network.cue=flow says")
        return moving

    @cached_property
    def streams(self) -> Tuple[Tensor, ...]:
        return tuple(self.stream(name) for name in self._network.streams)

    def stream(self, name: str) -> Tensor:
        """Scores (N, classes) of one of them."""
        network = self._network
        if name != "cue":
            prepared = getattr(self._batch, MODALITIES[name]).flatten(0, 1)
            scores = self._batch.mean(network.get_submodule(name)(prepared).unflatten(0, self._lead))
        elif network.options.segments is None:
            scores = self._batch.mean(network.classifier(self._classified.flatten(0, 1)).unflatten(0, self._lead))
        else:
            scores = network.classifier(self._classified.transpose(1, 2))  # (N, 2, T, h, w)
        return scores

    @cached_property
    def scores(self) -> Tensor:
        fused: Tensor = self._network.fuse(*self.streams)
        return fused

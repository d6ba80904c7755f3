"""TSN, one network's scores of single pictures averaged over a clip (Wang et al. 2016), or its shifted form, TSM.

One ResNet-50 scores each sampled window's I-picture, and the scores of a clip are the mean over its samples, the
average consensus of section 3.1. It is the first row of Wang et al. 2021 (TEAM-Net), table 1. Dropout before the
classifier is in section 3.2 with 0.8, for BN-Inception; TEAM-Net's code, whose figures these are, has 0.5.

TSN and TSM look at decoded frames, and so does `frames: all`: at the sampled pictures themselves, for which every
picture of the stream is decoded. `frames: i`, the default here, looks at the I-pictures of their windows.

With `temporal: tsm` the blocks read clips of `segments` pictures shifted both ways, the offline TSM (Lin et al. 2019,
section 3.2): with `frames: all` and ResNet-50 or MobileNetV2 it computes what the authors' released networks compute
(docs/weights.md). With `online_shift` they read the sampled picture before alone, in a state, as the authors' online
MobileNetV2 does; that needs `frames: all`, as an I-picture comes once a GOP.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Union

from pydantic import Field, field_validator
from torch import Tensor, nn

from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import InputSpec
from edgecvar.nets.backbones.choice import PictureOptions, picture_backbone, picture_options
from edgecvar.nets.backbones.resnet import RESNETS
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.modules.temporal_shift import (
    Kept,
    is_shifted,
    map_sides,
    past_shapes,
    past_states,
    shift_clips,
    shifted,
    within_clips,
)
from edgecvar.nets.stages import joining, opening, stage_output
from edgecvar.nets.temporal import ClipOptions, PictureNetwork, Temporal, temporal_options


class TsnOptions(ClipOptions):
    """The backbone, the dropout before the classifier, how pictures become a clip, and which pictures.

    `frames`: the I-pictures of the sampled windows, or the sampled pictures, decoded.
    """

    backbone: PictureOptions = RESNETS["resnet50"]
    dropout: float = Field(default=0.5, ge=0, lt=1)
    temporal: Union[Temporal, Literal["tsm"]] = "average"
    frames: Literal["i", "all"] = "i"

    _named_backbone = field_validator("backbone", mode="before")(picture_options)

    @field_validator("temporal", mode="before")
    @classmethod
    def _named_temporal(cls, value: Any) -> Any:
        return temporal_options(value, also=("tsm",))


class Appearance(nn.Module):
    """A picture (B, 3, h, w) to scores (B, classes).

    Shifted online, it takes what its blocks kept of the picture before behind it, and gives what they keep.
    """

    def __init__(self, options: TsnOptions, classes: int) -> None:
        super().__init__()
        self.backbone = picture_backbone(options.backbone)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.backbone.channels, classes)
        self.shifts = options.temporal == "online_shift"
        if options.segments is not None:
            shift_clips(self.backbone, options.segments)

    def forward(self, images: Tensor, *pasts: Tensor) -> Union[Tensor, Tuple[Tensor, ...]]:
        if not self.shifts:
            return self.head(self.backbone(images))
        kept = Kept(pasts)
        return (self.shifted_scores(images, kept), *kept.newest)

    def each_picture(self, images: Tensor) -> Tensor:
        """Pictures (N, T, 3, h, w) of clips to their scores (N, T, classes)."""
        flat = images.flatten(0, 1)
        scores = self.shifted_scores(flat, within_clips(images.shape[1])) if self.shifts else self(flat)
        every: Tensor = scores.unflatten(0, images.shape[:2])
        return every

    def shifted_scores(self, images: Tensor, before: Any) -> Tensor:
        """As `forward` gives them, with what `before` says was before."""
        for part in self.backbone.parts():
            images = shifted(part, images, before)
        return self.head(images)

    def head(self, maps: Tensor) -> Tensor:
        """The last maps (B, channels, h / 32, w / 32) to scores (B, classes)."""
        scores: Tensor = self.classifier(self.dropout(maps.mean((2, 3))))
        return scores


class ShiftedClip(nn.Module):
    """The stage "clip": maps (B, T, C, h, w) before the first shift to scores (B, classes), averaged over T."""

    def __init__(self, parts: Sequence[nn.Module], appearance: Appearance) -> None:
        super().__init__()
        self.backbone = nn.Sequential(*parts)
        self.dropout, self.classifier = appearance.dropout, appearance.classifier

    def forward(self, maps: Tensor) -> Tensor:
        features = self.backbone(maps.flatten(0, 1)).mean((2, 3))  # (B * T, channels)
        scores: Tensor = self.classifier(self.dropout(features)).unflatten(0, maps.shape[:2]).mean(1)
        return scores


class Tsn(PictureNetwork):
    """The whole network; `classes` scores from inputs of `spec`'s size."""

    def __init__(self, options: TsnOptions, spec: InputSpec, classes: int) -> None:
        super().__init__()
        self.options, self.spec, self.classes = options, spec, classes
        self.segments: Optional[int] = options.segments
        self.source = "frame" if options.frames == "all" else "image"
        self.appearance = Appearance(options, classes)
        # Not registered: their layers are the backbone's own, which keep the names that torchvision publishes.
        self._stages: Dict[str, nn.Module] = {"appearance": self.appearance}
        if self.segments is not None:
            parts = self.appearance.backbone.parts()
            shift = next(place for place, part in enumerate(parts) if any(map(is_shifted, part.modules())))
            before = nn.Sequential(OrderedDict(backbone=nn.Sequential(*parts[:shift])))
            self._opened = _maps_of(before, spec)
            self._stages = {"appearance": before, "clip": ShiftedClip(parts[shift:], self.appearance)}

    def stage_modules(self) -> Mapping[str, nn.Module]:
        return self._stages

    def stages(self) -> List[StageSpec]:
        if self.segments is None:
            return [opening("appearance", self.source, self.spec, [self.classes], self._pasts())]
        maps = stage_output("appearance", self._opened, self.segments, name="opened")
        return [
            opening("appearance", self.source, self.spec, self._opened),
            joining("clip", [maps], [self.classes]),
        ]

    def _pasts(self) -> Dict[str, List[int]]:
        """What blocks keep; nothing of I-pictures, which no state leads from one to the next."""
        if not self.appearance.shifts or self.source == "image":
            return {}
        parts = nn.Sequential(*self.appearance.backbone.parts())
        return past_states(past_shapes(parts, self.spec.height, self.spec.width))

    def forward(self, batch: ClipBatch) -> Tensor:
        if self.segments is None:
            return batch.mean(self.each_picture(batch))  # (N, classes)
        pictures = self._pictures(batch)
        clips, samples = pictures.shape[:2]
        self.check_clip(samples, self.segments)
        opened = self.stage("appearance")(pictures.flatten(0, 1))
        of_clips: Tensor = self.stage("clip")(opened.unflatten(0, (clips, samples)))
        return of_clips

    def each_picture(self, batch: ClipBatch) -> Tensor:
        return self.appearance.each_picture(self._pictures(batch))

    def _pictures(self, batch: ClipBatch) -> Tensor:
        pictures = batch.frame if self.source == "frame" else batch.image
        if pictures is None:
            raise ValueError("TSN with frames: all got a batch without decoded frames")
        return pictures


def _maps_of(layers: nn.Module, spec: InputSpec) -> List[int]:
    """[channels, h, w] of what layers make of a picture."""
    convolutions = [layer for layer in layers.modules() if isinstance(layer, nn.Conv2d)]
    return [convolutions[-1].out_channels, *map_sides(layers, spec.height, spec.width)]

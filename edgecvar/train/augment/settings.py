"""What a recipe says under `augment`: how training looks at a clip differently each time."""

from __future__ import annotations

from typing import List, Literal, Optional, Tuple

from pydantic import Field, field_validator, model_validator

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.train.settings import Settings

Range = Tuple[float, float]
Whole = Tuple[int, int]
Codec = Literal["h264", "hevc", "mpeg4"]


class CameraMotion(Settings):
    """Smooth motion of the whole picture over time, added to its vectors.

    `pan`: the fastest shift, in units of the network's motion input. `zoom`: the most that the picture grows or
    shrinks a frame, as a part of it.
    """

    pan: float = Field(0.0, ge=0, le=8)
    zoom: float = Field(0.0, ge=0, le=0.2)


class Reencode(Settings):
    """Each training clip encoded anew, `variants` times with settings that (seed, clip, variant) decide, and kept.

    Drawn of the `codecs`, and of the ranges `crf` (x264's scale, which x265 shares), `gop` (pictures from one I to the
    next), `b_pictures` in a row, `short_side` in pixels (never above the clip's) and `fps` (lowered by leaving pictures
    out).
    `share`: the part of looks that are at the original. `seed`: the draw, apart from the recipe's, so that runs of
    other seeds share what was encoded. `cache`: the folder; .reencoded beside the clips unless given.
    """

    variants: int = Field(3, ge=1, le=32)
    codecs: List[Codec] = Field(["h264", "mpeg4"], min_length=1)
    crf: Whole = (18, 36)
    gop: Whole = (12, 250)
    b_pictures: Whole = (0, 3)
    short_side: Whole = (180, 480)
    fps: Range = (10.0, 30.0)
    share: float = Field(0.25, ge=0, le=1)
    seed: int = Field(0, ge=0, lt=1 << 32)
    cache: Optional[str] = None

    @field_validator("crf")
    @classmethod
    def _crf(cls, value: Whole) -> Whole:
        return _whole(value, 1, 51)

    @field_validator("gop")
    @classmethod
    def _gop(cls, value: Whole) -> Whole:
        return _whole(value, 2, 600)

    @field_validator("b_pictures")
    @classmethod
    def _b_pictures(cls, value: Whole) -> Whole:
        return _whole(value, 0, 8)

    @field_validator("short_side")
    @classmethod
    def _short_side(cls, value: Whole) -> Whole:
        return _whole(value, 32, 2160)

    @field_validator("fps")
    @classmethod
    def _fps(cls, value: Range) -> Range:
        return _ordered(value, 1, 240)


class Augment(Settings):
    """How training looks at a clip differently each time; validation never does.

    `flip`: mirror half of the clips. `mirror`: pairs of classes that are each other's mirror image: a mirrored clip of
    one is a clip of the other. `mirror_never`: classes that are never mirrored. Every other class is taken for its own
    mirror image. `scale`: range of the view's side, as a part of the central view. `shift`: how far from the centre
    the view may lie, as a part of the room. `corners`: the view lies in one of the four corners or in the centre of
    that room instead (TSN's corner crops). `rotation`: degrees at most, either way. `speed`: as if played so many
    times as fast. `jitter`: places of sampled pictures move by so many at most. `gop_phase`: the part of
    clips whose GOPs are taken to have begun an I-picture earlier. `gain`: factor on velocity alone. `dropout`: the most
    blocks without vectors, as a part of all. `noise`: the most deviation of a block's vector, in units of the motion
    input. `camera`: motion of the camera that is added; `steady`: the part of clips whose own is removed.
    `brightness`: added to the picture, of its range of 1, at most; `contrast`: factor on it, and on residuals.
    """

    flip: bool = False
    mirror: List[Tuple[str, str]] = Field(default_factory=list)
    mirror_never: List[str] = Field(default_factory=list)
    scale: Range = (1.0, 1.0)
    shift: float = Field(default=0.0, ge=0, le=1)
    corners: bool = False
    rotation: float = Field(0.0, ge=0, le=45)
    speed: Range = (1.0, 1.0)
    jitter: int = Field(0, ge=0, le=300)
    gop_phase: float = Field(0.0, ge=0, le=1)
    gain: Range = (1.0, 1.0)
    dropout: float = Field(0.0, ge=0, lt=1)
    noise: float = Field(0.0, ge=0, le=8)
    camera: CameraMotion = CameraMotion.model_validate({})
    steady: float = Field(0.0, ge=0, le=1)
    brightness: float = Field(0.0, ge=0, le=1)
    contrast: Range = (1.0, 1.0)
    reencode: Optional[Reencode] = None

    @field_validator("scale")
    @classmethod
    def _scale(cls, scale: Range) -> Range:
        return _ordered(scale, 0.1, 10)

    @field_validator("speed", "gain", "contrast")
    @classmethod
    def _factor(cls, factor: Range) -> Range:
        return _ordered(factor, 0.25, 4)

    @model_validator(mode="after")
    def _one_mirror_image(self) -> Augment:
        named = [*(label for pair in self.mirror for label in pair), *self.mirror_never]
        for label in named:
            if named.count(label) > 1:
                raise ValueError(f"mirror and mirror_never: {label!r} is in them twice; a class has one mirror image")
        return self


def check_input(augment: Augment, spec: InputSpec) -> None:
    """Raises ConfigError for what accumulated vectors cannot be changed by: it depends on how far the I-picture is."""
    for key, given in (("camera", augment.camera.pan or augment.camera.zoom), ("gop_phase", augment.gop_phase)):
        if given and spec.accumulate:
            raise ConfigError(
                f"augment.{key}: vectors that are accumulated since the I-picture cannot be changed so; "
                "leave it out, or set input.accumulate=false"
            )


def check_labels(augment: Augment, labels: List[str]) -> None:
    """Raises ConfigError for a mirror image of a class that is not among the labels."""
    pairs = (label for pair in augment.mirror for label in pair)
    for key, named in (("mirror", pairs), ("mirror_never", iter(augment.mirror_never))):
        for label in named:
            if label not in labels:
                raise ConfigError(f"augment.{key}: {unknown_name('class', label, labels)}")


def _ordered(value: Range, low: float, high: float) -> Range:
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(f"got {list(value)}, expected [low, high] with {low:g} <= low <= high <= {high:g}")
    return value


def _whole(value: Whole, low: int, high: int) -> Whole:
    _ordered(value, low, high)
    return value

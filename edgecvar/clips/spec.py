"""InputSpec: everything that decides what a network sees; it travels inside the bundle."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgecvar.errors import unknown_name

CHANNELS = {"image": 3, "motion": 2, "residual": 3, "intra": 1, "frame": 3}
"""The prepared inputs, and the channels of each.

Of a window "image", its I-picture; of a sampled picture its own "motion", "residual" and share of "intra" area, and its
decoded "frame".
"""

PREPARED = tuple(CHANNELS)
CODED = ("image", "motion", "residual", "intra")
"""Those that a stream gives without decoding more than I-pictures."""
COMMON_RATE = 30
"""Pictures a second of the stream in whose frames velocity is counted where it is counted per second."""
MOTION_LIMIT = 8.0
"""Units that motion has at most, unless a spec says: a vector that long is a mismatch of the encoder's search."""
LARGEST_STRIDE = 300
"""Pictures from one sampled to the next, when running, at most."""


class InputSpec(BaseModel):
    """Shapes, scale and cadence of the inputs, the same in training, calibration, run and bench.

    `height`, `width`: network input in pixels. `crop`: the side of the central region that is shown, as a part of
    the picture: 240 of the 256 lines to which ATTP's videos are resized (0.9375). Huo et al. 2020 print the 340 x 256
    and no crop; 240 is the input that EfficientNet-B1 was published with. `squash`: stretch that region to the input
    instead of keeping its aspect. `gop_length`: pictures a window at most. `stride`: when running, one of
    every k pictures is sampled; with `rate` it is what comes nearest to so many a second, whatever the stream's own
    rate. `consensus`: sampled pictures whose scores are averaged into one decision. `pictures`: which are sampled of
    P and B, in training, tests, calibration and running alike (Huo et al. 2020, figure 4); one of every k is of all
    pictures nevertheless, as far as there are so many of those.
    `accumulate`: vectors and residuals are traced back to the I-picture (Wu et al. 2018); what is intra is not.
    `velocity_unit`: input pixels a frame that map to 1.0. `residual_unit`: sample difference that maps to 1.0.
    `velocity_limit`: input pixels a frame, along either axis, beyond which motion is cut; without it 8 units.
    `velocity_per`: "frame" takes the stream's frames for that, whatever their rate; "second" takes input pixels in a
    30th of a second, as though every camera gave 30 pictures a second, so that cameras of other rates agree.

    CoViAR and DMC cut vectors at 20 pixels of the 340 x 256 video, and DMC its optical flow. Those are input pixels
    where 224 of the 256 lines are shown at 224 (crop 0.875), as the centre is. A view that is scaled shows the same
    motion larger or smaller, and is cut by what it shows; there they neither scale vectors nor the limit. They cut
    before they resize, which is the same but where a block that is cut meets one that is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    height: int = Field(240, ge=32, le=1024)
    width: int = Field(240, ge=32, le=1024)
    crop: float = Field(0.9375, gt=0, le=1)
    squash: bool = False
    gop_length: int = Field(12, ge=2, le=300)
    stride: int = Field(12, ge=1, le=LARGEST_STRIDE)
    rate: Optional[float] = Field(None, ge=0.1, le=240)
    consensus: int = Field(8, ge=1, le=256)
    accumulate: bool = False
    pictures: Literal["all", "p", "b"] = "all"
    velocity_unit: float = Field(4.0, ge=1e-6, le=1e6)
    velocity_limit: Optional[float] = Field(None, ge=1e-6, le=1e6)
    velocity_per: Literal["frame", "second"] = "frame"
    residual_unit: float = Field(32.0, ge=1e-6, le=1e6)
    image_mean: Tuple[float, float, float] = (0.485, 0.456, 0.406)
    image_std: Tuple[float, float, float] = (0.229, 0.224, 0.225)

    @field_validator("image_mean")
    @classmethod
    def _means(cls, means: Tuple[float, float, float]) -> Tuple[float, float, float]:
        return _each_within(means, -1e6, 1e6)

    @field_validator("image_std")
    @classmethod
    def _deviations(cls, deviations: Tuple[float, float, float]) -> Tuple[float, float, float]:
        return _each_within(deviations, 1e-6, 1e6)

    def every(self, fps: Fraction) -> int:
        """One of every how many pictures is sampled of a stream of so many a second."""
        if self.rate is None:
            return self.stride
        return min(max(1, round(float(fps) / self.rate)), LARGEST_STRIDE)

    @property
    def kinds(self) -> str:
        """The kinds of the pictures that are sampled."""
        return "PB" if self.pictures == "all" else self.pictures.upper()

    @property
    def kinds_named(self) -> str:
        """The same in words: "P or B"."""
        return " or ".join(self.kinds)

    @property
    def motion_limit(self) -> float:
        """In magnitude, what prepared motion is cut at."""
        return MOTION_LIMIT if self.velocity_limit is None else self.velocity_limit / self.velocity_unit

    def shape(self, source: str) -> Tuple[int, int, int]:
        """(channels, height, width) of one prepared input, a key of CHANNELS."""
        if source not in CHANNELS:
            raise unknown_name("input", source, CHANNELS)
        return CHANNELS[source], self.height, self.width


def _each_within(values: Tuple[float, float, float], low: float, high: float) -> Tuple[float, float, float]:
    # float32 has to hold what is divided by them.
    if not all(low <= value <= high for value in values):
        raise ValueError(f"each must lie between {low:g} and {high:g}")
    return values

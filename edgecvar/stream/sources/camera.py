"""How a camera that is encoded here is asked for: size, rate, GOP, in the query of its URI."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, Dict, Mapping, Tuple
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecvar.errors import ConfigError, unknown_name

_SIZE = "expected WIDTHxHEIGHT, even numbers from 16 to 4096, such as 640x360"


class CameraSettings(BaseModel):
    """`size` is (width, height), both even; `fps` pictures a second; I-pictures are `gop` apart, and between two P- or
    I-pictures stand `bframes` B-pictures, each of which makes whoever reads wait for a picture more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    size: Tuple[int, int] = (640, 480)
    fps: Fraction = Fraction(30)
    gop: int = Field(12, ge=1, le=300)
    bframes: int = Field(0, ge=0, le=4)

    @field_validator("size", mode="before")
    @classmethod
    def _parsed(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
        if found is None:
            raise ValueError(_SIZE)
        return int(found[1]), int(found[2])

    @field_validator("size")
    @classmethod
    def _even(cls, size: Tuple[int, int]) -> Tuple[int, int]:
        if not all(16 <= side <= 4096 and side % 2 == 0 for side in size):
            raise ValueError(_SIZE)
        return size

    @field_validator("fps", mode="before")
    @classmethod
    def _plausible(cls, text: Any) -> Fraction:
        try:
            fps = Fraction(text)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise ValueError("expected a number such as 15, or 30000/1001") from error
        if not 1 <= fps <= 240:
            raise ValueError("expected 1 to 240")
        return fps


def camera_settings(uri: str, **defaults: object) -> CameraSettings:
    """What the query of a URI asks for; raises ConfigError."""
    asked: Dict[str, str] = dict(parse_qsl(uri.partition("?")[2], keep_blank_values=True))
    for name in asked:
        if name not in CameraSettings.model_fields:
            raise unknown_name("setting", name, CameraSettings.model_fields, f" in {uri}")
    try:
        return CameraSettings.model_validate({**defaults, **asked})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{uri}: {first['loc'][0]}={_given(first, asked)}: {first['msg']}") from error


def camera_place(uri: str) -> str:
    """Which camera: the path or number behind the scheme."""
    return unquote(uri.partition("?")[0].partition("://")[2])


def _given(error: Mapping[str, object], asked: Mapping[str, str]) -> str:
    places = error["loc"]
    return asked.get(str(places[0]), "") if isinstance(places, tuple) else ""

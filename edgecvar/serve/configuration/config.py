"""The configuration of a service: sources, bundle, events, sinks, page."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import ConfigError
from edgecvar.run.event_settings import EventSettings
from edgecvar.runners.choice import RunnerChoice
from edgecvar.serve.log import Form
from edgecvar.sinks.clips.event_clips import ClipSettings
from edgecvar.sinks.clips.folder import duration, file_size
from edgecvar.stream.images.choice import Decoder
from edgecvar.stream.live import LATE
from edgecvar.stream.reader import Extraction
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT

MOST_SOURCES = 64
LONGEST_NAME = 64
SHORTEST_TOKEN = 16
"""Characters: of letters and digits these are some 90 bits."""
PORT = 8470


class SourceConfig(BaseModel):
    """`uri` and how it is run: see `edgecvar.run.model.RunSettings`. A text alone is the URI.

    `late`: seconds after a picture's arrival from which on fewer are sampled, and packets fall. `again`: whether a file
    begins anew at its end; it is played at its own speed, as a camera would send it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(min_length=1, max_length=4096)
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    top: int = Field(5, ge=1, le=1000)
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)
    extraction: Extraction = "auto"
    decoder: Decoder = "auto"
    late: float = Field(LATE, gt=0, le=LONGEST)
    again: bool = False

    @model_validator(mode="before")
    @classmethod
    def _text_is_uri(cls, value: Any) -> Any:
        return {"uri": value} if isinstance(value, str) else value


class PageConfig(BaseModel):
    """Where the page is: beyond loopback only with a `token`, and under no names but addresses and `names`.

    `add`: whether sources may be added there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    port: int = Field(PORT, ge=0, le=65535)
    token: Optional[SecretStr] = None
    names: Tuple[str, ...] = ()
    add: bool = True

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: Optional[SecretStr]) -> Optional[SecretStr]:
        if token is not None and len(token.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(
                f"expected {SHORTEST_TOKEN} characters or more that nobody guesses: what `openssl rand -hex 16` prints"
            )
        return token

    @model_validator(mode="after")
    def _guarded(self) -> PageConfig:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                "host is beyond loopback, and token is missing; give one (token: ${EDGECVAR_TOKEN}), or leave host out"
            )
        return self


class ClipsConfig(BaseModel):
    """The folder of clips, which an event is in with so many seconds `before` and `after` it, `longest` in all.

    Those that are older than `keep` (12h, 7d) are removed, and the oldest where all are larger than `size` (2GB).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    before: float = Field(2.0, ge=0, le=600)
    after: float = Field(2.0, ge=0, le=600)
    longest: float = Field(60.0, gt=0, le=3600)
    keep: Optional[float] = Field(None, gt=0)
    size: Optional[int] = Field(None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _text_is_folder(cls, value: Any) -> Any:
        return {"folder": value} if isinstance(value, str) else value

    @field_validator("keep", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return _read(duration, value)

    @field_validator("size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return _read(file_size, value)

    @property
    def settings(self) -> ClipSettings:
        return ClipSettings(
            clips=self.folder,
            clip_before=self.before,
            clip_after=self.after,
            clip_longest=self.longest,
            clips_keep=self.keep,
            clips_size=self.size,
        )


class ServeConfig(RunnerChoice):
    """What a service does. `sources` by name; `page: false` is none; `state`: where it keeps what is added on the page.

    `trust`: the keys of which one must have signed the bundle.
    `events`: how decisions become events; `clips`: where they are cut out of the streams; `to`: URIs of who is told.
    `log`: lines of key=value, or of JSON.
    """

    sources: Dict[str, SourceConfig] = Field(default_factory=dict, max_length=MOST_SOURCES)
    bundle: Optional[Path] = None
    trust: Optional[Path] = None
    events: EventSettings = Field(default_factory=EventSettings)
    clips: Optional[ClipsConfig] = None
    to: Tuple[str, ...] = ()
    page: Optional[PageConfig] = Field(default_factory=PageConfig)
    state: Optional[Path] = None
    log: Form = "plain"

    @field_validator("page", mode="before")
    @classmethod
    def _none_is_off(cls, value: Any) -> Any:
        if value is True:
            return {}
        return None if value is False else value

    @field_validator("to")
    @classmethod
    def _each_once(cls, to: Tuple[str, ...]) -> Tuple[str, ...]:
        if len(set(to)) < len(to):
            raise ValueError("one of them is given twice")
        return to

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: Dict[str, SourceConfig]) -> Dict[str, SourceConfig]:
        for name in sources:
            check_name(name)
        return sources


def check_name(name: str) -> str:
    """A source's name, as it is shown, logged, put into topics and file names; raises ValueError."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"a source's name has 1 to {LONGEST_NAME} characters")
    if not name.isprintable() or "/" in name or name.strip() != name or name.startswith("."):
        raise ValueError(f"{name!r} cannot be a source's name: no slash, no leading dot, no space at its ends")
    return name


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens at `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(read: Callable[[str], float], value: Any) -> Any:
    """A quantity with its unit as a number; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return read(value)
    except ConfigError as error:
        raise ValueError(str(error).partition(": ")[2] or str(error)) from error

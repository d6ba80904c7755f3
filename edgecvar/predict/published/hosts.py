"""What is beside the GPU on each device, by published figures: processor, video decoder, power."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.errors import unknown_name

HOSTS = Path(__file__).with_name("hosts.json")


class Host(BaseModel):
    """One device; None is what was not found.

    `ghz`: its highest clock. `score`: 7-Zip's benchmark on one thread, in MIPS, at `score_ghz`, of what `score_of`
    says; `estimated` where that is another device's core. Pixels a second are luma samples that the hardware decoder
    was published to decode of a codec, in streams of 1920 x 1080 at 60 where those are among `decode`. `watts`: least
    and most of what `watts_of` says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    core: str
    cores: int = Field(ge=1)
    ghz: float = Field(gt=0)
    score: Optional[float] = Field(gt=0)
    score_ghz: Optional[float] = Field(gt=0)
    score_of: str
    estimated: bool = False
    h264_pixels_per_second: Optional[int] = Field(gt=0)
    h265_pixels_per_second: Optional[int] = Field(gt=0)
    decode: str
    encoder: Optional[bool]
    watts: Optional[Tuple[float, float]]
    watts_of: str
    sources: List[str]

    @property
    def single_core(self) -> Optional[float]:
        """The score at the device's own highest clock, scaled in proportion; None without a score."""
        if self.score is None or self.score_ghz is None:
            return None
        return self.score * self.ghz / self.score_ghz


class Reference(BaseModel):
    """A core of another machine on the same benchmark, so that ratios can be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    core: str
    score: float = Field(gt=0)
    score_ghz: float = Field(gt=0)
    score_of: str
    source: str

    def at(self, ghz: float) -> float:
        """The score at another clock, scaled in proportion."""
        return self.score * ghz / self.score_ghz


class PublishedHosts(BaseModel):
    """All of it; `sources` by key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    sources: Dict[str, str]
    hosts: List[Host]
    references: List[Reference]

    def host(self, device: str) -> Host:
        """That of a device; ConfigError with the nearest name where there is none."""
        by_name = {host.device: host for host in self.hosts}
        if device not in by_name:
            raise unknown_name("published host", device, by_name)
        return by_name[device]

    def reference(self, name: str) -> Reference:
        """That of a name; ConfigError with the nearest one where there is none."""
        by_name = {reference.name: reference for reference in self.references}
        if name not in by_name:
            raise unknown_name("reference processor", name, by_name)
        return by_name[name]


@lru_cache(maxsize=1)
def published_hosts() -> PublishedHosts:
    """The data file, validated."""
    return PublishedHosts.model_validate(json.loads(HOSTS.read_text(encoding="utf-8")))

"""What each part of a reader's work takes on one core: nanoseconds a picture, a bit, a block, a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, FrozenSet, Mapping

from pydantic import BaseModel, ConfigDict

from edgecvar.clips.spec import InputSpec
from edgecvar.documents import MEBIBYTE, parse_json, read_text
from edgecvar.predict.host.counts import StreamCounts

REFERENCE = Path(__file__).parent / "reference.json"

PARTS = ("read", "parse", "trace", "prepare", "decode", "scale", "frame")
"""In the order of a picture's way.

"read": a packet and its headers, of every picture. "parse": what is in a P or B picture that is parsed. "trace": the
same followed back to its I-picture, beside parsing. "prepare": a sampled picture's inputs. "decode": an I-picture's
samples in software. "scale": an image out of samples. "frame": any picture decoded in software.
"""

Features = Dict[str, float]


class Reference(BaseModel):
    """Nanoseconds on one core of `processor`, by part and by what is counted.

    `errors`: by part, how far four of five measured times lay from what is predicted, as a factor. `how`: what was
    measured, in a sentence. `mips`: what 7-Zip's benchmark said of the same core beside it, on one thread, with which
    published scores of other cores are compared; 0 where it was not run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    how: str
    mips: float = 0.0
    nanoseconds: Dict[str, Dict[str, float]]
    errors: Dict[str, float]

    def ms(self, part: str, features: Mapping[str, float]) -> float:
        """Milliseconds that a part takes where so much is counted."""
        costs = self.nanoseconds[part]
        return sum(costs.get(name, 0.0) * count for name, count in features.items()) / 1e6


@lru_cache(maxsize=1)
def load_reference() -> Reference:
    """The core that came with the package; raises ValueError where its file is not sound."""
    return Reference.model_validate(parse_json(read_text(REFERENCE, MEBIBYTE)))


@dataclass(frozen=True)
class Wanted:
    """What a network is shown: its inputs' shape, and those that any stage takes (a key of CHANNELS each)."""

    spec: InputSpec
    sources: FrozenSet[str]


def bit_name(counts: StreamCounts) -> str:
    return "cabac bit" if counts.cabac else "cavlc bit"


def read_features(counts: StreamCounts) -> Features:
    """Of one picture of any kind."""
    return {"picture": 1, "macroblock": counts.macroblocks, "bit": counts.bits_each()}


def parse_features(counts: StreamCounts, kinds: str = "PB") -> Features:
    """Of one picture of these kinds; in a B-picture vectors of whole macroblocks are derived, not read."""
    share = counts.pictures.get("B", 0) / max(1, sum(counts.pictures.get(kind, 0) for kind in kinds))
    return {
        "picture": 1,
        "macroblock": counts.macroblocks,
        "b macroblock": counts.macroblocks * (share if "B" in kinds else 0.0),
        "moved block": 16 * counts.macroblocks * counts.moved,
        bit_name(counts): counts.bits_each(kinds),
    }


def trace_features(counts: StreamCounts, residual: bool) -> Features:
    """Of one P or B picture that others refer to."""
    blocks = 16 * counts.macroblocks
    features: Features = {"picture": 1, "block": blocks, "moved block": blocks * counts.moved}
    if residual:
        features.update({"residual pixel": counts.pixels, "coded pixel": counts.pixels * counts.coded})
    return features


def prepare_features(counts: StreamCounts, wanted: Wanted) -> Features:
    """Of one sampled picture; its own motion and residual are made of what is in them, traced ones of all blocks."""
    spec, sources = wanted.spec, wanted.sources
    elements, macroblocks = spec.height * spec.width, counts.macroblocks
    bits = counts.bits_each(spec.kinds)
    features: Features = {"picture": 1}
    if "motion" in sources and spec.accumulate:
        features.update({"traced motion element": elements, "traced block": 16 * macroblocks})
    elif "motion" in sources:
        features.update({"motion element": elements, "block": 16 * macroblocks})
        features.update({"moved block": 16 * macroblocks * counts.moved, "motion bit": bits})
    if "residual" in sources and spec.accumulate:
        features.update({"traced residual element": elements, "traced pixel": counts.pixels * counts.shown(spec)})
    elif "residual" in sources:
        features.update({"residual element": elements, "coded macroblock": macroblocks * counts.coded})
        features["residual bit"] = bits
    if "intra" in sources:
        features.update({"intra element": elements, "macroblock": macroblocks})
        features.update({"intra macroblock": macroblocks * counts.intra, "intra bit": bits})
    return features


def decode_features(counts: StreamCounts, kinds: str = "I") -> Features:
    """Of one picture of these kinds."""
    return {"picture": 1, "pixel": counts.pixels, bit_name(counts): counts.bits_each(kinds)}


def scale_features(counts: StreamCounts, spec: InputSpec) -> Features:
    """Of one picture that becomes an image."""
    return {"picture": 1, "pixel": counts.pixels * counts.shown(spec), "element": spec.height * spec.width}

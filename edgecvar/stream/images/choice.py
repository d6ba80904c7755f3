"""Which decoders of I-pictures may be tried, in which order."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Literal, Tuple, get_args

from edgecvar.stream.images.decoder import Device

Decoder = Literal["auto", "software", "gstreamer", "cuda"]
DECODERS: Tuple[str, ...] = get_args(Decoder)
"""What is chosen from; auto is hardware where there is some, else software."""


@dataclass(frozen=True)
class Candidate:
    """A decoder that may be here; `begin` gives its device, or raises DeviceError."""

    name: str
    begin: Callable[[], Device]


def candidates(decoder: str, codec: str = "h264") -> List[Candidate]:
    """Those of a codec to be tried, in order: of auto those alone that a device file speaks of; none of software.

    Nothing is loaded here.
    """
    found: List[Candidate] = []
    if decoder in ("auto", "gstreamer"):
        from edgecvar.stream.images import gstreamer

        elements = [element for element in gstreamer.HARDWARE[codec] if _any_here(element.nodes)]
        elements += [gstreamer.SOFTWARE[codec]] if decoder == "gstreamer" else []
        found += [Candidate(element.name, element.begin) for element in elements]
    if decoder in ("auto", "cuda"):
        from edgecvar.stream.images import cuda

        if decoder == "cuda" or _any_here(cuda.NODES):
            found.append(Candidate("cuda", partial(cuda.CudaDevice, codec)))
    return found


def _any_here(patterns: Tuple[str, ...]) -> bool:
    return any(glob.glob(pattern) for pattern in patterns)

"""A device's processor and decoder, from published figures, as the reader's work is scaled to them."""

from __future__ import annotations

from typing import List, Optional, Tuple

from edgecvar.predict.host.cost import load_reference
from edgecvar.predict.host.scale import Host
from edgecvar.predict.published.hosts import Host as Published
from edgecvar.predict.published.hosts import PublishedHosts, published_hosts

STAND_IN = "agx-orin"
"""Whose core stands for one that no score was found of, clock for clock."""
H264_OF_H265 = 0.45
"""What a decoder does of H.264 where only its rate of H.265 was found: Xavier NX has both."""


def host_of(device: str, codec: str = "h264") -> Tuple[Host, List[str]]:
    """The host beside the GPU of a device, its decoder as fast as of a codec, and in sentences what had to be assumed.

    Raises ConfigError.
    """
    hosts = published_hosts()
    found = hosts.host(device)
    score, notes = _score(found, hosts)
    if codec == "hevc":
        return Host(found.cores, score / load_reference().mips, found.h265_pixels_per_second), notes
    rate: Optional[float] = found.h264_pixels_per_second
    if rate is None and found.h265_pixels_per_second is not None:
        rate = H264_OF_H265 * found.h265_pixels_per_second
        notes.append(f"its decoder's rate for H.264 was not found: {H264_OF_H265:g} of that for H.265 was taken")
    return Host(found.cores, score / load_reference().mips, rate), notes


def watts_of(device: str) -> Tuple[Optional[float], Optional[float], str]:
    """Least and most published watts of the module, and of what they are; None where none were found."""
    found = published_hosts().host(device)
    low, high = found.watts or (None, None)
    return low, high, found.watts_of


def _score(found: Published, hosts: PublishedHosts) -> Tuple[float, List[str]]:
    if found.single_core is not None:
        return found.single_core, [
            "no score of its processor was found: that of the same kind of core in another device was taken"
        ] if found.estimated else []
    other = hosts.host(STAND_IN)
    assert other.single_core is not None
    return other.single_core * found.ghz / other.ghz, [
        f"no score of its processor was found: that of {STAND_IN} was taken, clock for clock"
    ]

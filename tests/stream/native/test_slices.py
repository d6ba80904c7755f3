"""Slices of a picture in any order (arbitrary slice order of the Baseline profile): each is parsed on its own."""

from __future__ import annotations

import io
import re
from typing import Callable, List

import av
import numpy as np
import pytest

from edgecvar.stream.native import _core

SLICES = 4


def coded_packets(entropy: str) -> List[bytes]:
    """Annex B packets of a moving texture, each picture in SLICES slices."""
    rng = np.random.default_rng(3)
    ground = rng.integers(0, 255, (200, 200, 3)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    with av.open(io.BytesIO(), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 128, "yuv420p"
        stream.options = {"x264-params": f"slices={SLICES}:bframes=0:keyint=250:scenecut=0:qp=26:threads=1:{entropy}"}
        packets = []
        for index in range(6):
            view = ground[3 * index : 3 * index + 128, 5 * index : 5 * index + 96]
            packets += [bytes(packet) for packet in stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24"))]
        return packets + [bytes(packet) for packet in stream.encode(None)]


def reordered(packet: bytes, order: Callable[[List[bytes]], List[bytes]]) -> bytes:
    """The packet with its slices in another order, other units where they were."""
    starts = [match.start() for match in re.finditer(b"\0\0\1", packet)]
    units = [packet[a + 3 : b].rstrip(b"\0") for a, b in zip(starts, [*starts[1:], len(packet)])]
    slices = [unit for unit in units if unit[0] & 31 in (1, 5)]
    assert len(slices) == SLICES
    return b"".join(b"\0\0\1" + unit for unit in [u for u in units if u not in slices] + order(slices))


@pytest.mark.parametrize("entropy", ["cabac=0", "cabac=1"])
@pytest.mark.parametrize("order", [lambda s: s[::-1], lambda s: [s[2], s[0], s[3], s[1]]], ids=["backwards", "mixed"])
def test_slices_in_any_order_give_the_same_picture(entropy: str, order: Callable[[List[bytes]], List[bytes]]) -> None:
    whole, mixed = _core.Parser("h264", b""), _core.Parser("h264", b"")
    inter = 0
    for number, packet in enumerate(coded_packets(entropy)):
        (first,) = whole.parse(packet, number)
        (second,) = mixed.parse(reordered(packet, order), number)
        first.display_index = second.display_index = number
        assert (first.kind, first.poc, first.exact) == (second.kind, second.poc, second.exact)
        assert not second.damaged_slices and not second.concealed_macroblocks
        if first.kind != "I":
            inter += 1
            for mine, other in zip([*first.motion(), *first.residual()], [*second.motion(), *second.residual()]):
                assert np.array_equal(mine, other)
    assert inter >= 4

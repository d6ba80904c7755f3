"""Damaged slices: whatever the native core still calls exact is what the whole stream gives."""

from __future__ import annotations

import io
from typing import List, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.native import _core

SIZE = (48, 64)


def coded_packets(cabac: int) -> List[bytes]:
    """Annex B packets of a small noisy clip: an IDR picture and P pictures."""
    rng = np.random.default_rng(1)
    height, width = SIZE
    ground = rng.integers(0, 255, (height + 64, width + 64, 3))
    with av.open(io.BytesIO(), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {
            "x264-params": f"cabac={cabac}:bframes=0:keyint=250:scenecut=0:qp=24:threads=1:weightp=0:ref=1"
        }
        packets = []
        for index in range(6):
            moved = ground[2 * index : 2 * index + height, 3 * index : 3 * index + width]
            noisy = (moved + rng.integers(-40, 41, moved.shape)).clip(0, 255).astype(np.uint8)
            packets += [bytes(packet) for packet in stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24"))]
        packets += [bytes(packet) for packet in stream.encode(None)]
    return packets


def parse_last(packets: List[bytes]) -> Tuple[_core.Picture, List[np.ndarray]]:
    """The last packet's picture and what it holds."""
    parser = _core.Parser("h264", b"")
    for number, packet in enumerate(packets):
        for picture in parser.parse(packet, number):
            picture.display_index = number
    return picture, [*picture.motion(), *picture.residual()]


@pytest.mark.parametrize("cabac", [0, 1])
def test_a_slice_that_is_cut_is_exact_only_where_nothing_is_missing(cabac: int) -> None:
    packets = coded_packets(cabac)
    damaged = 0
    for index in range(1, len(packets)):
        _, whole = parse_last(packets[: index + 1])
        for cut in range(1, 25):
            picture, arrays = parse_last([*packets[:index], packets[index][:-cut]])
            same = all(np.array_equal(a, b) for a, b in zip(arrays, whole))
            assert same or (not picture.exact and picture.damaged_slices)
            damaged += not same
    assert damaged > 50


def test_a_flipped_bit_that_is_noticed_is_not_called_exact() -> None:
    packets = coded_packets(cabac=1)
    rng = np.random.default_rng(2)
    noticed = 0
    for _ in range(300):
        index = int(rng.integers(1, len(packets)))
        broken = bytearray(packets[index])
        at = int(rng.integers(12, len(broken)))
        broken[at] ^= 1 << int(rng.integers(8))
        picture, _ = parse_last([*packets[:index], bytes(broken)])
        if picture.damaged_slices or picture.concealed_macroblocks:
            noticed += 1
            assert not picture.exact
            assert picture.damaged_slices
    assert noticed > 200

"""Small x264 streams of every coding tool, for the fuzzer and the digests: `python make_seeds.py FOLDER`."""

from __future__ import annotations

import io
import re
import struct
import sys
from fractions import Fraction
from pathlib import Path
from typing import Dict, Iterator, Tuple

import av
import numpy as np
from numpy.typing import NDArray

SEEDS: Dict[str, Tuple[str, str]] = {
    "baseline_cavlc": ("baseline", "ref=2:partitions=all:subme=7"),
    "baseline_slices": ("baseline", "slices=3:ref=1"),
    "main_cavlc_b": ("main", "cabac=0:bframes=2:direct=spatial:ref=3:partitions=all"),
    "main_cabac_temporal": ("main", "bframes=3:b-pyramid=strict:direct=temporal:ref=4:partitions=all:subme=7"),
    "main_cabac_spatial": ("main", "bframes=2:direct=spatial:weightb=1:ref=2:slices=2"),
    "high_8x8dct": ("high", "8x8dct=1:bframes=1:ref=2:partitions=all:subme=7"),
    "high_cavlc_8x8dct": ("high", "cabac=0:8x8dct=1:bframes=1:partitions=all"),
    "high_weighted": ("high", "weightp=2:bframes=1:weightb=1:ref=3"),
    "high_scaling": ("high", "cqm=jvt:8x8dct=1:bframes=1"),
    "high_intra_refresh": ("high", "intra-refresh=1:bframes=0:constrained-intra=1"),
    "high_open_gop": ("high", "open-gop=1:keyint=4:bframes=2:aud=1:nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500"),
    "lossless": ("high444", "qp=0:bframes=1:8x8dct=1"),
    "interlaced": ("main", "interlaced=1:bframes=1"),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (profile, settings) in SEEDS.items():
        stream, _ = encoded("h264", profile, settings)
        (folder / f"{name}.h264").write_bytes(without_advertisement(b"".join(stream)))
    for name in ("baseline_cavlc", "main_cabac_temporal"):
        packets, extradata = encoded("mp4", *SEEDS[name])
        blocks = b"".join(struct.pack(">H", len(block)) + block for block in (extradata, *packets))
        (folder / f"{name}.avcc").write_bytes(b"\1" + blocks)


def without_advertisement(stream: bytes) -> bytes:
    """An Annex B stream without the user data SEI message in which x264 names itself: it is half of a small stream."""
    return re.sub(rb"\x00\x00\x01\x06\x05.*?(?=\x00\x00\x01)", b"", stream, flags=re.DOTALL)


def encoded(container: str, profile: str, settings: str, pictures: int = 8) -> Tuple[Tuple[bytes, ...], bytes]:
    """The packets and the extradata of one stream of 48 x 32 samples; Annex B in "h264", lengths in "mp4"."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        parameters = f"threads=1:lookahead-threads=1:scenecut=0:b-adapt=0:{settings}"
        stream.options = {"profile": profile, "preset": "medium", "crf": "30", "x264-params": parameters}
        for image in images(pictures):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, format=container) as source:
        extradata = source.streams.video[0].codec_context.extradata or b""
        return tuple(bytes(packet) for packet in source.demux(video=0) if packet.size), extradata


def images(pictures: int) -> Iterator[NDArray[np.uint8]]:
    """A texture (32, 48, 3) that moves in two parts, gets brighter, and starts to flicker in one corner."""
    random = np.random.default_rng(1)
    texture = random.integers(0, 255, (64, 96, 3)).astype(np.float32)
    for axis in (0, 0, 1, 1):
        texture = (texture + np.roll(texture, 1, axis) + np.roll(texture, -1, axis)) / 3
    for index in range(pictures):
        image = np.roll(texture, (index, 2 * index), (0, 1))[:32, :48]
        image[16:, 20:] = np.roll(texture, (-index, index), (0, 1))[:16, :28]
        image = image * (0.7 + 0.05 * index)
        image[:8, :8] += random.integers(0, 20 * index + 1, (8, 8, 1))
        yield image.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

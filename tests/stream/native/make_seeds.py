"""Small streams of every coding tool, for fuzzer and digests: `python -m tests.stream.native.make_seeds FOLDER`."""

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

from tests.stream.native.hevc import cut_pictures

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

HEVC_SEEDS: Dict[str, Tuple[str, str]] = {
    "p_amp": ("yuv420p", "bframes=0:ref=3:rect=1:amp=1:rd=5"),
    "b_amp_trees": ("yuv420p", "bframes=3:ref=3:rect=1:amp=1:rd=5:tu-inter-depth=3:tu-intra-depth=3"),
    "rows": ("yuv420p", "wpp=1:bframes=1"),
    "slices": ("yuv420p", "wpp=1:slices=2:bframes=1"),
    "open_gop": ("yuv420p", "open-gop=1:keyint=4:min-keyint=1:bframes=2:aud=1:hrd=1:vbv-maxrate=500:vbv-bufsize=500"),
    "radl": ("yuv420p", "open-gop=0:radl=2:keyint=5:min-keyint=5:bframes=2"),
    "weighted": ("yuv420p", "weightp=1:weightb=1:bframes=1:ref=3"),
    "scaling_lists": ("yuv420p", "scaling-list=default:bframes=1"),
    "lossless": ("yuv420p", "lossless=1:bframes=1"),
    "lossless_blocks": ("yuv420p", "cu-lossless=1:tskip=1:rd=5:crf=8:bframes=1"),
    "qp_deltas": ("yuv420p", "ctu=32:max-tu-size=32:qg-size=16:aq-mode=3:tskip=1:rd=4:bframes=1"),
    "chroma_qps": ("yuv420p", "cbqpoffs=-5:crqpoffs=6:bframes=1"),
    "intra_refresh": ("yuv420p", "intra-refresh=1:bframes=0:constrained-intra=1"),
    "temporal_layers": ("yuv420p", "temporal-layers=3:bframes=3:b-pyramid=1"),
    "few_candidates": ("yuv420p", "max-merge=1:no-temporal-mvp=1:no-signhide=1:bframes=1"),
    "small_transforms": ("yuv420p", "max-tu-size=8:tu-inter-depth=3:bframes=1"),
    "large_blocks": ("yuv420p", "ctu=32:max-tu-size=32:min-cu-size=16:bframes=1"),
    "ten_bits": ("yuv420p10le", "bframes=2:ref=2:weightp=1"),
    "grey": ("gray", "bframes=1"),
    "grey_ten_bits": ("gray10le", "bframes=1:tskip=1"),
    "refused_422": ("yuv422p", "bframes=1"),
    "refused_12_bits": ("yuv420p12le", "bframes=1"),
}
"""Pixel format and parameters; what is not refused for its chroma or depth is parsed."""

HEVC_PARAMETERS = "log-level=error:pools=1:frame-threads=1:info=0:repeat-headers=1:scenecut=0:b-adapt=0:wpp=0:crf=24"
# With the two quantisers of x265 that look at 8x8 blocks, CTUs of 16x16 overrun its memory.
HEVC_PARAMETERS += ":ctu=16:max-tu-size=16:aq-mode=0:cutree=0"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (profile, settings) in SEEDS.items():
        stream, _ = encoded("h264", profile, settings)
        (folder / f"{name}.h264").write_bytes(without_advertisement(b"".join(stream)))
    for name in ("baseline_cavlc", "main_cabac_temporal"):
        packets, extradata = encoded("mp4", *SEEDS[name])
        (folder / f"{name}.avcc").write_bytes(b"\1" + _blocks(extradata, *packets))
    for name, (pixels, settings) in HEVC_SEEDS.items():
        stream, _ = encoded_hevc("hevc", pixels, settings)
        (folder / f"{name}.h265").write_bytes(b"\x80" + b"".join(stream))
    for name, cut in cut_pictures.CUTS.items():
        (folder / f"{name}.h265").write_bytes(
            b"\x80" + cut_pictures.stream(cut, first=1)
        )  # the IDR picture's samples are long
    for name in ("b_amp_trees", "open_gop"):
        packets, extradata = encoded_hevc("mp4", *HEVC_SEEDS[name])
        (folder / f"{name}.hvcc").write_bytes(b"\x81" + _blocks(extradata, *packets))


def _blocks(*blocks: bytes) -> bytes:
    return b"".join(struct.pack(">H", len(block)) + block for block in blocks)


def without_advertisement(stream: bytes) -> bytes:
    """An Annex B stream without the user data SEI message in which x264 names itself: it is half of a small stream."""
    return re.sub(rb"\x00\x00\x01\x06\x05.*?(?=\x00\x00\x01)", b"", stream, flags=re.DOTALL)


def encoded(container: str, profile: str, settings: str, pictures: int = 8) -> Tuple[Tuple[bytes, ...], bytes]:
    """The packets and the extradata of one stream of 48 x 32 samples; Annex B in "h264", lengths in "mp4"."""
    parameters = f"threads=1:lookahead-threads=1:scenecut=0:b-adapt=0:{settings}"
    options = {"profile": profile, "preset": "medium", "crf": "30", "x264-params": parameters}
    return _encoded(container, "libx264", "yuv420p", options, pictures)


def encoded_hevc(container: str, pixels: str, settings: str, pictures: int = 8) -> Tuple[Tuple[bytes, ...], bytes]:
    """The packets and the extradata of one stream of 48 x 32 samples; Annex B in "hevc", lengths in "mp4"."""
    options = {"preset": "medium", "x265-params": f"{HEVC_PARAMETERS}:{settings}"}
    return _encoded(container, "libx265", pixels, options, pictures)


def _encoded(
    container: str, encoder: str, pixels: str, options: Dict[str, str], pictures: int
) -> Tuple[Tuple[bytes, ...], bytes]:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 48, 32, pixels
        stream.options = options
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

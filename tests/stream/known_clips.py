"""Clips whose motion and coding are known: rendered here, encoded by x264 and libavcodec through PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import av
import numpy as np

DECODER = {"flags2": "+export_mvs", "skip_loop_filter": "nointra", "apply_cropping": "0"}
ONE_REFERENCE = "ref=1:weightp=0:weightb=0:b-pyramid=none:scenecut=0:b-adapt=0:keyint=12:min-keyint=12"

X265 = "pools=none:frame-threads=1:no-info=1:log-level=none"
"""With several slices `pools=1` goes after it: without a pool x265 then writes where it may not."""


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Noise smoothed over 9 x 9 pixels around 128, float64 (height, width): structure that vectors can follow."""
    noise = np.random.RandomState(seed).randn(height + 8, width + 8)
    noise = sum(noise[shift : shift + height] for shift in range(9))
    noise = sum(noise[:, shift : shift + width] for shift in range(9))
    return 128 + 40 * noise / noise.std()


def translation(
    count: int, size: Tuple[int, int], per_picture: Tuple[float, float], seed: int = 0, patch: bool = False
) -> List[np.ndarray]:
    """RGB pictures of a texture moving by `per_picture` (x, y) pixels; `patch` adds a square on its own way."""
    height, width = size
    margin = 8 + int(count * max(abs(per_picture[0]), abs(per_picture[1])))
    plane = texture(height + 2 * margin, width + 2 * margin, seed)
    pictures = []
    for index in range(count):
        x, y = margin - index * per_picture[0], margin - index * per_picture[1]
        left, top = int(np.floor(x)), int(np.floor(y))
        right, down = x - left, y - top
        part = plane[top : top + height + 1, left : left + width + 1]
        view = (1 - down) * ((1 - right) * part[:-1, :-1] + right * part[:-1, 1:])
        view = view + down * ((1 - right) * part[1:, :-1] + right * part[1:, 1:])
        if patch:
            side, at = height // 3, (3 * index) % (width - height // 3)
            view[side : 2 * side, at : at + side] = texture(side, side, seed + 1)
        grey = np.clip(view, 0, 255).astype(np.uint8)
        pictures.append(np.stack([grey, np.roll(grey, 3, 1), 255 - grey], axis=-1))
    return pictures


def encode(
    path: Path,
    pictures: List[np.ndarray],
    codec: str = "libx264",
    options: Optional[Mapping[str, str]] = None,
    b_pictures: int = 0,
    quantiser: Optional[int] = None,
    times: Optional[List[int]] = None,
    pixel_format: str = "yuv420p",
) -> Path:
    """Writes a video of 25 pictures a second; `times` gives each picture's time in 25ths instead."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.thread_count = 12, b_pictures, 1
        context.time_base = Fraction(1, 25)
        context.options = dict(options or {})
        if quantiser is not None:
            context.options = {**context.options, "qmin": str(quantiser), "qmax": str(quantiser)}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index if times is None else times[index]
            frame.time_base = Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode_x264(path: Path, pictures: List[np.ndarray], quantiser: int, b_pictures: int = 0, extra: str = "") -> Path:
    """One reference, no weights, GOPs of 12, constant quantiser; `extra` adds x264 parameters."""
    parameters = f"{ONE_REFERENCE}:qp={quantiser}" + (f":{extra}" if extra else "")
    return encode(path, pictures, "libx264", {"x264-params": parameters}, b_pictures)


def encode_x265(path: Path, pictures: List[np.ndarray], quantiser: int, b_pictures: int = 0, extra: str = "") -> Path:
    """The same of HEVC; `extra` adds x265 parameters."""
    parameters = f"{ONE_REFERENCE.replace('none', '0')}:open-gop=0:{X265}:qp={quantiser}"
    return encode(path, pictures, "libx265", {"x265-params": f"{parameters}:{extra}".rstrip(":")}, b_pictures)


def stream_like(container: Any, template: Any) -> Any:
    """A stream of a container that is written, for the packets of `template`; PyAV 12 asks for it in another way."""
    add = getattr(container, "add_stream_from_template", lambda like: container.add_stream(template=like))
    return add(template)


def decoded_planes(path: Path) -> Dict[int, Tuple[np.ndarray, ...]]:
    """By display index, the planes over the coded size, uint16 above 8 bits: a decode of the test's own."""
    found = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = dict(DECODER)
        stream.codec_context.thread_count = 1
        for index, frame in enumerate(container.decode(stream)):
            found[index] = frame_planes(frame)
    return found


def frame_planes(frame: av.VideoFrame) -> Tuple[np.ndarray, ...]:
    """The samples of a frame, uint16 above 8 bits."""
    planes = []
    for plane in frame.planes:
        samples = np.dtype(np.uint16 if frame.format.name.endswith("le") else np.uint8)
        whole = np.frombuffer(bytes(plane), samples).reshape(-1, plane.line_size // samples.itemsize)
        planes.append(whole[: plane.height, : plane.width].copy())
    return tuple(planes)

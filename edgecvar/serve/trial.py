"""A source tried out: what it is, and what it gives in some seconds."""

from __future__ import annotations

import base64
import time
from typing import Any, Dict, List

from edgecvar.errors import EdgecvarError
from edgecvar.serve.view import jpeg_of
from edgecvar.stream.reader import Stream, open_stream
from edgecvar.stream.types import CodedPicture

SECONDS = 6.0
MOST_PICTURES = 300
TIMEOUT = 5.0
LONG_GOP = 5.0
"""Seconds between I-pictures, above which one who begins to look waits long."""


def try_source(uri: str) -> Dict[str, Any]:
    """As plain data: codec, size, rate, GOP, advice, a JPEG in base 64; raises StreamError where it gives nothing."""
    if not uri:
        raise EdgecvarError("the source is empty; give a URL such as rtsp://camera.local/stream, or a file's path")
    with open_stream(uri, timeout=TIMEOUT, on_demand=True) as stream:
        return _looked_at(stream)


def _looked_at(stream: Stream) -> Dict[str, Any]:
    kinds: List[str] = []
    keys: List[CodedPicture] = []
    end = time.monotonic() + SECONDS
    for picture in stream:
        kinds.append(picture.kind)
        if picture.has_image:
            keys.append(picture)
        if len(kinds) >= MOST_PICTURES or time.monotonic() > end or len(keys) == 3:
            break
    info = stream.info
    gop = keys[-1].decode_index - keys[-2].decode_index if len(keys) > 1 else None
    jpeg = jpeg_of(keys[0], info.rotation) if keys else None
    return {
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "fps": round(float(info.fps), 2),
        "b_pictures": "B" in kinds,
        "gop": gop,
        "pictures": len(kinds),
        "advice": _advice(stream, kinds, gop, bool(keys)),
        "jpeg": None if jpeg is None else base64.b64encode(jpeg).decode(),
    }


def _advice(stream: Stream, kinds: List[str], gop: Any, key: bool) -> List[str]:
    """What to change in a camera's settings."""
    info, advice = stream.info, []
    if info.extraction != "native":
        advice.append(f"decoded whole, which costs much more: {info.extraction_note or 'set the camera to H.264'}")
    if "B" in kinds:
        advice.append("B-pictures delay decisions: choose the baseline profile, or no B-pictures")
    if not key:
        advice.append("no I-picture came: nothing is decided before the first; set a shorter GOP (I-frame interval)")
    elif gop is not None and gop / float(info.fps) > LONG_GOP:
        advice.append(f"an I-picture every {gop / float(info.fps):.0f} s: 1 to 2 s starts sooner after a break")
    return advice

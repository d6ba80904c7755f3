"""A source tried out for whoever is about to add it."""

from __future__ import annotations

import base64
from typing import Any, Dict, List

from edgecvar.errors import EdgecvarError
from edgecvar.serve.page.view import jpeg_of
from edgecvar.stream.live.trial import try_source
from edgecvar.stream.types import CodedPicture

SECONDS = 3.0
TIMEOUT = 5.0


def look_at(uri: str) -> Dict[str, Any]:
    """As plain data: codec, size, rate, GOP, what to change, a JPEG in base 64; raises EdgecvarError."""
    if not uri:
        raise EdgecvarError("the source is empty; give a URL such as rtsp://camera.local/stream, or a file's path")
    first: List[CodedPicture] = []

    def see(picture: CodedPicture) -> None:
        if picture.has_image and not first:
            first.append(picture)

    trial = try_source(uri, SECONDS, TIMEOUT, see)
    jpeg = jpeg_of(first[0], trial.info.rotation) if first else None
    return {
        "codec": trial.info.codec,
        "width": trial.info.width,
        "height": trial.info.height,
        "rate": round(trial.rate, 2),
        "b_pictures": trial.b_pictures,
        "gop": trial.gop,
        "note": trial.note,
        "changes": list(trial.changes),
        "jpeg": None if jpeg is None else base64.b64encode(jpeg).decode(),
    }

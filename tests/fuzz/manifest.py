"""Any bytes as a bundle's manifest: what opens can be described, the rest is refused in one line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Dict

from edgecvar.bundle.manifest import MANIFEST, open_bundle, sealed
from edgecvar.errors import EdgecvarError
from tests.fuzz.documents import bundle, folder, mutated, one_line
from tests.tiny_bundle import tiny_clip_bundle

mutate = mutated


@lru_cache(maxsize=None)
def seeds() -> Dict[str, bytes]:
    """Of a bundle of pictures and of one of clips."""
    roots = bundle(), tiny_clip_bundle(folder(), segments=3)
    return {root.name: (root / MANIFEST).read_bytes() for root in roots}


def check(data: bytes) -> None:
    """As it is, and with the seal that its writer would have given it: what opens can be described."""
    text = data.decode("utf-8", "replace")
    resealed = sealed(re.sub(r'"seal": "[^"]*"', '"seal": ""', text)).encode("utf-8", "replace")
    for document in (data, resealed):
        (bundle() / MANIFEST).write_bytes(document)
        try:
            opened = open_bundle(bundle())
            repr(opened)
            opened.manifest.model_dump_json()
            for precision in opened.precisions:
                opened.stage_file(opened.manifest.stages[-1].name, precision)
        except EdgecvarError as error:
            one_line(error)

"""Any bytes as the index of a folder of engines: no engine is read but one that was written."""

from __future__ import annotations

import json
from typing import Dict

from edgecvar.bundle.engines import ENGINES, INDEX, FolderIndex, read_engine, why_build
from edgecvar.errors import EdgecvarError
from tests.fuzz.documents import KEY, ONNX, bundle, mutated, one_line

mutate = mutated


def seeds() -> Dict[str, bytes]:
    """Of engines and of timings."""
    return {file.parent.name: file.read_bytes() for file in bundle().glob(f"engines/*/{INDEX}")}


def check(data: bytes) -> None:
    """As it is, and sealed where it can be: whatever is found, an engine that is read is the one that was written."""
    for document in (data, _resealed(data)):
        root = bundle() / ENGINES / KEY.folder
        (root / INDEX).write_bytes(document)
        try:
            why_build(bundle(), KEY, ONNX)
            _, engine = read_engine(bundle(), KEY, "motion", ONNX["motion"])
            assert engine in {file.read_bytes() for file in root.iterdir()}
        except EdgecvarError as error:
            one_line(error)


def _resealed(data: bytes) -> bytes:
    try:
        return FolderIndex.model_validate(json.loads(data)).sealed().text.encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data

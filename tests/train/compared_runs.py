"""Two run folders compared bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import torch

from edgecvar.train.history import read_records


def differing(one: Any, other: Any, place: str = "") -> List[str]:
    """Where two checkpoints differ, tensors compared bit for bit."""
    if isinstance(one, torch.Tensor):
        equal = one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
        return [] if equal else [place]
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [found for key in one for found in differing(one[key], other[key], f"{place}.{key}")]
    if isinstance(one, list):
        assert len(one) == len(other)
        return [found for key, pair in enumerate(zip(one, other)) for found in differing(*pair, f"{place}.{key}")]
    return [] if one == other else [place]


def untimed(folder: Path) -> List[Dict[str, Any]]:
    """The history without what the clock says."""
    return [record.model_dump(exclude={"seconds", "waiting"}) for record in read_records(folder)]


def assert_same_runs(one: Path, other: Path) -> None:
    """Both checkpoints and the history are the same but for times."""
    for name in ("last.pt", "best.pt"):
        documents = [torch.load(folder / name, weights_only=True) for folder in (one, other)]
        for document in documents:
            for timed in ("seconds", "waiting"):
                ((document["training"] or {}).get("best") or {}).pop(timed, None)
        assert differing(*documents) == []
        assert len(documents[0]["state"]) > 100
    assert untimed(one) == untimed(other)

"""Two run folders compared bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import torch

from edgecvar.train.history import read_records
from edgecvar.train.loop import resume_run, start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe


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


def assert_resumed_run_is_the_same(recipe: Recipe, root: Path) -> Path:
    """A run in one go against one that is halted after an epoch and resumed, below `root`; the folder of the first."""
    straight = start_run(recipe, root / "straight", Listener())
    straight.fit()
    halted = start_run(recipe, root / "halted", Listener())
    halted.fit(until=1)
    resume_run(halted.folder, [], Listener()).fit()
    assert_same_runs(straight.folder, halted.folder)
    return straight.folder

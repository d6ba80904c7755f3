"""A checkpoint of a tiny network that nobody trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from edgecvar.clips.spec import InputSpec
from edgecvar.nets.catalog import build_network
from edgecvar.train.checkpoint import Checkpoint, save_checkpoint

INPUT = InputSpec(height=48, width=64, stride=4, crop=1.0)
NETWORK: Dict[str, Any] = {"backbone": {"width": 0.1, "depth": 0.1}, "dim": 8}


def saved_checkpoint(path: Path, data: Path) -> Path:
    """A checkpoint of a tiny MV network, trained on `data` if one believes it."""
    network = build_network("attp", {**NETWORK, "fusion": "mv"}, INPUT, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(
        model="attp",
        network={**NETWORK, "fusion": "mv"},
        input=INPUT,
        labels=["left", "right"],
        state=network.state_dict(),
        recipe=f"model: attp\ndata: {data}\n",
        data=str(data),
    )
    save_checkpoint(path, checkpoint)
    return path

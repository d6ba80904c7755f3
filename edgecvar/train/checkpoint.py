"""Checkpoints in run folders: written whole, read without unpickling anything but tensors and plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

import torch
from pydantic import ValidationError
from torch import Tensor

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, reason
from edgecvar.files import whole_file
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network

SCHEMA = 1
LAST, BEST = "last.pt", "best.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A network with all that is needed to build it, and, in last.pt alone, what training needs to go on.

    `state` is the network's state dict. `recipe` is the resolved recipe as YAML, `data` what it was trained on.
    """

    model: str
    network: Dict[str, Any]
    input: InputSpec
    labels: List[str]
    state: Dict[str, Tensor]
    recipe: str
    data: Optional[str] = None
    training: Optional[Dict[str, Any]] = None

    def build(self) -> Network:
        """The network with these weights, in eval mode; raises ConfigError when they do not fit it."""
        network = build_network(self.model, self.network, self.input, len(self.labels))
        try:
            network.load_state_dict(self.state)
        except (AttributeError, RuntimeError, TypeError) as error:
            raise ConfigError(f"weights do not fit {self.model}: {reason(error)}") from error
        return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, so that a reader never sees half of one; raises OSError, which names it."""
    document = {
        "schema": SCHEMA,
        "model": checkpoint.model,
        "network": dict(checkpoint.network),
        "input": checkpoint.input.model_dump(mode="json"),
        "labels": list(checkpoint.labels),
        "state": dict(checkpoint.state),
        "training": checkpoint.training,
        "recipe": checkpoint.recipe,
        "data": checkpoint.data,
    }
    with whole_file(path) as draft, draft.open("wb") as file:  # of a path torch would write its name into the file
        try:
            torch.save(document, file)
        except RuntimeError as error:  # of torch's writer, where closing hides what went wrong before
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint to the CPU; raises ConfigError when there is none or it is something else."""
    document = load_tensors(path)
    if document.get("schema") != SCHEMA:
        got = document.get("schema", "none")
        raise ConfigError(f"{path}: not a checkpoint of schema {SCHEMA} (got {got}); train again, or pass another file")
    try:
        return Checkpoint(
            model=str(document["model"]),
            network=dict(document["network"]),
            input=InputSpec.model_validate(document["input"]),
            labels=[str(label) for label in document["labels"]],
            state=dict(document["state"]),
            recipe=str(document["recipe"]),
            data=document["data"],
            training=None if document["training"] is None else dict(document["training"]),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise ConfigError(f"{path}: a checkpoint with a part missing or wrong: {reason(error)}") from error


def load_tensors(path: Path) -> Mapping[str, Any]:
    """The mapping in a torch file, tensors and plain values only; raises ConfigError."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; `edgecvar train` writes {BEST} and {LAST} into its run folder")
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted unpickler meets a foreign file with whatever it trips over
        raise ConfigError(f"{path}: not a torch file of plain tensors; a checkpoint of `edgecvar train` is") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of names to tensors, got {type(document).__name__}")
    return document


def run_names(folder: Path) -> Iterator[Path]:
    """FOLDER/<YYYYmmdd-HHMMSS>, and what the next runs of the same second are called."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    yield folder / stamp
    yield from (folder / f"{stamp}-{number}" for number in range(2, 1000))


def newest_run(model: str, root: Path = Path("runs")) -> Path:
    """The newest run folder of a model that has a best.pt; raises ConfigError when there is none."""
    runs = sorted(best.parent for best in (root / model).glob(f"*/{BEST}"))
    if not runs:
        raise ConfigError(
            f"{root / model}: no trained run of {model!r}; train one with `edgecvar train recipes/synth/{model}.yaml`"
        )
    return runs[-1]

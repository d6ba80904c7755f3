"""The processes that train one run together: which of them this is, and what they have to tell each other.

Here is the one that trains by itself, in full precision; edgecvar.train.together.joined has those that are several.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence, TypeVar

import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError, need_extra
from edgecvar.train.parts import Machine
from edgecvar.train.progress import Listener

Value = TypeVar("Value")


class Processes:
    """One process by itself; of several, this one is number `rank` of `count`. The first writes and says everything."""

    def __init__(self, device: torch.device, rank: int = 0, count: int = 1) -> None:
        self.device, self.rank, self.count = device, rank, count

    def __deepcopy__(self, memo: Dict[int, Any]) -> Processes:
        return self  # a copy of a network is of the same processes

    @property
    def first(self) -> bool:
        return self.rank == 0

    def heard(self, listener: Listener) -> Listener:
        """Who listens to this process."""
        return listener if self.first else Listener()

    def alone(self, work: Callable[[], Value]) -> Optional[Value]:
        """Done by the first process; the others wait, get None, and end where it fails."""
        return work()

    def in_turn(self, work: Callable[[], Value]) -> Value:
        """Done by the first process of a machine, then by its others, which find what it left in caches."""
        return work()

    def of_first(self, value: Value) -> Value:
        """What the first process has for a value: plain data."""
        return value

    def meet(self, clips: int, error: Optional[Exception] = None) -> int:
        """The clips that all have in a step, this one so many; raises the error, or the interrupt, of any of them."""
        if error is not None:
            raise error
        return clips

    def totals(self, values: Sequence[float]) -> List[float]:
        """The sums over the processes."""
        return list(values)

    def listening(self) -> ContextManager[None]:
        """While this lasts Ctrl-C stops them all in the same step."""
        return nullcontext()

    def reseed(self, seed: int, epoch: int) -> None:
        """What is drawn in an epoch differs between processes, and in all but the first depends on these two alone.

        The first goes on from where it was, which is saved with the run.
        """

    def join(self, module: nn.Module) -> None:
        """Batch norm's statistics shall be those of the batch of all."""

    def autocast(self) -> ContextManager[Any]:
        """Within it a network computes in the precision of the run."""
        return nullcontext()

    def descend(
        self, loss: Tensor, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], clip: Optional[float]
    ) -> None:
        """One step down the sum of their losses; `clip`: the largest norm of the gradient."""
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()

    def state(self) -> Dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""


@dataclass(frozen=True)
class Launch:
    """How many processes a run has on each node, and who starts them: "torchrun", "slurm" or this toolkit ("here")."""

    devices: int
    nodes: int
    by: str


def planned_launch(machine: Machine, environment: Mapping[str, str]) -> Launch:
    """What the recipe and who started this process say; raises ConfigError where they do not agree."""
    if "TORCHELASTIC_RUN_ID" in environment:
        devices = int(environment["LOCAL_WORLD_SIZE"])
        launch = Launch(devices, int(environment["WORLD_SIZE"]) // devices, "torchrun")
    elif "SLURM_STEP_ID" in environment and "SLURM_NTASKS" in environment:  # a step: begun by srun
        nodes = int(environment.get("SLURM_NNODES", 1))
        launch = Launch(max(1, int(environment["SLURM_NTASKS"]) // nodes), nodes, "slurm")
    else:
        launch = Launch(machine.devices or 1, machine.nodes or 1, "here")
        if launch.nodes > 1:
            raise ConfigError(f"nodes={launch.nodes}: start the same command on each node by torchrun or srun")
    for key, asked, got in (("devices", machine.devices, launch.devices), ("nodes", machine.nodes, launch.nodes)):
        if asked is not None and asked != got:
            raise ConfigError(f"{key}={asked}, but {launch.by} started {got}; leave {key} out, or start as many")
    return launch


def is_first(environment: Mapping[str, str]) -> bool:
    """Whether this process will be the first of its run, from who started it: known before they are gathered."""
    if "TORCHELASTIC_RUN_ID" in environment:
        return environment["RANK"] == "0"
    if "SLURM_STEP_ID" in environment:
        return environment.get("SLURM_PROCID", "0") == "0"
    return environment.get("LOCAL_RANK", "0") == "0"  # Fabric tells it to those that it starts


def gather_processes(machine: Machine) -> Processes:
    """The processes of a run, the others started if need be; raises ConfigError where they cannot be had."""
    launch = planned_launch(machine, os.environ)
    device = machine.torch_device()
    if launch.devices * launch.nodes == 1 and machine.precision == "32":
        return Processes(device)
    need_extra("train", "training by several processes, or in less than full precision", "lightning_fabric")
    from edgecvar.train.together.joined import join_processes

    return join_processes(launch, machine.precision, device)

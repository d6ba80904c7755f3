"""Several processes that train one run, by Lightning Fabric: started, joined, and computing in a precision.

Fabric starts them, or finds what torchrun or Slurm have started, sets up what they talk by, and scales gradients in
half precision. Networks are not wrapped: an objective takes several steps on one forward pass, so gradients are summed
after each of them.
"""

from __future__ import annotations

import atexit
import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np
import torch
import torch.distributed as group
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from edgecvar.errors import ConfigError, EdgecvarError, reason
from edgecvar.interrupts import held_interrupt
from edgecvar.train.together.joint_norm import join_norms
from edgecvar.train.together.processes import Launch, Processes, Value

ENVIRONMENTS: Dict[str, Callable[[], ClusterEnvironment]] = {
    "here": LightningEnvironment,
    "torchrun": TorchElasticEnvironment,
    "slurm": SLURMEnvironment,
}
FABRIC = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
"""A recipe's precision as Fabric calls it."""
PATIENCE = timedelta(hours=12)
"""One process reads all clips while others wait; where one ends, the others learn it at once."""


def join_processes(launch: Launch, precision: str, device: torch.device) -> Processes:
    """Start, or find, the processes of a run; raises ConfigError where they cannot be had."""
    if precision == "16" and device.type == "cpu":
        raise ConfigError("precision=16 is for CUDA devices; on a CPU there are bf16 and 32")
    if device.type == "cuda" and launch.devices > torch.cuda.device_count():
        raise ConfigError(f"devices={launch.devices}, but torch sees {torch.cuda.device_count()} CUDA devices")
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    several = launch.devices * launch.nodes > 1
    environment = ENVIRONMENTS[launch.by]()
    try:
        fabric = Fabric(
            accelerator=device.type,
            strategy=DDPStrategy(cluster_environment=environment, timeout=PATIENCE) if several else "auto",
            devices=launch.devices,
            num_nodes=launch.nodes,
            precision=FABRIC[precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"devices={launch.devices}, nodes={launch.nodes}: {reason(error)}") from error
    if several:
        atexit.register(_part)
    return Joined(fabric)


def _part() -> None:
    """Gloo's threads let go of tensors at their leisure; one that does so after the interpreter has gone aborts."""
    if group.is_initialized():
        group.destroy_process_group()


class Joined(Processes):
    """Processes that Fabric joined, or one in the precision that Fabric brings."""

    def __init__(self, fabric: Fabric) -> None:
        super().__init__(fabric.device, fabric.global_rank, fabric.world_size)
        self._fabric, self._interrupted = fabric, False

    def alone(self, work: Callable[[], Value]) -> Optional[Value]:
        done, failure = None, None
        if self.first:
            try:
                done = work()
            except Exception as error:
                failure = error
        self._agree(failure)
        return done

    def in_turn(self, work: Callable[[], Value]) -> Value:
        done: List[Value] = []
        for turn in (True, False):
            failure = None
            if (self._fabric.local_rank == 0) == turn:
                try:
                    done.append(work())
                except Exception as error:
                    failure = error
            self._agree(failure)
        return done[0]

    def of_first(self, value: Value) -> Value:
        return self._everyone(value)[0]

    def meet(self, clips: int, error: Optional[Exception] = None) -> int:
        everyone, failed, interrupted = map(int, self.totals([clips, error is not None, self._interrupted]))
        if failed:
            self._agree(error)
        if interrupted:
            raise KeyboardInterrupt
        return everyone

    def totals(self, values: Sequence[float]) -> List[float]:
        everyone = self._gather(torch.tensor(list(values), dtype=torch.float64, device=self.device))
        return [float(total) for total in everyone.sum(0)]

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def note() -> None:
            self._interrupted = True

        with held_interrupt(note):
            yield

    def listening(self) -> ContextManager[None]:
        return self._listening()

    def reseed(self, seed: int, epoch: int) -> None:
        if not self.first:
            torch.manual_seed(int(np.random.SeedSequence([seed, epoch, self.rank]).generate_state(1)[0]))

    def join(self, module: nn.Module) -> None:
        if self.count > 1:
            join_norms(module, self._gather)

    def autocast(self) -> ContextManager[Any]:
        context: ContextManager[Any] = self._fabric.autocast()
        return context

    def descend(
        self, loss: Tensor, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], clip: Optional[float]
    ) -> None:
        precision = self._fabric.strategy.precision
        precision.backward(loss, None)
        self._sum_gradients(parameters)
        if clip is not None:
            precision.unscale_gradients(optimizer)
            nn.utils.clip_grad_norm_(parameters, clip)
        precision.optimizer_step(optimizer)

    def state(self) -> Dict[str, Any]:
        return {"scaler": self._fabric.strategy.precision.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        scaler = state.get("scaler")  # one process at full precision, or another precision, left none
        if scaler:
            self._fabric.strategy.precision.load_state_dict(scaler)

    def _sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        gradients = [each.grad for each in parameters if each.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _spoken():
            group.all_reduce(flat)
        for gradient, total in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(total.view_as(gradient))

    def _gather(self, vector: Tensor) -> Tensor:
        if self.count == 1:
            return vector[None]
        everyone = [torch.empty_like(vector) for _ in range(self.count)]
        with _spoken():
            group.all_gather(everyone, vector)
        return torch.stack(everyone)

    def _everyone(self, value: Value) -> List[Value]:
        if self.count == 1:
            return [value]
        everyone: List[Any] = [None] * self.count
        with _spoken():
            group.all_gather_object(everyone, value)
        return everyone

    def _agree(self, failure: Optional[Exception]) -> None:
        """Ends all where one has failed: it raises its failure, the first process says it, the others end quietly."""
        texts = self._everyone(None if failure is None else _told(failure))
        said = next((text for text in texts if text is not None), None)
        if said is None:
            return
        if failure is not None and (self.first or not isinstance(failure, EdgecvarError)):
            raise failure
        if self.first:
            raise EdgecvarError(said)
        raise SystemExit(0)  # who started them all goes by the first one's exit code


def _told(failure: Exception) -> str:
    return str(failure) if isinstance(failure, EdgecvarError) else f"{type(failure).__name__}: {reason(failure)}"


@contextmanager
def _spoken() -> Iterator[None]:
    """What is raised where another process is gone says so."""
    try:
        yield
    except RuntimeError as error:
        raise EdgecvarError(
            f"another process of this run is gone ({reason(error, 120)}); go on with: edgecvar train --resume RUN"
        ) from error

"""What training minimises: losses that a recipe names, in steps that take turns on every batch.

A step owns parameters and an optimiser: `discriminator` and `teacher` their companion's, `network` the network's and
those of its "student" companion. Every loss belongs to one step, and a batch takes the steps that its phase has losses
of, in that order, all on one forward pass of the network. So Shou et al. 2019, 3.3.3 alternates: the discriminator
learns (eq. 2) from the cue that the generator then answers for (eq. 3, 4), and neither moves while the other learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence

import torch
from torch import Tensor, nn

from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.network import Network
from edgecvar.train.descent import make_optimizer
from edgecvar.train.losses import LOSSES, ForwardPass, Term
from edgecvar.train.parts import Course, Descent
from edgecvar.train.settings import Phase
from edgecvar.train.together.processes import Processes
from edgecvar.train.weights.average import WeightAverage

STEPS = {"discriminator": ("discriminator",), "teacher": ("teacher",), "network": ("student",)}
"""The steps in their order, and the companions whose parameters each owns."""


@dataclass(frozen=True)
class BatchResult:
    """One batch's result: the last step's loss, every term by name, and the scores (N, classes) that were judged."""

    loss: float
    terms: Dict[str, float]
    scores: Optional[Tensor]


class Objective:
    """The steps of a run: companions, optimisers, and one batch after the other; perhaps an average of the weights.

    `class_weights`: how much a clip of each class counts.
    """

    def __init__(
        self,
        course: Course,
        descent: Descent,
        network: Network,
        device: torch.device,
        class_weights: Optional[Sequence[float]] = None,
        processes: Optional[Processes] = None,
    ) -> None:
        check_parts(network, list(descent.rates), "rates")
        for phase in course.phases:
            check_parts(network, phase.train or [], "phases.train")
        self._course, self._descent, self._network = course, descent, network
        self._weights = None if class_weights is None else torch.tensor(class_weights, device=device)
        losses = [LOSSES[name] for name in course.loss_names()]
        companions = {companion for loss in losses for companion in loss.companions}
        self.companions = nn.ModuleDict(
            {name: network.companion(name) for step in STEPS.values() for name in step if name in companions}
        )
        self.companions.to(device)
        self._processes = processes or Processes(device)
        for module in (network, self.companions):
            self._processes.join(module)
        self._steps = [step for step in STEPS if any(loss.step == step for loss in losses)]
        self._phase = Phase.model_validate({"losses": course.losses})
        self.restart()

    def restart(self) -> None:
        """New optimisers, and a new average."""
        pairs = {step: make_optimizer(self._descent, self._owned(step)) for step in self._steps}
        self._optimizers = {step: optimizer for step, (optimizer, _) in pairs.items()}
        self._rates = {step: rates for step, (_, rates) in pairs.items()}
        average = self._descent.average
        self._average = None if average is None else WeightAverage(self._network, average)

    @property
    def judged(self) -> Network:
        """The network that validates and is deployed: the average where there is one."""
        return self._network if self._average is None else self._average.network

    def begin(self, phase: Phase) -> None:
        """Training mode for an epoch of a phase; what the phase leaves out stands still."""
        self._phase = phase
        learning = {LOSSES[name].step for name in phase.losses or {}}
        self._network.train()
        for name, parameter in self._network.named_parameters():
            parameter.requires_grad_(phase.train is None or any(name.startswith(part) for part in phase.train))
        if phase.train is not None:
            _stand_still(self._network)
        for step, names in STEPS.items():
            for name in names:
                if name in self.companions:
                    self.companions[name].train(step in learning)

    def step(self, batch: ClipBatch, rate: float, share: float = 1.0) -> BatchResult:
        """One batch: the phase's steps in turn, each at its parameters' rates.

        Where processes share the batch this one has so large a `share` of its clips, and its part of each mean.
        """
        losses = self._phase.losses or {}
        with self._processes.autocast():
            features, companions = self._network.features(batch), dict(self.companions.items())
        smoothing, at = self._course.label_smoothing, self._phase.reconstruct_at
        forward = ForwardPass(batch, features, companions, smoothing, self._weights, at)
        terms: Dict[str, float] = {}
        loss, scores = 0.0, None
        for step in self._steps:
            weights = {name: weight for name, weight in losses.items() if LOSSES[name].step == step}
            if not weights:
                continue
            self._hold_others(step)
            with self._processes.autocast():
                summands = {name: LOSSES[name].term(forward) for name in weights}
            loss = self._descend(step, share * _sum(summands, weights), rate)
            terms.update({name: share * term.value.item() for name, term in summands.items()})
            if self._average is not None and step == "network":
                self._average.update(self._network)
            scores = next((term.scores for term in summands.values() if term.scores is not None), scores)
        return BatchResult(loss, terms, None if scores is None else scores.detach())

    def _hold_others(self, step: str) -> None:
        """Of the companions, those of this step alone gather gradients."""
        for owner, names in STEPS.items():
            for name in names:
                if name in self.companions:
                    self.companions[name].requires_grad_(owner == step)

    def _descend(self, step: str, loss: Tensor, rate: float) -> float:
        optimizer = self._optimizers[step]
        for group, factor in zip(optimizer.param_groups, self._rates[step]):
            group["lr"] = rate * factor
        optimizer.zero_grad(set_to_none=True)
        self._processes.descend(loss, optimizer, list(self._owned(step).values()), self._descent.clip_gradient)
        return loss.item()

    def _owned(self, step: str) -> Dict[str, nn.Parameter]:
        """The parameters of a step; rates and phases know the network's by their names in it."""
        own = dict(self._network.named_parameters()) if step == "network" else {}
        for name in STEPS[step]:
            if name in self.companions:
                own.update({f"{name}:{key}": value for key, value in self.companions[name].named_parameters()})
        return own

    def state(self) -> Dict[str, Any]:
        """What a checkpoint keeps under training, beside the network that is judged."""
        state: Dict[str, Any] = {
            "optimizers": {step: optimizer.state_dict() for step, optimizer in self._optimizers.items()},
            "companions": {name: _on_cpu(module.state_dict()) for name, module in self.companions.items()},
        }
        state.update(self._processes.state())
        if self._average is not None:
            state["averaged"] = [self._average.steps, _on_cpu(self._network.state_dict())]
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave, the network that is judged being there already."""
        self._processes.restore(state)
        if self._average is not None:
            self._average.steps, weights = state["averaged"]
            self._network.load_state_dict(weights)
        for step, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][step])
        for name, module in self.companions.items():
            module.load_state_dict(state["companions"][name])

    def take_teacher(self, training: Optional[Mapping[str, Any]], path: str) -> None:
        """The teacher of another run's last.pt; raises ConfigError where it has none that fits."""
        states = (training or {}).get("companions")
        if not isinstance(states, dict) or "teacher" not in states:
            raise ConfigError(f"teacher={path}: no teacher in it; give a last.pt of a run with the loss 'teacher'")
        try:
            self.companions["teacher"].load_state_dict(states["teacher"])
        except (AttributeError, RuntimeError, TypeError) as error:
            raise ConfigError(f"teacher={path}: it does not fit this network: {str(error).splitlines()[-1]}") from error


def check_parts(network: nn.Module, parts: Sequence[str], key: str) -> None:
    """Raises ConfigError for a beginning of names that no parameter has."""
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(name.startswith(part) for name in names):
            raise unknown_name(f"part of the network in {key}", part, {name.partition(".")[0] for name in names})


def _stand_still(network: nn.Module) -> None:
    """Evaluation mode for every module that holds parameters none of which learns."""
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _sum(terms: Mapping[str, Term], weights: Mapping[str, float]) -> Tensor:
    parts = [term.value if weights[name] == 1 else weights[name] * term.value for name, term in terms.items()]
    return torch.stack(parts).sum() if len(parts) > 1 else parts[0]


def _on_cpu(state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in state.items()}

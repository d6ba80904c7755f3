"""Passes over the clips of a run: an epoch of training steps, or a validation."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import Generator, Iterator, Tuple

import torch
from torch import nn

from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.network import Network
from edgecvar.train.data.batches import Batches
from edgecvar.train.data.dataset import Clips
from edgecvar.train.descent import learning_rate
from edgecvar.train.objective import BatchResult, Objective
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.tally import Tally

REMEDY = "lower lr, or set clip_gradient"
"""Of a loss that is not finite."""


class Passes:
    """What a run does with its clips, epoch by epoch, on one device."""

    def __init__(
        self, recipe: Recipe, clips: Clips, objective: Objective, device: torch.device, listener: Listener
    ) -> None:
        self._recipe, self._objective, self._device, self._listener = recipe, objective, device, listener
        self._batches = Batches(recipe.views, recipe.network.input, clips, recipe.machine.workers)
        self._steps = math.ceil(len(clips.train) / recipe.views.batch)
        self._checks = math.ceil(len(clips.validation) / recipe.views.batch)

    def train(self, epoch: int) -> Tuple[Tally, float]:
        """One epoch of training, and the learning rate of its last step; raises ConfigError for a loss not finite."""
        course, descent = self._recipe.course, self._recipe.descent
        tally, rate = Tally(), descent.lr
        if course.starts_anew(epoch):
            self._objective.restart()
        self._objective.begin(course.phase(epoch))
        with self._listener.phase(f"epoch {epoch}/{course.epochs}", self._steps):
            for number, batch in enumerate(self._arriving(self._batches.training(epoch), tally)):
                rate = learning_rate(descent, course, (epoch - 1) * self._steps + number, self._steps)
                result = self._objective.step(batch, rate)
                if not all(map(math.isfinite, (result.loss, *result.terms.values()))):
                    raise ConfigError(
                        f"loss is {_not_finite(result)} in epoch {epoch}, step {number + 1} of {self._steps} "
                        f"(lr {rate:.3g}); {REMEDY}"
                    )
                tally.add(result.loss, result.terms, result.scores, batch.labels)
                self._listener.step(result.loss)
        return tally, rate

    def rehearse(self, batches: Generator[ClipBatch, None, None]) -> Tally:
        """Steps as of the first epoch, at a learning rate of 0; of the tally it is the waiting that counts."""
        tally = Tally()
        self._objective.begin(self._recipe.course.phase(1))
        for batch in self._arriving(batches, tally):
            self._objective.step(batch, 0.0)
        return tally

    @torch.no_grad()
    def validate(self, network: Network, epoch: int) -> Tally:
        """What a network makes of the clips that validate; raises ConfigError for a loss that is not finite."""
        tally = Tally()
        network.eval()
        with self._listener.phase("validation", self._checks):
            for batch in self._arriving(self._batches.validation(), tally):
                scores = network(batch)
                loss = nn.functional.cross_entropy(scores, batch.labels).item()
                if not math.isfinite(loss):
                    raise ConfigError(f"loss is {loss} in validation of epoch {epoch}; {REMEDY}")
                tally.add(loss, {}, scores, batch.labels)
                self._listener.step()
        return tally

    def _arriving(self, batches: Generator[ClipBatch, None, None], tally: Tally) -> Iterator[ClipBatch]:
        """Batches on the device, the wait for each counted."""
        with closing(batches):
            while True:
                began = time.monotonic()
                batch = next(batches, None)
                tally.waiting += time.monotonic() - began
                if batch is None:
                    return
                yield batch.to(self._device)


def _not_finite(result: BatchResult) -> str:
    """Plainly the loss where it is all there is, the terms by name where there are several."""
    if len(result.terms) < 2:
        return str(result.loss)
    return ", ".join(f"{name} {value:.3g}" for name, value in result.terms.items())

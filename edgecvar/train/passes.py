"""Passes over the clips of a run: an epoch of training steps, or a validation."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import replace
from typing import Generator, Iterator, Tuple

import torch
from torch import nn

from edgecvar.errors import ConfigError
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.network import Network
from edgecvar.train.data.batches import Batches
from edgecvar.train.data.dataset import Clips
from edgecvar.train.descent import Plateau, learning_rate
from edgecvar.train.objective import BatchResult, Objective
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.tally import Tally
from edgecvar.train.together.processes import Processes

REMEDY = "lower lr, or set clip_gradient"
"""Of a loss that is not finite."""


class Passes:
    """What a run does with its clips, epoch by epoch; of every batch this process has a share."""

    def __init__(
        self, recipe: Recipe, clips: Clips, objective: Objective, processes: Processes, listener: Listener
    ) -> None:
        self._recipe, self._objective, self._processes, self._listener = recipe, objective, processes, listener
        share = processes.rank, processes.count
        self._batches = Batches(recipe.views, recipe.network.input, clips, recipe.machine.workers, share)
        self._steps = math.ceil(len(clips.train) / recipe.views.batch)
        self._checks = math.ceil(len(clips.validation) / recipe.views.batch)
        self.plateau = Plateau()

    def train(self, epoch: int) -> Tuple[Tally, float]:
        """One epoch of training, and the learning rate of its last step; raises ConfigError for a loss not finite."""
        course = self._recipe.course
        tally, rate = Tally(), self._recipe.descent.lr
        self._processes.reseed(self._recipe.views.seed, epoch)
        if course.starts_anew(epoch):
            self._objective.restart()
            self.plateau = Plateau()
        elif epoch > 1 and course.phase(epoch).losses != course.phase(epoch - 1).losses:
            self.plateau = Plateau(self.plateau.falls)  # another sum
        self._objective.begin(course.phase(epoch))
        with self._listener.phase(f"epoch {epoch}/{course.epochs}", self._steps):
            for number, (batch, share) in enumerate(self._arriving(self._batches.training(epoch), tally)):
                rate = self.rate(epoch, number)
                result = self._whole(self._objective.step(batch, rate, share))
                if not all(map(math.isfinite, (result.loss, *result.terms.values()))):
                    raise ConfigError(
                        f"loss is {_not_finite(result)} in epoch {epoch}, step {number + 1} of {self._steps} "
                        f"(lr {rate:.3g}); {REMEDY}"
                    )
                tally.add(result.loss, result.terms, result.scores, batch.labels)
                self._listener.step(result.loss)
        tally = self._joint(tally)
        self.plateau.see(tally.loss / tally.clips, self._recipe.descent.schedule.patience)
        return tally, rate

    def rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step, both counted as the schedule does: epochs from 1, an epoch's steps from 0."""
        recipe = self._recipe
        done = (epoch - 1) * self._steps + step
        return learning_rate(recipe.descent, recipe.course, done, self._steps, self.plateau.falls)

    def rehearse(self, batches: Generator[ClipBatch, None, None]) -> Tally:
        """Steps as of the first epoch, at a learning rate of 0; of the tally it is the waiting that counts."""
        tally = Tally()
        self._objective.begin(self._recipe.course.phase(1))
        for batch, _ in self._arriving(batches, tally):
            self._objective.step(batch, 0.0)
        return tally

    @torch.no_grad()
    def validate(self, network: Network, epoch: int) -> Tally:
        """What a network makes of the clips that validate; raises ConfigError for a loss that is not finite."""
        tally = Tally()
        network.eval()
        with self._listener.phase("validation", self._checks):
            for batch, _ in self._arriving(self._batches.validation(), tally):
                scores = network(batch)
                tally.add(nn.functional.cross_entropy(scores, batch.labels).item(), {}, scores, batch.labels)
                self._listener.step()
        tally = self._joint(tally)
        if not math.isfinite(tally.loss):
            raise ConfigError(f"loss is {tally.loss} in validation of epoch {epoch}; {REMEDY}")
        return tally

    def _whole(self, result: BatchResult) -> BatchResult:
        """The result of a batch from those of its shares; the scores are this process's."""
        loss, *terms = self._processes.totals([result.loss, *result.terms.values()])
        return replace(result, loss=loss, terms=dict(zip(result.terms, terms)))

    def _joint(self, tally: Tally) -> Tally:
        """What all the processes have counted; the waiting is this one's."""
        names = list(tally.terms)
        counts = tally.loss, tally.right, tally.judged, tally.clips
        loss, right, judged, clips, *terms = self._processes.totals([*counts, *tally.terms.values()])
        return Tally(loss, int(right), int(judged), int(clips), tally.waiting, dict(zip(names, terms)))

    def _arriving(self, batches: Generator[ClipBatch, None, None], tally: Tally) -> Iterator[Tuple[ClipBatch, float]]:
        """Batches on the device, each with its part of the clips that all processes have; the wait for it is counted.

        In each step the processes meet, so that they end together, whether at the last batch or in an error.
        """
        with closing(batches):
            while True:
                began, batch, failure = time.monotonic(), None, None
                try:
                    batch = next(batches, None)
                except Exception as error:
                    failure = error
                tally.waiting += time.monotonic() - began
                mine = 0 if batch is None else len(batch.labels)
                everyone = self._processes.meet(mine, failure)
                if not everyone:
                    return
                if batch is not None:
                    yield batch.to(self._processes.device), mine / everyone


def _not_finite(result: BatchResult) -> str:
    """Plainly the loss where it is all there is, the terms by name where there are several."""
    if len(result.terms) < 2:
        return str(result.loss)
    return ", ".join(f"{name} {value:.3g}" for name, value in result.terms.items())

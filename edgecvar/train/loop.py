"""The one training loop: what a recipe's objective asks for, epoch by epoch, resumed bit for bit."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Generator, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import nn

from edgecvar.errors import ConfigError, DatasetError, reason
from edgecvar.files import check_writable, draft_folder, only_user, publish, whole_file
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network, network_options
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, run_names, save_checkpoint
from edgecvar.train.data.batches import Batches
from edgecvar.train.data.dataset import Clips, read_clips
from edgecvar.train.descent import learning_rate
from edgecvar.train.history import EpochRecord, append_record, draw_curves, keep_records
from edgecvar.train.losses import check_losses, needs_flow, trains_network
from edgecvar.train.objective import BatchResult, Objective
from edgecvar.train.parts import Views
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.tally import Tally
from edgecvar.train.weights import start_from

RECIPE = "recipe.yaml"
REMEDY = "lower lr, or set clip_gradient"
"""Of a loss that is not finite."""


def start_run(recipe: Recipe, root: Path, listener: Listener) -> Training:
    """A new run in a new folder ROOT/<model>/<time>/, ready to fit; nothing is written if the data are wrong."""
    recipe = resolve(recipe)
    runs = root / recipe.network.model
    check_writable(runs)
    training = Training(recipe, _read_clips(recipe, listener), listener, fresh=True)
    with draft_folder(runs) as training.folder:
        (training.folder / RECIPE).write_text(recipe.to_yaml(), encoding="utf-8")
        training.save_last()
        training.folder = publish(training.folder, run_names(runs))
    return training


def resume_run(folder: Path, overrides: Sequence[str], listener: Listener) -> Training:
    """The run in `folder` as its last.pt left it, ready to fit; who resumes it meanwhile is refused at once."""
    with _alone(folder) if folder.is_dir() else nullcontext():
        return _resumed(folder, overrides, listener)


def _resumed(folder: Path, overrides: Sequence[str], listener: Listener) -> Training:
    checkpoint = load_checkpoint(folder / LAST)
    check_writable(folder)
    if checkpoint.training is None:
        raise ConfigError(f"{folder / LAST}: holds no optimiser state, so it cannot be resumed; start a new run")
    recipe = parse_recipe(checkpoint.recipe, overrides, str(folder / RECIPE))
    planned = parse_recipe(checkpoint.recipe).course.epochs
    clips, source = _read_clips(recipe, listener), recipe.data.source
    if clips.labels != checkpoint.labels:
        raise DatasetError(f"{source}: {len(clips.labels)} classes, not those that {folder} was trained on")
    if checkpoint.training.get("clips") != _clip_names(clips):
        raise DatasetError(f"{source}: not the clips that {folder} was trained on; start a new run for these")
    training = Training(recipe, clips, listener)
    training.folder = folder
    try:
        training.restore(checkpoint)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:  # whatever is missing
        raise ConfigError(
            f"{folder / LAST}: a part of the run's state is missing or wrong "
            f"({type(error).__name__}: {reason(error)}); start a new run"
        ) from error
    if recipe.course.epochs != planned:
        training.replan(planned)
    return training


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a run folder, so that nobody else trains in it; raises ConfigError where somebody does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(only_user(folder))
        except BlockingIOError as error:
            raise ConfigError(f"{folder}: another process trains this run; wait for its end, or stop it") from error
        yield


def resolve(recipe: Recipe) -> Recipe:
    """The recipe with the network's own defaults filled in; raises ConfigError for an unknown model, option or loss.

    Also where a network looks at clips of another length than the recipe samples.
    """
    check_losses(recipe.course)
    network = recipe.network
    options = network_options(network.model, network.options)
    _check_segments(recipe.views, network.model, getattr(options, "segments", None))
    return replace(recipe, network=network.model_copy(update={"options": options.model_dump(mode="json")}))


def _check_segments(views: Views, model: str, clip: Optional[int]) -> None:
    sampling = {
        "segments": views.segments,
        "validation_segments": views.validation_segments,
        "test.segments": views.test_segments,
    }
    for key, sampled in sampling.items():
        if clip is not None and sampled != clip:
            raise ConfigError(
                f"{model} looks at clips of {clip} sampled pictures (network.segments) and the recipe has "
                f"{key}={sampled}; give segments, validation_segments and network.segments one number"
            )


def _read_clips(recipe: Recipe, listener: Listener) -> Clips:
    return read_clips(recipe.data, recipe.network, recipe.machine, listener, needs_flow(recipe.course))


class Training:
    """One run: network, objective and epoch, and the folder that they are saved to; a fresh one takes its weights."""

    folder: Path

    def __init__(self, recipe: Recipe, clips: Clips, listener: Listener, fresh: bool = False) -> None:
        self.recipe, self.clips, self._listener = recipe, clips, listener
        torch.manual_seed(recipe.views.seed)
        self._device = recipe.machine.torch_device()
        design, course = recipe.network, recipe.course
        self.network: Network = build_network(design.model, design.options, design.input, len(clips.labels))
        _channels_last(self.network.to(self._device))
        if fresh and design.weights:
            listener.say(start_from(self.network, [Path(file) for file in design.weights]))
        self._objective = Objective(course, recipe.descent, self.network, self._device)
        if fresh and course.teacher is not None:
            self._objective.take_teacher(load_checkpoint(Path(course.teacher)).training, course.teacher)
        self._batches = Batches(recipe.views, design.input, clips, recipe.machine.workers)
        self._steps = math.ceil(len(clips.train) / recipe.views.batch)
        self.epoch = 0
        self.best: Optional[EpochRecord] = None

    def fit(self, until: Optional[int] = None) -> None:
        """Train to the recipe's last epoch, or to the end of epoch `until`; last.pt is whole after each epoch.

        Raises ConfigError where another process trains this run, OSError where the disk is full.
        """
        with _alone(self.folder):
            self._fit(until)

    def _fit(self, until: Optional[int]) -> None:
        records = keep_records(self.folder, self.epoch)
        course = self.recipe.course
        last = course.epochs if until is None else min(until, course.epochs)
        if records and self.epoch >= last:  # what ended the run may have come before its last curves
            self._draw(records)
        while self.epoch < last:
            learns = trains_network(course.phase(self.epoch + 1))
            record = self._train_epoch(learns)
            best = learns and record.better_than(self.best)
            self.best = record if best else self.best
            records.append(record)
            append_record(self.folder, record)
            if best:
                save_checkpoint(self.folder / BEST, self._checkpoint(None))
            self.save_last()
            self._draw(records)
            self._listener.epoch(record, course.epochs, best)

    def _draw(self, records: List[EpochRecord]) -> None:
        subject = f"{self.recipe.network.model} on {self.recipe.data.source}"
        draw_curves(self.folder, records, self.best, subject, len(self.clips.labels))

    def replan(self, planned: int) -> None:
        """Write down that the run has the recipe's number of epochs; raises ConfigError if it has trained them all.

        The rate of every further step is that of the schedule over the new length, as if it had been planned so.
        """
        course, descent = self.recipe.course, self.recipe.descent
        if course.epochs <= self.epoch:
            raise ConfigError(f"epochs={course.epochs}: {self.folder} has trained {self.epoch} already; give more")
        rate = learning_rate(descent, course, self.epoch * self._steps, self._steps)
        self._listener.say(
            f"epochs {self.epoch + 1} to {course.epochs} (planned were {planned}): the rate follows the schedule over "
            f"all {course.epochs}, so it goes on at {rate:.2e}"
        )
        with whole_file(self.folder / RECIPE) as draft:
            draft.write_text(self.recipe.to_yaml(), encoding="utf-8")
        self.save_last()

    def save_last(self) -> None:
        """Write last.pt, from which the run goes on bit for bit."""
        training: Dict[str, Any] = {
            "epoch": self.epoch,
            **self._objective.state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if self._device.type == "cuda" else None,
            "clips": _clip_names(self.clips),
            "best": None if self.best is None else self.best.model_dump(mode="json"),
        }
        save_checkpoint(self.folder / LAST, self._checkpoint(training))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up the state that `save_last` wrote."""
        state = checkpoint.training or {}
        self.network.load_state_dict(checkpoint.state)
        self._objective.restore(state)
        torch.set_rng_state(state["torch_rng"])
        if self._device.type == "cuda" and state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"])
        self.epoch = int(state["epoch"])
        self.best = None if state["best"] is None else EpochRecord.model_validate(state["best"])

    def _checkpoint(self, training: Optional[Dict[str, Any]]) -> Checkpoint:
        recipe = self.recipe
        return Checkpoint(
            model=recipe.network.model,
            network=recipe.network.options,
            input=recipe.network.input,
            labels=self.clips.labels,
            state={name: tensor.cpu() for name, tensor in self.network.state_dict().items()},
            recipe=recipe.to_yaml(),
            data=recipe.data.source,
            training=training,
        )

    def _train_epoch(self, learns: bool) -> EpochRecord:
        """One epoch; nothing validates where the network does not learn in it."""
        began = time.monotonic()
        train, rate = self._train(self.epoch + 1)
        check = self._validate() if learns and self.clips.validation else None
        self.epoch += 1
        return EpochRecord(
            epoch=self.epoch,
            lr=rate,
            train_loss=train.loss / train.clips,
            train_top1=train.top1,
            terms={name: value / train.clips for name, value in train.terms.items()},
            validation_loss=None if check is None else check.loss / check.clips,
            validation_top1=None if check is None else check.top1,
            clips=train.clips,
            skipped=len(self.clips.report.unreadable),
            damaged=len(self.clips.report.damaged),
            seconds=round(time.monotonic() - began, 3),
            waiting=round(train.waiting + (0.0 if check is None else check.waiting), 3),
        )

    def _train(self, epoch: int) -> Tuple[Tally, float]:
        course, descent = self.recipe.course, self.recipe.descent
        tally, rate = Tally(), descent.lr
        if course.starts_anew(epoch):
            self._objective.restart()
        self._objective.begin(course.phase(epoch))
        with self._listener.phase(f"epoch {epoch}/{course.epochs}", self._steps):
            batches = self._arriving(self._batches.training(epoch), tally)
            for number, batch in enumerate(batches):
                step = (epoch - 1) * self._steps + number
                rate = learning_rate(descent, course, step, self._steps)
                result = self._step(batch, rate)
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
        self._objective.begin(self.recipe.course.phase(1))
        for batch in self._arriving(batches, tally):
            self._step(batch, 0.0)
        return tally

    def _step(self, batch: ClipBatch, rate: float) -> BatchResult:
        return self._objective.step(batch, rate)

    @torch.no_grad()
    def _validate(self) -> Tally:
        tally = Tally()
        self.network.eval()
        with self._listener.phase("validation", math.ceil(len(self.clips.validation) / self.recipe.views.batch)):
            for batch in self._arriving(self._batches.validation(), tally):
                scores = self.network(batch)
                loss = nn.functional.cross_entropy(scores, batch.labels).item()
                if not math.isfinite(loss):
                    raise ConfigError(f"loss is {loss} in validation of epoch {self.epoch + 1}; {REMEDY}")
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


def _clip_names(clips: Clips) -> List[str]:
    """What a run was trained on, in the order that its shuffles count in."""
    return [f"{clip.label}/{clip.path.name}" for clip in clips.train]


def _channels_last(network: nn.Module) -> None:
    """Lays out the weights of 2D convolutions for speed; those of 3D ones keep theirs."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


def _not_finite(result: BatchResult) -> str:
    """Plainly the loss where it is all there is, the terms by name where there are several."""
    if len(result.terms) < 2:
        return str(result.loss)
    return ", ".join(f"{name} {value:.3g}" for name, value in result.terms.items())

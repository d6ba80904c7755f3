"""The one training loop: what a recipe's objective asks for, epoch by epoch, resumed bit for bit."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterator, List, Optional, Sequence

import torch
from torch import nn

from edgecvar.errors import ConfigError, DatasetError, reason
from edgecvar.files import check_writable, draft_folder, only_user, publish, whole_file
from edgecvar.nets.batch import ClipBatch
from edgecvar.nets.catalog import build_network
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint, run_names, save_checkpoint
from edgecvar.train.data.balance import class_weights
from edgecvar.train.data.dataset import Clips, read_clips, tell_breaks
from edgecvar.train.descent import Plateau
from edgecvar.train.history import EpochRecord, append_record, draw_curves, keep_records
from edgecvar.train.losses import needs_flow, trains_network
from edgecvar.train.objective import Objective
from edgecvar.train.parts import Views
from edgecvar.train.passes import Passes
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start.checks import check_enough, resolve
from edgecvar.train.tally import Tally
from edgecvar.train.together.processes import Processes, gather_processes
from edgecvar.train.weights.sources import check_sources
from edgecvar.train.weights.start import start_from

RECIPE = "recipe.yaml"


ReadClips = Callable[[Recipe, Listener], Clips]
"""How a run gets at the clips of its recipe."""


def start_run(recipe: Recipe, root: Path, listener: Listener, read: Optional[ReadClips] = None) -> Training:
    """A new run in a new folder ROOT/<model>/<time>/, ready to fit; nothing is written if the data are wrong."""
    recipe = resolve(recipe)
    check_sources(recipe.network.weights)
    runs = root / recipe.network.model
    processes = gather_processes(recipe.machine)
    told = processes.heard(listener)
    processes.alone(lambda: check_writable(runs))
    training = processes.in_turn(
        lambda: Training(recipe, (read or read_recipe_clips)(recipe, told), told, True, processes)
    )
    processes.alone(lambda: _open_folder(training, runs))
    training.folder = Path(processes.of_first(str(training.folder)))
    return training


def _open_folder(training: Training, runs: Path) -> None:
    with draft_folder(runs) as training.folder:
        (training.folder / RECIPE).write_text(training.recipe.to_yaml(), encoding="utf-8")
        training.save_last()
        training.folder = publish(training.folder, run_names(runs))


def resume_run(
    folder: Path, overrides: Sequence[str], listener: Listener, read: Optional[ReadClips] = None
) -> Training:
    """The run in `folder` as its last.pt left it, ready to fit; who resumes it meanwhile is refused at once."""
    processes = gather_processes(parse_recipe(load_checkpoint(folder / LAST).recipe, overrides, str(folder)).machine)
    with ExitStack() as stack:
        processes.alone(lambda: stack.enter_context(_alone(folder)))
        clips_of = read or read_recipe_clips
        return processes.in_turn(lambda: _resumed(folder, overrides, processes.heard(listener), processes, clips_of))


def _resumed(
    folder: Path, overrides: Sequence[str], listener: Listener, processes: Processes, read: ReadClips
) -> Training:
    checkpoint = load_checkpoint(folder / LAST)
    check_writable(folder)
    if checkpoint.training is None:
        raise ConfigError(f"{folder / LAST}: holds no optimiser state, so it cannot be resumed; start a new run")
    recipe = parse_recipe(checkpoint.recipe, overrides, str(folder / RECIPE))
    planned = parse_recipe(checkpoint.recipe).course.epochs
    clips, source = read(recipe, listener), recipe.data.source
    if clips.labels != checkpoint.labels:
        raise DatasetError(f"{source}: {len(clips.labels)} classes, not those that {folder} was trained on")
    if checkpoint.training.get("clips") != _clip_names(clips):
        raise DatasetError(f"{source}: not the clips that {folder} was trained on; start a new run for these")
    training = Training(recipe, clips, listener, processes=processes)
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


def read_recipe_clips(recipe: Recipe, listener: Listener) -> Clips:
    """The clips of a recipe, read; raises DatasetError."""
    reencode = recipe.views.augment.reencode
    clips = read_clips(recipe.data, recipe.network, recipe.machine, listener, needs_flow(recipe.course), reencode)
    if recipe.views.sampling.name == "stream":
        tell_breaks(clips, listener)
    return clips


class Training:
    """One run: network, objective and epoch, and the folder that they are saved to; a fresh one takes its weights."""

    folder = Path()

    def __init__(
        self,
        recipe: Recipe,
        clips: Clips,
        listener: Listener,
        fresh: bool = False,
        processes: Optional[Processes] = None,
    ) -> None:
        self.recipe, self.clips, self._listener = recipe, clips, listener
        self.processes = processes or Processes(recipe.machine.torch_device())
        self._device = self.processes.device
        check_enough(recipe, clips, self.processes.count)
        torch.manual_seed(recipe.views.seed)
        design, course = recipe.network, recipe.course
        self.network: Network = build_network(design.model, design.options, design.input, len(clips.labels))
        _channels_last(self.network.to(self._device))
        if fresh and design.weights:
            listener.say(start_from(self.network, design.weights, design.input, clips.labels))
        weights = _class_weights(recipe.views, clips)
        self._objective = Objective(course, recipe.descent, self.network, self._device, weights, self.processes)
        if fresh and course.teacher is not None:
            self._objective.take_teacher(load_checkpoint(Path(course.teacher)).training, course.teacher)
        self._passes = Passes(recipe, clips, self._objective, self.processes, listener)
        self.epoch = 0
        self.best: Optional[EpochRecord] = None

    def fit(self, until: Optional[int] = None) -> None:
        """Train to the recipe's last epoch, or to the end of epoch `until`; last.pt is whole after each epoch.

        Raises ConfigError where another process trains this run, OSError where the disk is full.
        """
        processes = self.processes
        with ExitStack() as stack:
            processes.alone(lambda: stack.enter_context(_alone(self.folder)))
            stack.enter_context(processes.listening())
            self._fit(processes.alone(lambda: keep_records(self.folder, self.epoch)) or [], until)

    def _fit(self, records: List[EpochRecord], until: Optional[int]) -> None:
        course = self.recipe.course
        last = course.epochs if until is None else min(until, course.epochs)
        # What ended the run may have come before its last curves.
        if self.epoch >= last or self._settled():
            self.processes.alone(lambda: self._draw(records))
        while self.epoch < last and not self._settled():
            learns = trains_network(course.phase(self.epoch + 1))
            records.append(self.processes.of_first(self._train_epoch(learns)))
            best = learns and records[-1].better_than(self.best)
            self.best = records[-1] if best else self.best
            self.processes.alone(partial(self._keep, records, best))
        if self._settled() and self.best is not None:
            self._listener.say(f"stopped early: no epoch since {self.best.epoch} was better in {course.early_stop}")

    def _settled(self) -> bool:
        course = self.recipe.course
        learns = trains_network(course.phase(course.epochs))
        return learns and self.best is not None and course.is_settled(self.epoch, self.best.epoch)

    def _keep(self, records: List[EpochRecord], best: bool) -> None:
        """An epoch's end: its record, and the checkpoints."""
        append_record(self.folder, records[-1])
        if best:
            save_checkpoint(self.folder / BEST, self._checkpoint(None))
        self.save_last()
        self._draw(records)
        self._listener.epoch(records[-1], self.recipe.course.epochs, best)

    def _draw(self, records: List[EpochRecord]) -> None:
        if not records:
            return
        subject = f"{self.recipe.network.model} on {self.recipe.data.source}"
        draw_curves(self.folder, records, self.best, subject, self.clips.chance)

    def replan(self, planned: int) -> None:
        """Write down that the run has the recipe's number of epochs; raises ConfigError if it has trained them all.

        The rate of every further step is that of the schedule over the new length, as if it had been planned so.
        """
        course = self.recipe.course
        if course.epochs <= self.epoch:
            raise ConfigError(f"epochs={course.epochs}: {self.folder} has trained {self.epoch} already; give more")
        if self._settled():
            raise ConfigError(
                f"epochs={course.epochs}: {self.folder} stopped early (early_stop={course.early_stop}); to go on, give "
                "early_stop= as well"
            )
        rate = self._passes.rate(self.epoch + 1, 0)
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
        if self.recipe.descent.schedule.name == "plateau":
            training["plateau"] = asdict(self._passes.plateau)
        save_checkpoint(self.folder / LAST, self._checkpoint(training))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up the state that `save_last` wrote."""
        state = checkpoint.training or {}
        self._objective.judged.load_state_dict(checkpoint.state)
        self._objective.restore(state)
        torch.set_rng_state(state["torch_rng"])
        if self._device.type == "cuda" and state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"])
        if self.recipe.descent.schedule.name == "plateau":
            self._passes.plateau = Plateau(**state["plateau"])
        self.epoch = int(state["epoch"])
        self.best = None if state["best"] is None else EpochRecord.model_validate(state["best"])

    def _checkpoint(self, training: Optional[Dict[str, Any]]) -> Checkpoint:
        recipe = self.recipe
        return Checkpoint(
            model=recipe.network.model,
            network=recipe.network.options,
            input=recipe.network.input,
            labels=self.clips.labels,
            state={name: tensor.cpu() for name, tensor in self._objective.judged.state_dict().items()},
            recipe=recipe.to_yaml(),
            data=recipe.data.source,
            training=training,
        )

    def _train_epoch(self, learns: bool) -> EpochRecord:
        """One epoch; nothing validates where the network does not learn in it."""
        began = time.monotonic()
        train, rate = self._passes.train(self.epoch + 1)
        judged = self._objective.judged if learns and self.clips.validation else None
        check = None if judged is None else self._passes.validate(judged, self.epoch + 1)
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

    def rehearse(self, batches: Generator[ClipBatch, None, None]) -> Tally:
        """Steps as of the first epoch, at a learning rate of 0; of the tally it is the waiting that counts."""
        return self._passes.rehearse(batches)


def _clip_names(clips: Clips) -> List[str]:
    """What a run was trained on, in the order that its shuffles count in."""
    return [f"{clip.label}/{clip.path.name}" for clip in clips.train]


def _class_weights(views: Views, clips: Clips) -> Optional[List[float]]:
    if views.balance != "weights":
        return None
    numbers = {label: number for number, label in enumerate(clips.labels)}
    return class_weights([numbers[clip.label] for clip in clips.train], len(numbers))


def _channels_last(network: nn.Module) -> None:
    """Lays out the weights of 2D convolutions for speed; those of 3D ones keep theirs."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)

"""How fast a recipe's training data comes, and how long training waits for it."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Callable, Dict, Generator, List, Set

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.clips.sampling import sample_segments
from edgecvar.errors import StreamError
from edgecvar.nets.batch import ClipBatch
from edgecvar.stream.demuxed import DemuxedFile, demux
from edgecvar.train.augment.looks import CLIP, generator
from edgecvar.train.data.batches import Batches
from edgecvar.train.data.dataset import Clips, read_clips
from edgecvar.train.loop import Training
from edgecvar.train.losses import needs_flow
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe
from edgecvar.train.start.checks import resolve

WARM, COLD = "warm", "cold"
"""Batches of clips as the recipe keeps them, and of clips that are all read again."""
SOUGHT, THROUGH, DECODED = "sought", "read through", "decoded whole"
"""Ways to the sampled pictures of a clip that is not kept, and what all of them are to save."""


class DataConfig(BaseModel):
    """`batches`: of an epoch, at most. `rounds`: medians are of so many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batches: int = Field(20, ge=1)
    rounds: int = Field(3, ge=1)


class Round(BaseModel):
    """One pass over the batches: `alone` with nothing else to do, then with a training step for each.

    Of the second `training` is all of it and `waiting` the part in which the trainer waited for a batch; in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: int
    batches: int
    alone: float
    training: float
    waiting: float


class LongestClip(BaseModel):
    """The clip with the most pictures, of which some are sampled: CPU seconds of every round, by way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    pictures: int
    sampled: int
    cpu_seconds: Dict[str, List[float]]

    def seconds(self, way: str) -> float:
        """The median of the rounds."""
        return median(self.cpu_seconds[way])


class DataSession(BaseModel):
    """What was measured of a recipe; `kept` of the `clips` stay in memory as coded values, in `kept_bytes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Dict[str, str]
    recipe: str
    model: str
    clips: int
    read_seconds: float
    kept: int
    kept_bytes: int
    batch: int
    segments: int
    size: List[int]
    workers: int
    rounds: Dict[str, List[Round]]
    longest: LongestClip

    def clips_per_second(self, state: str) -> float:
        """Of batches alone, the median of the rounds."""
        return median(each.clips / each.alone for each in self.rounds[state])

    def wait_ms(self, state: str) -> float:
        """That of the trainer for one batch."""
        return median(1e3 * each.waiting / each.batches for each in self.rounds[state])

    def step_ms(self, state: str) -> float:
        """One step without the wait before it."""
        return median(1e3 * (each.training - each.waiting) / each.batches for each in self.rounds[state])

    def waiting_share(self, state: str) -> float:
        """The part of training in which it waits."""
        return median(each.waiting / each.training for each in self.rounds[state])


def measure_data(
    recipe: Recipe, name: str, config: DataConfig, machine: Dict[str, str], listener: Listener
) -> DataSession:
    """Reads the clips as a run does, then takes the states in turn; nothing is written. Raises EdgecvarError."""
    recipe = resolve(recipe)
    reencode = recipe.views.augment.reencode
    clips = read_clips(recipe.data, recipe.network, recipe.machine, listener, needs_flow(recipe.course), reencode)
    training = Training(recipe, clips, listener)
    stores = {WARM: clips, COLD: replace(clips, store=clips.store.emptied())}
    views, spec = recipe.views, recipe.network.input
    batches = {state: Batches(views, spec, each, recipe.machine.workers) for state, each in stores.items()}
    rounds: Dict[str, List[Round]] = {state: [] for state in stores}
    with listener.phase("measuring batches", (config.rounds + 1) * len(stores)):
        for number in range(config.rounds + 1):
            for state in sorted(stores, reverse=number % 2 == 0):
                measured = _round(training, batches[state], number, config.batches)
                rounds[state] += [measured] if number else []  # caches fill in, and nothing is known of the files yet
                listener.step()
    return DataSession(
        machine=machine,
        recipe=name,
        model=recipe.network.model,
        clips=len(clips.train) + len(clips.validation),
        read_seconds=clips.report.seconds,
        kept=clips.report.kept,
        kept_bytes=clips.report.kept_bytes,
        batch=views.batch,
        segments=views.segments,
        size=[spec.height, spec.width],
        workers=recipe.machine.workers,
        rounds=rounds,
        longest=_longest(recipe, clips, config.rounds, listener),
    )


def _round(training: Training, batches: Batches, number: int, count: int) -> Round:
    began = time.perf_counter()
    taken = clips = 0
    with closing(batches.training(number + 1)) as alone:
        for batch in islice(alone, count):
            taken, clips = taken + 1, clips + len(batch.labels)
    between = time.perf_counter()
    tally = training.rehearse(_first(batches.training(number + 1), count))
    ended = time.perf_counter()
    return Round(clips=clips, batches=taken, alone=between - began, training=ended - between, waiting=tally.waiting)


def _first(batches: Generator[ClipBatch, None, None], count: int) -> Generator[ClipBatch, None, None]:
    with closing(batches):
        yield from islice(batches, count)


def _longest(recipe: Recipe, clips: Clips, rounds: int, listener: Listener) -> LongestClip:
    """Each round other pictures are sampled, and every way leads to the same ones."""
    sizes = {clip.path: len(clips.store.index(clip.path).display) for clip in clips.train}
    path = max(sizes, key=lambda each: sizes[each])
    ways = _ways(clips, path, sizes[path])
    cpu_seconds: Dict[str, List[float]] = {way: [] for way in ways}
    with listener.phase(f"measuring {path.name}", (rounds + 1) * len(ways)):
        for number in range(rounds + 1):
            rng = generator(recipe.views.seed, number, CLIP)
            samples = sample_segments(clips.store.index(path).windows, recipe.views.segments, rng)
            wanted = {index for sample in samples for index in (sample.appearance, sample.adjacent, sample.picture)}
            for way, take in ways.items():
                began = time.process_time()
                take(wanted)
                cpu_seconds[way] += [time.process_time() - began] if number else []
                listener.step()
    return LongestClip(path=str(path), pictures=sizes[path], sampled=len(samples), cpu_seconds=cpu_seconds)


def _ways(clips: Clips, path: Path, pictures: int) -> Dict[str, Callable[[Set[int]], object]]:
    """Those that there are; what the native core does not read is decoded all the time."""
    sought, through = clips.store.emptied(), clips.store.emptied(seek=False)
    ways: Dict[str, Callable[[Set[int]], object]] = {
        SOUGHT: lambda wanted: sought.clip(path, wanted),
        THROUGH: lambda wanted: through.clip(path, wanted),
    }
    with suppress(StreamError):
        packets = demux(path, pictures)
        ways[DECODED] = lambda wanted: _decode(packets)
    return ways


def _decode(clip: DemuxedFile) -> None:
    with clip.frames() as frames:
        for _ in frames:
            pass

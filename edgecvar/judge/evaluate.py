"""A bundle measured on class folders, through the recognizer that runs it."""

from __future__ import annotations

import math
import re
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgecvar.bundle.exits import ExitChoice, ExitShares
from edgecvar.bundle.manifest import Bundle, Manifest
from edgecvar.bundle.stages import takes_frames
from edgecvar.clips.feed import PictureStream
from edgecvar.clips.labelled import Clip, ClipScore, RunningAnswers, Trace, chance_level, class_clips
from edgecvar.clips.spec import LARGEST_STRIDE
from edgecvar.errors import BundleError, ConfigError, DatasetError, DeviceError, StreamError, named, unknown_name
from edgecvar.predict.multiply_adds import stage_multiply_adds
from edgecvar.run.decisions import softmax
from edgecvar.run.exit_counts import ExitCounts, added
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.choice import RunnerChoice, make_runner, resolve
from edgecvar.runners.onnx import usable_cores
from edgecvar.runners.runner import Runner
from edgecvar.scan.pool import TRIES, each_tried
from edgecvar.scan.pools import opened_pool
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from edgecvar.workers import Died, starting, stop_signal, worker_pool


class EvalConfig(RunnerChoice):
    """`trust`: keys, one of which must have signed the bundle. `match`: a regular expression that file names contain.

    `jobs`: processes; unless given, one a core with ONNX Runtime and one with TensorRT, whose device they would share.
    `traced`: keep every decision of every clip, not their mean alone. `exits`: how sure an early exit must be. `ray`:
    the address of a cluster that runs the clips; it must find bundle and clips under the same paths.
    """

    bundle: Path
    folder: Path
    trust: Optional[Path] = None
    match: Optional[str] = None
    every: Optional[int] = Field(None, ge=1, le=LARGEST_STRIDE)
    jobs: Optional[int] = Field(None, ge=1, le=64)
    as_json: bool = False
    traced: bool = False
    exits: ExitChoice = "auto"
    ray: Optional[str] = None


@dataclass(frozen=True)
class RunScore(ClipScore):
    """A clip's scores by a run, and where its pictures left the network, where they could early."""

    exits: Optional[ExitCounts] = None


@dataclass(frozen=True)
class Evaluation:
    """Outcomes of all clips, in the order of their names. Row i, column j of `confusion`: clips of i taken for j."""

    labels: Sequence[str]
    confusion: NDArray[np.int64]
    undecided: Tuple[Clip, ...]
    unreadable: Tuple[ClipScore, ...]

    @property
    def clips(self) -> int:
        """Clips that could be read; one without a decision counts as wrong."""
        return int(self.confusion.sum()) + len(self.undecided)

    @property
    def top1(self) -> Optional[float]:
        """The part of readable clips that got their label; None without any."""
        return float(np.trace(self.confusion)) / self.clips if self.clips else None

    @property
    def chance(self) -> Optional[float]:
        """The chance level of the readable clips; None without any."""
        return chance_level(self.of_label(label)[0] for label in self.labels)

    def of_label(self, label: str) -> Tuple[int, int]:
        """(clips, correct) of one class."""
        index = list(self.labels).index(label)
        missed = sum(1 for clip in self.undecided if clip.label == label)
        return int(self.confusion[index].sum()) + missed, int(self.confusion[index, index])


def find_clips(
    folder: Path,
    labels: Sequence[str],
    match: Optional[str] = None,
    tell: Callable[[str], None] = lambda line: None,
) -> List[Clip]:
    """FOLDER/<label>/<clip>, by label and name, of folders that are labels; raises DatasetError where it has none.

    `tell` gets a line for each folder that is no label, with the clips that are left out with it.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: not a folder; give one that holds a folder of clips for each class")
    classes = class_clips(folder)
    strange = {label: clips for label, clips in classes.items() if label not in labels}
    lines = [
        f"{folder / label}: {unknown_name('label', label, labels)} (left out: {len(clips)} clips)"
        for label, clips in strange.items()
    ]
    if lines and len(strange) == len(classes):
        raise DatasetError(lines[0])
    clips = matching([clip for label, clips in classes.items() if label not in strange for clip in clips], match)
    if not clips:
        why = f"no file in its class folders matches {match!r}" if match else "no clip in any class folder"
        raise DatasetError(f"{folder}: {why}; expected {folder}/<label>/<clip>")
    for line in lines:
        tell(line)
    return clips


def matching(clips: Sequence[Clip], match: Optional[str]) -> List[Clip]:
    """Those whose file name contains the regular expression; raises ConfigError where it is none."""
    try:
        pattern = re.compile(match or "")
    except re.error as error:
        raise ConfigError(f"--match {match!r} is not a regular expression: {error}") from error
    return [clip for clip in clips if pattern.search(clip.path.name)]


def score_clip(
    clip: Clip,
    manifest: Manifest,
    runner: Runner,
    every: Optional[int],
    stopped: Callable[[], bool] = lambda: False,
    traced: bool = False,
    exits: ExitChoice = "auto",
) -> ClipScore:
    """Run one clip to its end, or until `stopped`; what cannot be read becomes a result, never a guess.

    Raises BundleError or DeviceError, with the clip, where it is the bundle that fails.
    """
    total = np.zeros(len(manifest.labels), np.float64)
    times: List[float] = []
    classes: List[int] = []
    kept: List[NDArray[np.float32]] = []
    try:
        with open_stream(clip.path, frames=takes_frames(manifest.stages), on_demand=True) as stream:
            timed = _Timed(stream)
            with recognize(timed, manifest, runner, RunOptions(every=every, top=1, exits=exits)) as decisions:
                for decision in decisions:
                    total += decision.scores
                    times.append(decision.pts_seconds)
                    classes.append(int(np.argmax(total)))
                    if traced:
                        kept.append(softmax(decision.scores).astype(np.float32))
                    if stopped():
                        break
    except StreamError as error:
        return ClipScore(clip, None, str(error))
    except (BundleError, DeviceError) as error:
        raise named(str(clip.path), error) from error
    if not times:
        return ClipScore(clip, None)
    answers = RunningAnswers(np.array(times) - timed.first, np.array(classes, np.int64))
    trace = Trace(np.array(times), np.array(kept), timed.duration) if traced else None
    return RunScore(clip, total / len(times), answers=answers, trace=trace, exits=decisions.summary.exits)


def exit_shares(bundle: Bundle, results: Sequence[ClipScore]) -> Optional[ExitShares]:
    """Where the pictures of all clips left the bundle's network; None where none could early."""
    counts = [each.exits for each in results if isinstance(each, RunScore) and each.exits is not None]
    return added(counts).shares(stage_multiply_adds(bundle), bundle.manifest.stages) if counts else None


class _Timed:
    """A stream that notes when its first picture, and the last so far, is displayed, before a decision comes of it."""

    def __init__(self, stream: PictureStream) -> None:
        self.info, self.summary = stream.info, stream.summary
        self.first, self.last = math.inf, -math.inf
        self._stream = stream

    def __iter__(self) -> Iterator[CodedPicture]:
        for picture in self._stream:
            if picture.shown:
                self.first = min(self.first, picture.pts_seconds)
                self.last = max(self.last, picture.pts_seconds)
            yield picture

    @property
    def duration(self) -> float:
        """Seconds from the first picture to the end of the last."""
        return max(0.0, self.last - self.first) + 1.0 / float(self.info.fps)


def tally(labels: Sequence[str], results: Sequence[ClipScore]) -> Evaluation:
    """Count outcomes; of equal scores the label listed first is taken."""
    index = {label: number for number, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for result in results:
        if result.scores is not None:
            confusion[index[result.clip.label], int(np.argmax(result.scores))] += 1
    return Evaluation(
        labels=labels,
        confusion=confusion,
        undecided=tuple(each.clip for each in results if each.scores is None and each.error is None),
        unreadable=tuple(each for each in results if each.error is not None),
    )


def score_clips(bundle: Bundle, clips: Sequence[Clip], config: EvalConfig) -> Iterator[ClipScore]:
    """Outcomes in the order of `clips`; raises ConfigError or BundleError where the runner cannot be had.

    Unless more are asked for, one thread computes each clip, so that `jobs` does not change a bit of them.
    """
    engine, _ = resolve(bundle, config)
    if engine == "trt" and (config.jobs or 1) > 1:
        raise ConfigError(f"--jobs {config.jobs}: TensorRT's device takes one process; leave it out")
    choice = config.model_copy(update={"threads": config.threads or 1 if engine == "onnx" else None})
    if config.ray is not None:
        yield from _on_cluster(bundle, clips, config, choice)
        return
    jobs = min(config.jobs or usable_cores(), len(clips)) if engine == "onnx" else 1
    if jobs == 1:
        with make_runner(bundle, choice) as runner:
            for clip in clips:
                yield score_clip(clip, bundle.manifest, runner, config.every, traced=config.traced, exits=config.exits)
        return
    stop = stop_signal()
    with worker_pool(jobs, _enter_worker, (bundle, choice, stop)) as pool:
        with starting():
            futures = [pool.submit(_score_here, clip, config.every, config.traced, config.exits) for clip in clips]
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise DatasetError(
                "a worker process died while it ran a clip (killed for memory, or a crash in the decoder); "
                "run again with --jobs 1 to see which clip"
            ) from error
        finally:
            stop.set()  # leaving waits for the workers, and their clips may be long
            _cancel(futures)


def _on_cluster(bundle: Bundle, clips: Sequence[Clip], config: EvalConfig, choice: RunnerChoice) -> Iterator[ClipScore]:
    work = partial(_score_here, every=config.every, traced=config.traced, exits=config.exits)
    waiting: Dict[Clip, ClipScore] = {}
    due = 0
    enter = partial(_enter, replace(bundle, path=bundle.path.absolute()), choice)
    gpus = int(resolve(bundle, config)[0] == "trt")  # which tasks that shared one would fill, and build engines in
    with opened_pool(config.ray, config.jobs, gpus) as pool, closing(each_tried(pool, work, clips, enter)) as results:
        for clip, score in results:
            if isinstance(score, Died):
                raise DatasetError(f"{clip.path}: the process that ran it died {TRIES} times; leave it out (--match)")
            waiting[clip] = score
            while due < len(clips) and clips[due] in waiting:
                yield waiting.pop(clips[due])
                due += 1


def _cancel(futures: Sequence[Future[ClipScore]]) -> None:
    for future in futures:
        future.cancel()


_WORKER: Dict[str, Any] = {}
"""What one worker process keeps from clip to clip: its manifest, its entered runner, whether to stop."""


def _enter_worker(bundle: Bundle, choice: RunnerChoice, stop: Event) -> None:
    _enter(bundle, choice, stop.is_set)


def _enter(bundle: Bundle, choice: RunnerChoice, stopped: Callable[[], bool]) -> None:
    stack = ExitStack()
    runner = stack.enter_context(make_runner(bundle, choice))
    _WORKER.update(manifest=bundle.manifest, runner=runner, stack=stack, stopped=stopped)


def _score_here(clip: Clip, every: Optional[int], traced: bool, exits: ExitChoice) -> ClipScore:
    return score_clip(clip, _WORKER["manifest"], _WORKER["runner"], every, _WORKER["stopped"], traced, exits)

"""A data set prepared: what is whole is left as it is, the rest done on all cores, all of it written down."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from edgecvar.datasets.clip import Job, Outcome, Prepared, enter_worker, file_stamp, prepare_clip, stamp_of
from edgecvar.datasets.journal import STATE, Journal, Remembered, remembered, write_manifest
from edgecvar.datasets.lists import Stretch, kinetics_lists, kinetics_stretches
from edgecvar.datasets.papers import Settings
from edgecvar.datasets.sources import Found, LeftOut, Source, find_sources
from edgecvar.errors import ConfigError, DatasetError
from edgecvar.files import check_writable, draft_folder, only_user
from edgecvar.workers import Died, each_apart

_DIED = "the process that prepared it died, as decoders do of some files, or memory ran out; the same command retries"
_FLAGS = {"as": "--as", "fps": "--fps"}
Elsewhere = Callable[[Sequence[Job]], Generator[Tuple[Job, Union[Outcome, Died]], None, None]]
"""What does jobs and gives them with their outcomes, as `each_apart` does."""
LISTS_IN = ("", "annotations", "lists")
"""Where in a data set its lists are looked for."""


@dataclass(frozen=True)
class Request:
    """`data` is prepared into `folder` by so many processes, by this one where they are 0.

    `trim`: the folder of Kinetics' lists, None for those in `data`; `trimmed` False: nothing is cut.
    """

    data: Path
    folder: Path
    settings: Settings
    workers: int = 1
    trim: Optional[Path] = None
    trimmed: bool = True


@dataclass(frozen=True)
class Plan:
    """What there is to do: `kept` clips are whole, `gone` ones too, though their sources are not there any more."""

    request: Request
    settings: Mapping[str, Any]
    todo: List[Job]
    kept: List[Prepared]
    gone: List[Prepared]
    left_out: List[LeftOut]

    @property
    def clips(self) -> int:
        """All that the data set holds, whatever becomes of it."""
        return len(self.todo) + len(self.kept) + len(self.left_out)


@dataclass(frozen=True)
class Result:
    """What is in the folder, and what was left out; `done` of the clips were prepared now."""

    clips: List[Prepared]
    left_out: List[LeftOut]
    done: int
    gone: int


def plan_preparation(request: Request) -> Plan:
    """Looks at both folders and writes nothing; raises ConfigError and DatasetError."""
    _check_places(request.data, request.folder)
    return _planned(request, find_sources(request.data, _stretches(request)), request.folder / STATE)


def _planned(request: Request, found: Found, drafts: Path) -> Plan:
    folder, settings = request.folder, request.settings.document()
    before = _before(request, settings)
    known = {} if before is None else dict(before.clips)
    todo, kept = [], []
    for source in found.sources:
        clip = known.pop(source.output, None)
        if clip is not None and clip.is_of(source) and _as_it_was(source, folder / source.output, clip):
            kept.append(clip)
        else:
            todo.append(Job(source, request.settings, folder, drafts, clip))
    gone = [clip for clip in known.values() if _is_there(folder / clip.output, clip)]
    return Plan(request, settings, todo, kept, gone, found.left_out)


def prepare(
    request: Request,
    on_clip: Callable[[int, int], None] = lambda done, clips: None,
    elsewhere: Optional[Elsewhere] = None,
) -> Result:
    """Prepares what is not; `on_clip` is told how many of how many clips are done. Raises EdgecvarError.

    `elsewhere` does the work in place of processes of this machine; it must find all folders under the same paths.

    Whatever ends it, all files in the folder are whole, and the same request goes on where this one was.
    """
    _check_places(request.data, request.folder)
    _before(request, request.settings.document())
    found = find_sources(request.data, _stretches(request))
    check_writable(request.folder)
    state = request.folder / STATE
    state.mkdir(parents=True, exist_ok=True)
    try:
        with only_user(state), draft_folder(state) as drafts:
            return _carried_out(_planned(request, found, drafts), on_clip, elsewhere)
    except BlockingIOError:
        raise ConfigError(f"{request.folder}: another `edgecvar prepare` is at work in it; let it end") from None


def _carried_out(plan: Plan, on_clip: Callable[[int, int], None], elsewhere: Optional[Elsewhere]) -> Result:
    request = plan.request
    clips, left_out, done = [*plan.kept], [*plan.left_out], 0
    on_clip(len(clips) + len(left_out), plan.clips)
    with Journal(request.folder, plan.settings, str(request.data.resolve())) as journal:
        for job, outcome in _outcomes(plan.todo, request.workers, elsewhere):
            if isinstance(outcome, LeftOut):
                left_out.append(outcome)
                _take_away(job)
            else:
                done += isinstance(outcome, Prepared)
                clips.append(outcome if isinstance(outcome, Prepared) else outcome.clip)
                journal.add(clips[-1])
            on_clip(len(clips) + len(left_out), plan.clips)
    clips += plan.gone
    left_out.sort(key=lambda each: each.name)
    if clips:
        write_manifest(request.folder, plan.settings, clips, left_out)
    return Result(clips, left_out, done, len(plan.gone))


def _outcomes(jobs: Sequence[Job], workers: int, elsewhere: Optional[Elsewhere]) -> Iterator[Tuple[Job, Outcome]]:
    if workers == 0 and elsewhere is None:
        yield from ((job, prepare_clip(job)) for job in jobs)
        return
    here = partial(each_apart, prepare_clip, processes=max(1, min(workers, len(jobs))), enter=enter_worker)
    with closing((elsewhere or here)(jobs)) as results:
        for job, outcome in results:
            yield job, LeftOut(job.source.name, _DIED) if isinstance(outcome, Died) else outcome


def _check_places(data: Path, folder: Path) -> None:
    """Raises ConfigError where one folder lies in the other: sources and clips would be taken for each other."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; -o is the folder to prepare into")
    if (folder / STATE).is_symlink():
        raise ConfigError(f"{folder / STATE}: is a link, where this command's own notes belong; remove it")
    source, target = Path(os.path.realpath(data)), Path(os.path.realpath(folder))
    if source == target or source in target.parents or target in source.parents:
        raise ConfigError(f"{folder}: is {data} itself, lies in it or holds it; prepare into a folder beside it")


def _before(request: Request, settings: Mapping[str, Any]) -> Optional[Remembered]:
    """What was prepared there; raises ConfigError where that was something else, or files of others lie there."""
    folder, before = request.folder, remembered(request.folder)
    if before is None:
        if folder.is_dir() and any(entry.name != STATE for entry in folder.iterdir()):
            raise ConfigError(f"{folder}: is not empty, and not prepared by this command; name a new folder")
        return None
    for key in (*settings, *before.settings):
        was, is_now = before.settings.get(key), settings.get(key)
        if was != is_now:
            differs = f"{_FLAGS.get(key, key)} {_worded(was)}, not {_worded(is_now)}"
            raise ConfigError(f"{folder}: holds clips prepared with {differs}; use the same again, or a new folder")
    if before.data != str(request.data.resolve()) and os.path.isdir(before.data):
        raise ConfigError(f"{folder}: holds clips of {before.data}, not of {request.data}; name a new folder")
    return before


def _worded(value: Any) -> str:
    return ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)


def _stretches(request: Request) -> Dict[str, List[Stretch]]:
    if not request.trimmed:
        return {}
    if request.trim is None:
        places = [request.data / place for place in LISTS_IN]
        return kinetics_stretches([sheet for place in places if place.is_dir() for sheet in kinetics_lists(place)])
    sheets = kinetics_lists(request.trim) if request.trim.is_dir() else []
    if not sheets:
        raise DatasetError(
            f"{request.trim}: no train.csv, val.csv or test.csv with youtube_id, time_start and time_end in it; "
            "--trim is the folder of Kinetics' lists"
        )
    return kinetics_stretches(sheets)


def _as_it_was(source: Source, output: Path, clip: Prepared) -> bool:
    """Whether neither file has been touched since; where one has, their bytes decide."""
    try:
        return (stamp_of(source), file_stamp(output)) == (clip.source_stamp, clip.stamp)
    except OSError:
        return False


def _is_there(output: Path, clip: Prepared) -> bool:
    try:
        return file_stamp(output).bytes == clip.stamp.bytes
    except OSError:
        return False


def _take_away(job: Job) -> None:
    """The clip of a source, or a stretch, that has changed since and gives none any more."""
    if job.known is not None:
        with suppress(OSError):
            (job.folder / job.source.output).unlink()

"""Coded values of many videos, each in a file of its own, written by a pool."""

from __future__ import annotations

import glob
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import unquote, urlsplit

from pydantic import Field

from edgecvar.errors import ConfigError, StreamError, need_extra, reason
from edgecvar.progress import Progress, silent
from edgecvar.scan.failures import Unwanted, death_of, failure_of
from edgecvar.scan.pool import Pool, each_tried
from edgecvar.scan.progress import ScanProgress
from edgecvar.scan.sources import find_listed, opened_source, stamped
from edgecvar.scan.values import Listed
from edgecvar.sinks.coded_values import made_with
from edgecvar.sinks.extraction import ExtractionConfig, ExtractionSettings, ExtractionSummary, extract
from edgecvar.stream.sources.opening import is_source, path_of, without_password
from edgecvar.workers import Died


class FolderConfig(ExtractionSettings):
    """`sources`: files, folders, patterns, URLs. `output`: the folder that gets a file a video, of `form`.

    `workers`: processes, by default one a core. `ray`: the address of a cluster that does the work instead.
    """

    sources: Tuple[str, ...] = Field(min_length=1)
    output: Path
    form: Literal["npz", "parquet"] = "npz"
    workers: Optional[int] = Field(None, ge=1, le=1024)
    ray: Optional[str] = None


@dataclass(frozen=True)
class Wanted:
    """A video, and the file that its values go to."""

    source: Listed
    output: Path


@dataclass
class FolderSummary:
    """What was written; `before` videos had their file already. `failures`: source and reason, as text."""

    videos: int = 0
    before: int = 0
    pictures: int = 0
    vectors: int = 0
    inexact: int = 0
    skipped: int = 0
    without_residual: int = 0
    failures: List[Tuple[str, str]] = field(default_factory=list)

    def count(self, written: ExtractionSummary) -> None:
        """One more file is there."""
        self.pictures += written.pictures
        self.vectors += written.vectors
        self.inexact += written.inexact
        self.skipped += written.skipped
        self.without_residual += sum(written.without_residual.values())


def find_wanted(config: FolderConfig) -> List[Wanted]:
    """All videos and their files, which lie in the folder as the videos lie below what named them.

    Raises DatasetError where an argument names nothing, ConfigError where two videos would have one file.
    """
    found: Dict[str, Wanted] = {}
    taken: Dict[Path, str] = {}
    for argument in config.sources:
        for source in find_listed([argument]):
            if source.name in found:
                continue
            output = config.output / f"{_inner_name(source.name, argument)}.{config.form}"
            if output in taken:
                if _is_same(taken[output], source.name):
                    continue
                both = f"{without_password(taken[output])} and {without_password(source.name)}"
                raise ConfigError(f"--output {config.output}: {both} would both be {output}; extract them into two")
            found[source.name], taken[output] = Wanted(source, output), source.name
    return list(found.values())


def _is_same(name: str, other: str) -> bool:
    path = path_of(name)
    return path is not None and is_source(other, path)


def _inner_name(name: str, argument: str) -> PurePosixPath:
    """Where below a folder a video's file goes; nothing of a name leads out of it."""
    local, root = path_of(name), path_of(argument)
    if local is not None and root is not None:
        inner, base = PurePosixPath(local), root if root.is_dir() else Path(_plain(str(root)))
    else:
        inner, base = PurePosixPath(_remote_path(name)), Path(_plain(_remote_path(argument)))
    with suppress(ValueError):
        inner = inner.relative_to(base)
    # A file that an argument names itself is its name alone, and so is what a server calls otherwise.
    parts = [each for each in inner.parts if each not in ("/", "..")]
    return PurePosixPath(*(parts if not inner.is_absolute() else parts[-1:]))


def _plain(pattern: str) -> str:
    """The folder that a pattern, or a file's name, begins with."""
    parts = PurePosixPath(pattern).parts
    if pattern.endswith("/") and not glob.has_magic(pattern):
        return pattern
    ends = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return str(PurePosixPath(*parts[:ends]))


def _remote_path(name: str) -> str:
    place = name.partition("::")[0]
    address = urlsplit(place)
    return unquote(f"/{address.netloc}{address.path}") if address.scheme.startswith("http") else f"/{place}"


def extract_all(config: FolderConfig, wanted: Sequence[Wanted], pool: Pool, tell: Progress = silent) -> FolderSummary:
    """Writes the files that are not there, or of other settings, or of a video that has changed; tells how far it is.

    Killed at any moment it leaves whole files alone, and begun again it goes on. Raises ConfigError where the folder
    cannot be written.
    """
    _check(config)
    summary = FolderSummary(len(wanted))
    settings = {name: getattr(config, name) for name in ExtractionSettings.model_fields}
    todo = [job for job in (_job(each, settings) for each in wanted) if made_with(job.output) != job.made]
    sizes = {each.source.name: each.source.size for each in wanted}
    summary.before = len(wanted) - len(todo)
    progress = ScanProgress(tell, len(todo), sum(sizes[job.source] for job in todo), "videos")
    with closing(each_tried(pool, extract_one, todo, begin_worker)) as results:
        for job, result in results:
            if isinstance(result, ExtractionSummary):
                summary.count(result)
            else:
                name = without_password(job.source)
                summary.failures.append((name, death_of(name) if isinstance(result, Died) else result))
            progress.advance(sizes[job.source], done=True, failed=not isinstance(result, ExtractionSummary))
    return summary


def _check(config: FolderConfig) -> None:
    if config.form == "parquet":
        need_extra("parquet", "writing .parquet", "pyarrow")
        if config.residual == "planes":
            raise ConfigError("--residual planes: a table has no room for planes; leave --format out")
    try:
        config.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output {config.output}: cannot be made ({reason(error)}); choose another") from error


def _job(wanted: Wanted, settings: Mapping[str, Any]) -> ExtractionConfig:
    source = wanted.source
    return ExtractionConfig(
        source=source.name, output=wanted.output, whole=True, stamp=source.stamp, threads=1, **settings
    )


_STOPPED: Dict[str, Callable[[], bool]] = {}
"""In a process: what tells it that its work is not wanted any more."""


def begin_worker(stopped: Callable[[], bool]) -> None:
    """What a process begins with."""
    _STOPPED["stopped"] = stopped


def extract_one(job: ExtractionConfig) -> Union[ExtractionSummary, str]:
    """Writes one file; what is wrong with its video is told, and then there is none. Raises Unwanted."""

    def follow(pictures: int) -> None:
        if _STOPPED["stopped"]():
            raise Unwanted(f"{job.source}: nobody waits for it any more")

    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        with opened_source(job.source, job.timeout) as opened:
            summary = extract(job, follow, opened)
        if path_of(job.source) is not None and stamped(job.source).stamp != job.stamp:
            raise StreamError("it changed while it was read; the same command reads it again")
    except Unwanted:
        raise
    except Exception as error:  # whatever is wrong with one video, the others are to be read
        with suppress(OSError):  # a file of before is of other settings, or of what the video was
            job.output.unlink()
        return failure_of(job.source, error)
    return summary

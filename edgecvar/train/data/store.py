"""The clips of a run: read once on several processes, kept while memory allows, read again when not."""

from __future__ import annotations

import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Collection, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple, Union

from edgecvar.clips.labelled import Clip
from edgecvar.clips.spec import CODED, InputSpec
from edgecvar.errors import DatasetError, EdgecvarError, named
from edgecvar.train.data.near_repeats import LOOKED_AT, Looks, looks_of
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.data.rereading import ClipIndex, Rereader
from edgecvar.workers import starting, worker_pool

AHEAD = 2
"""Clips in flight a reading process: enough to keep it busy, few enough to bound memory."""


@dataclass
class ScanReport:
    """What the first reading found: clips left out with the reason, packets that gave no picture, how long it took.

    `looks`: what clips look like, of those that were read with their values.
    """

    unreadable: List[str] = field(default_factory=list)
    damaged: List[str] = field(default_factory=list)
    kept: int = 0
    kept_bytes: int = 0
    looks: Dict[Path, Looks] = field(default_factory=dict, compare=False)
    seconds: float = field(default=0.0, compare=False)


class ClipStore:
    """Clips by path, with what the inputs `sources` are made of and nothing else.

    Keeping stops when `cache_bytes` are full: an epoch visits all, so evicting would not help. Of the clips that come
    then it is only found out what there is to sample.
    """

    def __init__(self, spec: InputSpec, cache_bytes: int, sources: Collection[str] = CODED) -> None:
        self._spec, self._sources = spec, frozenset(sources)
        self._room, self._full = cache_bytes, not cache_bytes
        self._again = Rereader(spec, self._sources)
        self._memory: Dict[Path, RecordedClip] = {}
        self._index: Dict[Path, ClipIndex] = {}

    def scan(
        self,
        clips: Sequence[Clip],
        *,
        workers: int,
        skip_unreadable: bool,
        on_clip: Callable[[], None],
    ) -> Tuple[List[Clip], ScanReport]:
        """Read every clip once; returns the readable ones in order, and what was found.

        Raises DatasetError that names the first unreadable clip, unless they may be skipped.
        """
        report, began = ScanReport(), time.monotonic()
        readable = []
        paths = [clip.path for clip in clips]
        with _Readings(_Reader(self._spec, self._sources), paths, workers, lambda: not self._full) as readings:
            for clip, reading in zip(clips, readings):
                if isinstance(reading, EdgecvarError):
                    report.unreadable.append(unreadable(clip.path, reading, skip_unreadable))
                else:
                    readable.append(clip)
                    self._take(clip.path, reading, report)
                on_clip()
        report.seconds = time.monotonic() - began
        return readable, report

    def emptied(self, seek: bool = True) -> ClipStore:
        """One that knows the same clips and has kept none; without `seek` it reads them from their beginnings."""
        store = ClipStore(self._spec, 0, self._sources)
        store._index = {path: replace(index, sound=index.sound and seek) for path, index in self._index.items()}
        return store

    def index(self, path: Path) -> ClipIndex:
        """What a scanned clip is made of."""
        return self._index[path]

    def clip(self, path: Path, pictures: Set[int]) -> RecordedClip:
        """A clip with at least those pictures; raises DatasetError when it can no longer be read."""
        clip = self._memory.get(path)
        if clip is not None:
            return clip
        try:
            clip = self._again.pictures(path, self._index[path], pictures)
        except EdgecvarError as error:
            raise DatasetError(f"{_named(path, error)}; it could be read when the run began") from error
        missing = pictures - clip.images.keys() - clip.values.keys()
        if missing:
            raise DatasetError(f"{path}: picture {min(missing)} is gone; the file changed since the run began")
        return clip

    def _take(self, path: Path, clip: RecordedClip, report: ScanReport) -> None:
        if clip.skipped:
            report.damaged.append(f"{path}: {clip.skipped} packets gave no picture")
        if clip.undecoded:
            report.damaged.append(f"{path}: {clip.undecoded} pictures cannot be decoded and are left out")
        if clip.cut:
            report.damaged.append(f"{path}: left out from where its pictures are of another size")
        looks = looks_of(clip)
        if looks is not None:
            report.looks[path] = looks
        if "image" not in self._sources:
            clip = replace(clip, images={})
        self._index[path] = ClipIndex.of(clip)
        if clip.values and clip.size <= self._room:
            self._room -= clip.size
            self._memory[path] = clip
            report.kept += 1
            report.kept_bytes += clip.size
        else:
            self._full = True


Reading = Union[RecordedClip, EdgecvarError]
"""A clip that was read, or why it cannot be."""


def unreadable(path: Path, error: EdgecvarError, skip: bool) -> str:
    """The line that names an unreadable clip; raises DatasetError where such clips may not be skipped."""
    line = _named(path, error)
    if not skip:
        raise DatasetError(f"{line}; repair or remove it, or set skip_unreadable=true") from error
    return line


def _named(path: Path, error: EdgecvarError) -> str:
    """The cause, led by the file's name once."""
    return f"unreadable clip {named(str(path), error)}"


@dataclass(frozen=True)
class _Reader:
    """Reads a whole clip, with `values` or without, here or in another process."""

    spec: InputSpec
    sources: FrozenSet[str]

    def __call__(self, path: Path, values: bool) -> Reading:
        try:
            return read_clip(path, self.spec, self.sources, values, shown=LOOKED_AT)
        except EdgecvarError as error:
            return type(error)(str(error))


class _Readings:
    """The clips of `paths` in their order, read on `workers` processes or, with 0 or few clips, in line.

    `values` says of each that is about to be read whether its values are wanted.
    """

    def __init__(self, reader: _Reader, paths: Sequence[Path], workers: int, values: Callable[[], bool]) -> None:
        self._reader, self._paths, self._values = reader, paths, values
        self._workers = workers if len(paths) > 4 * workers else 0
        self._pool: Optional[ProcessPoolExecutor] = None

    def __enter__(self) -> Iterator[Reading]:
        if self._workers < 2:
            return (self._reader(path, self._values()) for path in self._paths)
        self._pool = worker_pool(self._workers)
        return self._pooled(self._pool)

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _pooled(self, pool: ProcessPoolExecutor) -> Iterator[Reading]:
        waiting: List[Future[Reading]] = []
        paths = iter(self._paths)
        for path in paths:
            with starting():
                waiting.append(pool.submit(self._reader, path, self._values()))
            if len(waiting) >= AHEAD * self._workers:
                yield _result(waiting.pop(0))
        while waiting:
            yield _result(waiting.pop(0))


def _result(future: Future[Reading]) -> Reading:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DatasetError(
            "a process that reads clips died (out of memory?); try workers=0, which reads them one by one"
        ) from error

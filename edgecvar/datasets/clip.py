"""One clip prepared: decoded, brought to one size and rate, encoded, put in its place whole."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple, Union

import av
from av.codec.codec import UnknownCodecError

from edgecvar.datasets.papers import Settings
from edgecvar.datasets.pictures import shown
from edgecvar.datasets.sources import LeftOut, Source, numbered_stills
from edgecvar.datasets.transcoding import transcode
from edgecvar.errors import EdgecvarError, StreamError, reason
from edgecvar.files import sha256_of

_WORKER: Dict[str, Callable[[], bool]] = {}
"""In a worker process: whether what it does is still wanted."""
# What FFmpeg says where the fault is not with what it reads.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)


@dataclass(frozen=True)
class Stamp:
    """A file as the system lists it, a folder of stills by the sum and the newest of them."""

    bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Prepared:
    """A clip that is in place, and what became of its source.

    `pictures` are those of the clip, `fps` theirs a second. `repeated` fill places where the source had none, `dropped`
    came in the place of another, `interlaced` were two fields; `lost` counts by reason what could not be decoded.
    """

    source: str
    output: str
    stretch: Optional[Tuple[int, int]]
    source_sha256: str
    source_stamp: Stamp
    sha256: str
    stamp: Stamp
    pictures: int
    fps: str
    repeated: int = 0
    dropped: int = 0
    interlaced: int = 0
    lost: Dict[str, int] = field(default_factory=dict)

    def is_of(self, source: Source) -> bool:
        """Whether it was made of that source, and of no other part of it."""
        return (self.source, self.stretch) == (source.name, source.stretch)


@dataclass(frozen=True)
class Job:
    """A clip to prepare in `folder`; `known`: what an earlier run says of it.

    Drafts lie in `drafts`, which is the running command's own, and on the file system of `folder`.
    """

    source: Source
    settings: Settings
    folder: Path
    drafts: Path
    known: Optional[Prepared] = None


@dataclass(frozen=True)
class Kept:
    """A clip that was whole, though its times or those of its source were others."""

    clip: Prepared


Outcome = Union[Prepared, Kept, LeftOut]


def enter_worker(stop: Event) -> None:
    """What a worker process begins with; it leaves its work once `stop` is set."""
    begin_where(stop.is_set)


def begin_where(stopped: Callable[[], bool]) -> None:
    """The same, of a process that is told so in another way."""
    _WORKER["stopped"] = stopped


def prepare_clip(job: Job) -> Outcome:
    """Writes the clip, or finds it whole; raises EdgecvarError where nothing can be written."""
    source, output = job.source, job.folder / job.source.output
    try:
        stamp, digest = stamp_of(source), _digest(source)
    except OSError as error:
        return LeftOut(source.name, f"cannot be read ({reason(error)})")
    known = job.known
    if known is not None and known.is_of(source) and known.source_sha256 == digest and _is_whole(output, known):
        return Kept(replace(known, source_stamp=stamp, stamp=file_stamp(output)))
    try:
        return _written(job, digest, stamp)
    except StreamError as error:
        return LeftOut(source.name, str(error).replace(f"{source.path}: ", "", 1))
    except UnknownCodecError as error:
        raise EdgecvarError(f"this PyAV has no {error} encoder; install PyAV from its wheel") from error
    except EdgecvarError:
        raise
    except Exception as error:  # whatever is wrong with one file, the others are to be prepared
        if isinstance(error, OSError) and (not isinstance(error, av.FFmpegError) or error.errno in _OF_THE_DISK):
            raise EdgecvarError(
                f"{output}: cannot be written ({reason(error)}); once it can, the same command goes on"
            ) from error
        return LeftOut(source.name, f"cannot be encoded ({type(error).__name__}: {reason(error)})")


def stamp_of(source: Source) -> Stamp:
    """Raises OSError."""
    files = [each.stat() for each in (numbered_stills(source.path) if source.stills else [source.path])]
    return Stamp(sum(each.st_size for each in files), max((each.st_mtime_ns for each in files), default=0))


def file_stamp(path: Path) -> Stamp:
    """Raises OSError, of a link too: nothing that was written here is one."""
    found = path.lstat()
    return Stamp(found.st_size, found.st_mtime_ns)


def _digest(source: Source) -> str:
    """Hex sha256 of a file; of a folder of stills that of the lines `<sha256>  <name>` of them, sorted by name."""
    if not source.stills:
        return sha256_of(source.path)
    stills = sorted(numbered_stills(source.path), key=lambda still: still.name)
    lines = "".join(f"{sha256_of(still)}  {still.name}\n" for still in stills)
    return hashlib.sha256(lines.encode()).hexdigest()


def _is_whole(output: Path, known: Prepared) -> bool:
    try:
        return file_stamp(output).bytes == known.stamp.bytes and sha256_of(output) == known.sha256
    except OSError:
        return False


def _written(job: Job, digest: str, stamp: Stamp) -> Prepared:
    source, output = job.source, job.folder / job.source.output
    _check_inside(output, job.folder)
    draft = job.drafts / f"{secrets.token_hex(8)}{output.suffix}"
    try:
        with shown(source) as opened:
            coding = job.settings.coding(opened.fps)
            tally = transcode(opened, draft, coding, _WORKER.get("stopped", _never))
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        sha256 = sha256_of(draft)
        output.parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft, output)
    finally:
        if draft.exists():
            draft.unlink()
    return Prepared(
        source=source.name,
        output=source.output,
        stretch=source.stretch,
        source_sha256=digest,
        source_stamp=stamp,
        sha256=sha256,
        stamp=file_stamp(output),
        pictures=tally.pictures,
        fps=str(coding.fps),
        repeated=tally.repeated,
        dropped=tally.dropped,
        interlaced=tally.interlaced,
        lost=dict(opened.lost),
    )


def _never() -> bool:
    return False


def _check_inside(output: Path, folder: Path) -> None:
    """Raises EdgecvarError where a link in the folder would lead what is written out of it."""
    real = Path(os.path.realpath(output.parent))
    root = folder.resolve()
    if real != root and root not in real.parents:
        raise EdgecvarError(f"{output.parent}: a link leads out of {folder}, where nothing is written; remove it")

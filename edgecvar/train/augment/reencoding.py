"""One clip encoded anew: decoded once, into all of its variants that are not there yet."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Union

import av
import numpy as np
from numpy.typing import NDArray

from edgecvar.clips.prepare import displayed_size
from edgecvar.errors import DatasetError, EdgecvarError, StreamError, reason
from edgecvar.files import sha256_of, whole_file
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.types import StreamInfo
from edgecvar.train.augment.encoding import Encoder, Shown, drawn_encoding
from edgecvar.train.augment.settings import Reencode

_WORKER: Dict[str, Callable[[], bool]] = {}
"""In a worker process: whether what it does is still wanted."""


@dataclass(frozen=True)
class Job:
    """A clip of which `pictures` are shown, and the folder for its variants."""

    path: Path
    info: StreamInfo
    pictures: int
    settings: Reencode
    folder: Path


Outcome = Union[List[Path], EdgecvarError]
"""The files of a clip's variants, in their order; or why there are none, a StreamError where it is the clip's fault."""


def enter_worker(stop: Event) -> None:
    """What a worker process begins with; it leaves its work once `stop` is set."""
    _WORKER["stopped"] = stop.is_set


def reencode(job: Job) -> Outcome:
    """Write the variants, each of which appears whole or not at all."""
    try:
        return _reencode(job)
    except EdgecvarError as error:
        return type(error)(str(error))  # without what cannot go to another process


def _reencode(job: Job) -> List[Path]:
    try:
        digest = sha256_of(job.path)[:32]
    except OSError as error:
        raise DatasetError(f"{job.path}: cannot read the clip ({reason(error)}); it could be read before") from error
    files = [job.folder / f"{digest}-{variant}.mp4" for variant in range(job.settings.variants)]
    missing = [variant for variant, file in enumerate(files) if not file.is_file()]
    if not missing:
        return files
    height, width = displayed_size(job.info)
    shown = Shown(width, height, job.info.fps, job.pictures)
    seed = [job.settings.seed, *np.frombuffer(bytes.fromhex(digest), np.uint32).tolist()]
    try:
        with ExitStack() as stack:
            encoders = []
            for variant in missing:
                encoding = drawn_encoding(job.settings, shown, np.random.default_rng([*seed, variant]))
                draft = stack.enter_context(whole_file(files[variant]))
                encoders.append(stack.enter_context(Encoder(draft, encoding)))
            for image in _pictures(job):
                for encoder in encoders:
                    encoder.push(image)
    except (av.FFmpegError, OSError) as error:
        raise DatasetError(
            f"{job.path}: cannot be encoded into {job.folder} ({reason(error)}); set augment.reencode.cache"
        ) from error
    return files


def _pictures(job: Job) -> Iterator[NDArray[np.uint8]]:
    """As displayed; raises StreamError where others are decoded than are read, up to where the size changes."""
    decoded = 0
    size = job.info.height, job.info.width
    for picture in decoded_pictures(job.path, job.info.extraction):
        if _WORKER.get("stopped", _never)():
            raise DatasetError(f"{job.path}: nobody waits for its variants any more")
        if picture.image.shape[:2] != size:
            break
        decoded += 1
        yield np.rot90(picture.image, job.info.rotation // 90)
    if decoded != job.pictures:
        raise StreamError(f"{job.pictures} pictures are read and {decoded} decoded")


def _never() -> bool:
    return False

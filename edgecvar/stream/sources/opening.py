"""Opening a source: one clear error for everything that is not a video."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Union

import av
import av.logging

from edgecvar.errors import StreamError, reason
from edgecvar.stream.sources.pipe import ByteSource, Unseekable

if TYPE_CHECKING:
    from av.container import InputContainer

Source = Union[str, Path, ByteSource]
LENIENT_METADATA: Dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
"""Metadata need not be UTF-8: PyAV 19 takes it so, versions before it are told to."""


def source_name(source: Source) -> str:
    """How errors name the source."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the given stream"))


def open_container(source: Source) -> InputContainer:
    """The PyAV input container of a path, URL or binary file object; raises StreamError."""
    av.logging.set_level(av.logging.PANIC)
    target: Union[str, ByteSource]
    if isinstance(source, (str, Path)):
        target = str(source)
        if "://" not in target:
            _check_path(Path(target))
            target = "file:" + target  # a name with a colon in it is no protocol
    else:
        target = source if _seekable(source) else Unseekable(source)
    try:
        container: InputContainer = av.open(target, mode="r", **LENIENT_METADATA)
        return container
    except (av.error.FFmpegError, ValueError, OSError) as error:
        name, why = source_name(source), reason(error)
        raise StreamError(f"{name}: not a video that can be opened ({why}); check the file or its URL") from error


def remedy(container: InputContainer, source: Source) -> str:
    """What to do about a container that opened and gave nothing that can be decoded."""
    if container.format.name.startswith("mov") and not _seekable(source):
        return (
            "in MP4 and MOV the index may stand at the end, where a pipe cannot go back from: "
            "give the file itself, or remux it (ffmpeg -i INPUT -c copy -movflags +faststart OUTPUT.mp4)"
        )
    return "check the file"


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise StreamError(f"{path}: this is a directory; give one video file")
    if not path.exists():
        raise StreamError(f"{path}: no such file")
    if not path.is_file():  # opening a named pipe would take its writer away
        if not os.access(str(path), os.R_OK):
            raise StreamError(f"{path}: cannot be read (Permission denied); check its permissions")
        return
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise StreamError(f"{path}: the file is empty (0 bytes); copy or record it again")
    except OSError as error:
        raise StreamError(f"{path}: cannot be read ({reason(error)}); check its permissions") from error


def _seekable(source: Source) -> bool:
    if isinstance(source, (str, Path)):
        return "://" in str(source) or Path(source).is_file()
    return hasattr(source, "seekable") and bool(source.seekable())

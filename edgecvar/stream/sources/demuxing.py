"""Containers opened by FFmpeg, whose packets come however many streams come to light while they are read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Optional, Tuple, Union

import av

from edgecvar.errors import RefusedError, StreamError, reason
from edgecvar.stream.decoders import PROBING
from edgecvar.stream.sources.pipe import ByteSource

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

PYAV = int(av.__version__.split(".")[0])
BOUNDED_PROBING: Dict[str, Any] = {"options": PROBING} if PYAV >= 18 else {}
"""Older versions crash on options where streams come to light while the container is looked into, as in FLV."""
LENIENT_METADATA: Dict[str, Any] = {} if PYAV >= 19 else {"metadata_errors": "replace"}
"""Metadata need not be UTF-8: PyAV 19 takes it so, versions before it are told to."""
_REFUSALS: Tuple[str, ...] = ("HTTPUnauthorizedError", "HTTPForbiddenError", "HTTPNotFoundError")


def open_container(
    target: Union[str, ByteSource],
    name: str,
    timeout: Optional[float] = None,
    demuxer: Optional[str] = None,
    options: Mapping[str, str] = {},
) -> InputContainer:
    """What FFmpeg opens, with `timeout` s for connecting, and each read; raises StreamError, RefusedError of a server.

    `demuxer` is FFmpeg's name of one, `options` are for it.
    """
    given: Dict[str, Any] = {**BOUNDED_PROBING, **LENIENT_METADATA}
    if options:
        # Those of the container alone, where others would reach the decoders that it is looked into with.
        given.update({"options": {**PROBING, **options}} if PYAV >= 18 else {"container_options": dict(options)})
    if timeout is not None:
        given["timeout"] = (timeout, timeout)
    try:
        container: InputContainer = av.open(target, mode="r", format=demuxer, **given)
        return container
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if type(error).__name__ in _REFUSALS:
            raise RefusedError(f"{name}: {reason(error)}; check the user, the password and the path") from error
        check = "check the address, and whether it is switched on" if "://" in name else "check the file"
        raise StreamError(f"{name}: not a video that can be opened ({reason(error)}); {check}") from error


def demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet[Any]]:
    """The packets of `stream`, and at the end an empty one; raises what FFmpeg says."""
    # At the end PyAV looks for streams in MPEG-TS or FLV that were not there when it opened them, and it has none.
    with suppress(IndexError):
        yield from container.demux(stream)

"""Displacement and residual since the I-picture, along the references in decode order (Wu et al. 2018, section 3.1)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.native.choice import native_core
from edgecvar.stream.types import CodedPicture, MotionField, Residual, StreamInfo

if TYPE_CHECKING:
    from edgecvar.stream.native._core import TracedPicture

    References = List[Tuple[int, TracedPicture, bool]]

KEPT = 34
"""Traces kept of pictures that may be referred to, those in use the longest: 16 that H.264 keeps, and 16 before."""
KEPT_UNUSED = 18
"""Traces kept of B-pictures that nothing has referred to yet."""


@dataclass(frozen=True)
class _Trace:
    """Of one picture: the decode index of its I-picture, and what has been added up since."""

    root: int
    sums: TracedPicture


@dataclass(frozen=True)
class _Paths:
    """Where the paths of a picture's blocks lead to: display offsets of the references, and how the core follows."""

    offsets: List[int]
    follow: Callable[[References], TracedPicture]


@dataclass(frozen=True)
class _Unreferred:
    """A picture that nothing refers to: it is traced when somebody asks."""

    display_index: int
    follow: Callable[[], TracedPicture]

    @cached_property
    def sums(self) -> TracedPicture:
        return self.follow()


class Accumulation:
    """The traces of one stream: the native core adds up, and which pictures are kept is decided here.

    A picture that the stream says nothing refers to is kept until the next is pushed. Raises StreamError where the
    core is not installed.
    """

    def __init__(self, info: StreamInfo, residual: bool) -> None:
        core = native_core()
        if isinstance(core, str):
            raise StreamError(
                f"vectors cannot be accumulated: {core}; install edgecvar with pip, which compiles it, "
                "or take a network whose input does not accumulate"
            )
        self._core = core
        self._accumulator = core.Accumulator(info.coded_width, info.coded_height, residual)
        self._want_residual = residual
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._unused: OrderedDict[int, _Trace] = OrderedDict()
        self._unreferred: Optional[_Unreferred] = None
        self._root = -1

    def push(self, picture: CodedPicture) -> None:
        """Take note of the next picture in decode order."""
        self._unreferred = None
        if picture.has_image:
            self._root = picture.decode_index
        if picture.reference:
            self._keep(picture, self._traced(picture))
        else:
            self._unreferred = _Unreferred(picture.display_index, partial(self._traced, picture))

    def displacement(self, picture: CodedPicture) -> NDArray[np.float32]:
        """float32 (H/4, W/4, xy) on the coded grid, in pixels."""
        return self._sums(picture).displacement()

    def residual(self, picture: CodedPicture) -> Residual:
        """The sum of the residuals; raises StreamError where none was wanted."""
        if not self._want_residual:
            raise _no_residual(picture)
        return Residual(*self._sums(picture).residual())

    def _sums(self, picture: CodedPicture) -> TracedPicture:
        place = picture.display_index
        if self._unreferred is not None and self._unreferred.display_index == place:
            return self._unreferred.sums
        trace = self._unused.get(place) or self._traces.get(place)
        if trace is None:
            raise StreamError(f"picture {picture.decode_index} is not among the last {KEPT} that were pushed")
        return trace.sums

    def _keep(self, picture: CodedPicture, sums: TracedPicture) -> None:
        kept = self._unused if picture.kind == "B" else self._traces
        kept[picture.display_index] = _Trace(self._root, sums)
        for traces, limit in ((self._traces, KEPT), (self._unused, KEPT_UNUSED)):
            while len(traces) > limit:
                traces.popitem(last=False)

    def _traced(self, picture: CodedPicture) -> TracedPicture:
        paths = None if picture.has_image else self._paths(picture)
        if paths is None:
            origin: TracedPicture = self._accumulator.origin()
            return origin
        return paths.follow(self._references(picture, paths.offsets))

    def _paths(self, picture: CodedPicture) -> Optional[_Paths]:
        """None where the picture has no vectors."""
        parsed = picture.parsed
        if parsed is not None:
            return _Paths(parsed.offsets_in_use(), partial(self._accumulator.follow, parsed))
        motion = picture.motion
        return None if motion is None else self._paths_in_arrays(motion, self._own_residual(picture))

    def _paths_in_arrays(self, motion: MotionField, residual: Optional[Residual]) -> _Paths:
        mv, offset, intra = map(np.ascontiguousarray, (motion.mv_qpel, motion.ref_offset, motion.intra))
        planes = None if residual is None else tuple(map(np.ascontiguousarray, (residual.y, residual.cb, residual.cr)))
        follow = partial(self._accumulator.follow_arrays, mv, offset, intra, planes)
        return _Paths(self._core.offsets_in_arrays(offset, intra), follow)

    def _own_residual(self, picture: CodedPicture) -> Optional[Residual]:
        if not self._want_residual:
            return None
        if picture.residual is None:
            raise _no_residual(picture)
        return picture.residual

    def _references(self, picture: CodedPicture, offsets: List[int]) -> References:
        """By offset: the trace, and whether its I-picture is the newest."""
        traces = [(offset, self._reference(picture, picture.display_index + offset)) for offset in offsets]
        return [(offset, trace.sums, trace.root == self._root) for offset, trace in traces]

    def _reference(self, picture: CodedPicture, place: int) -> _Trace:
        if place in self._unused:
            self._traces[place] = self._unused.pop(place)
        if place in self._traces:
            self._traces.move_to_end(place)
            return self._traces[place]
        if picture.motion is not None and not picture.motion.exact:
            return _Trace(self._root, self._accumulator.origin())
        raise StreamError(
            f"picture {picture.decode_index} ({picture.kind}) refers to the one displayed as {place}, which is not "
            f"among the last {KEPT} in use: it cannot be accumulated; re-encode, or set accumulate to false"
        )


def _no_residual(picture: CodedPicture) -> StreamError:
    return StreamError(f"picture {picture.decode_index} ({picture.kind}) has no residual")

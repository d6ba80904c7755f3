"""Reading a clip whole: what its windows are, and the coded values of its pictures."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Collection, Dict, List, Set

from edgecvar.clips.gop import Window, cut_windows
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.spec import CODED, InputSpec
from edgecvar.errors import DatasetError, StreamError
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.reader import Stream, open_stream
from edgecvar.stream.types import CodedPicture, StreamInfo
from edgecvar.train.data.recorded import CodedValues, Packed, PackedFrame, RecordedClip


def read_clip(
    path: Path, spec: InputSpec, sources: Collection[str] = CODED, values: bool = True, shown: int = 0
) -> RecordedClip:
    """Read a clip, up to where pictures are of another size, with the values of every picture.

    What none of the `sources` is made of is neither computed nor kept, but the first `shown` I-pictures. Without
    `values` it is only found out what there is to sample, and whether it can be read. Raises StreamError when it cannot
    and DatasetError when nothing in it can be sampled.
    """
    outline, cut = _Outline(), False
    with open_stream(path, frames="frame" in sources, threads=1) as stream:  # other processes read other clips
        recorder = Recorder(stream.info, spec, sources, keep=values, shown=shown)
        for index, picture in enumerate(stream):
            cut = picture.opens is not None and picture.opens.info != stream.info
            if cut:
                break
            outline.push(picture)
            recorder.push(index, picture)
        info, skipped, sound = stream.info, stream.summary.skipped, is_sound(stream) and not cut
    windows = outline.windows(spec, recorder.undecoded)
    kept = (recorder.images, recorder.values, skipped, outline.display, recorder.decoded, len(recorder.undecoded))
    return RecordedClip(info, windows, *kept, outline.hidden, cut, sound)


def is_sound(stream: Stream) -> bool:
    """Whether the core has read it so far, and nothing was lost or damaged, and no time jumped."""
    summary = stream.summary
    return stream.info.extraction == "native" and not (summary.skipped or summary.damaged or summary.breaks)


class Recorder:
    """What is kept, for `sources`, of pictures that come in decode order; without `keep` all is tried, and not kept.

    Of P and B pictures those are kept that the spec samples.

    The core's vectors and residuals are not even tried then: they cannot fail. Vectors are kept whatever the sources.
    `undecoded` are the pictures whose decoded frames are asked for and are not there.
    """

    def __init__(
        self, info: StreamInfo, spec: InputSpec, sources: Collection[str], keep: bool = True, shown: int = 0
    ) -> None:
        self.images: Dict[int, ShownPlanes] = {}
        self.values: Dict[int, CodedValues] = {}
        self.decoded: Dict[int, PackedFrame] = {}
        self.undecoded: Set[int] = set()
        self._sources, self._kinds = sources, spec.kinds
        self._source = MotionSource(info, spec, "residual" in sources)
        self._keep, self._try_values, self._shown = keep, keep or info.extraction != "native", shown
        self._begun = False

    def push(self, index: int, picture: CodedPicture, wanted: bool = True) -> None:
        """The next picture, known by `index`; raises StreamError, or DatasetError for an I-picture without image."""
        self._source.push(picture)
        self._begun = self._begun or picture.has_image
        if wanted and picture.has_image:
            self._push_image(index, picture)
        if wanted and picture.kind in self._kinds and self._begun and picture.shown:
            self._push_inter(index, picture)

    def _push_image(self, index: int, picture: CodedPicture) -> None:
        if "image" in self._sources:
            planes = _image(picture)
            if self._keep:
                self.images[index] = planes.copy()
        elif self._keep and len(self.images) < self._shown:
            with suppress(StreamError):  # no network looks at it
                self.images[index] = _image(picture).copy()

    def _push_inter(self, index: int, picture: CodedPicture) -> None:
        if "frame" in self._sources:
            try:
                assert picture.decoded is not None
                planes = picture.decoded.planes()
            except StreamError:
                self.undecoded.add(index)
                return
            if self._keep:
                self.decoded[index] = PackedFrame.pack(planes)
        values = _values(self._source, picture, self._sources) if self._try_values else None
        if self._keep and values is not None:
            self.values[index] = values


@dataclass
class _Outline:
    """What windows are cut by, in decode order: kinds and display indices of pictures, the decode indices of some."""

    kinds: List[str] = field(default_factory=list)
    display: List[int] = field(default_factory=list)
    hidden: Set[int] = field(default_factory=set)
    opens: Set[int] = field(default_factory=set)
    recovered: Set[int] = field(default_factory=set)

    def push(self, picture: CodedPicture) -> None:
        index = len(self.kinds)
        self.kinds.append(picture.kind)
        self.display.append(picture.display_index)
        for some, holds in (
            (self.hidden, not picture.shown),
            (self.opens, picture.opens is not None),
            (self.recovered, picture.recovered),
        ):
            if holds:
                some.add(index)

    def windows(self, spec: InputSpec, undecoded: Set[int]) -> List[Window]:
        """Windows without the undecoded pictures; raises DatasetError where nothing is to be sampled in them."""
        marked = (self.hidden, self.opens, self.recovered)
        windows = [
            replace(window, pictures=tuple(each for each in window.pictures if each not in undecoded))
            for window in cut_windows(self.kinds, spec.gop_length, *marked, sampled=spec.kinds)
        ]
        if not any(window.pictures for window in windows):
            counts = ", ".join(f"{self.kinds.count(kind)} {kind}" for kind in "IPB")
            if undecoded:
                counts += f", {len(undecoded)} cannot be decoded"
            if spec.pictures == "all":
                raise DatasetError(f"no P or B picture after an I-picture, so there is no motion to sample ({counts})")
            raise DatasetError(
                f"no {spec.kinds} picture after an I-picture, and input.pictures={spec.pictures} samples no others "
                f"({counts}); encode it with some, or set input.pictures=all"
            )
        return windows


def _image(picture: CodedPicture) -> ShownPlanes:
    if picture.planes is None:
        raise DatasetError(f"I-picture {picture.decode_index} has no image")
    return picture.planes


def _values(source: MotionSource, picture: CodedPicture, sources: Collection[str]) -> CodedValues:
    velocity = Packed.pack(source.motion(picture))
    intra = Packed.pack(source.intra(picture)) if "intra" in sources else None
    if "residual" not in sources:
        return CodedValues(velocity, None, intra)
    residual = source.residual(picture)
    planes = (Packed.pack(residual.y), Packed.pack(residual.cb), Packed.pack(residual.cr))
    return CodedValues(velocity, planes, intra)

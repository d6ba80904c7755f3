"""Reading some pictures of a clip again: those of long clips are sought."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Collection, Container, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from edgecvar.clips.gop import Window
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import EdgecvarError, StreamError
from edgecvar.stream.nal.entries import idr_entries
from edgecvar.stream.reader import Stream, open_stream
from edgecvar.stream.sources.seeking import Entry, Stretch
from edgecvar.stream.types import StreamInfo
from edgecvar.train.data.reading import Recorder
from edgecvar.train.data.recorded import RecordedClip


@dataclass(frozen=True)
class ClipIndex:
    """What sampling needs to know of a clip, its values kept or not; the fields as of RecordedClip."""

    info: StreamInfo
    windows: List[Window]
    display: Sequence[int] = ()
    hidden: Container[int] = ()
    sound: bool = False

    @staticmethod
    def of(clip: RecordedClip) -> ClipIndex:
        """That of a clip that was read whole."""
        return ClipIndex(clip.info, clip.windows, clip.display, clip.hidden, clip.sound)


class Rereader:
    """Reads pictures of clips that were read whole before, with the same `sources`; may be shared by threads.

    Where the file leads to the IDR pictures before them they are read from there on, else from its beginning. Which it
    is is found out once a clip.
    """

    def __init__(self, spec: InputSpec, sources: Collection[str]) -> None:
        self._spec, self._sources, self._frames = spec, sources, "frame" in sources
        self._entries: Dict[Path, Sequence[Entry]] = {}

    def pictures(self, path: Path, index: ClipIndex, wanted: Set[int]) -> RecordedClip:
        """The clip with those of the pictures that are still there; raises EdgecvarError."""
        recorder = self._sought(path, index, wanted) or self._through(path, wanted)
        images, values, decoded = recorder.images, recorder.values, recorder.decoded
        return RecordedClip(index.info, index.windows, images, values, 0, index.display, decoded, hidden=index.hidden)

    def _sought(self, path: Path, index: ClipIndex, wanted: Set[int]) -> Optional[Recorder]:
        """None where the file does not lead to the pictures, or they are not what they were."""
        if path not in self._entries:
            self._entries[path] = idr_entries(path, len(index.display)) if index.sound else []
        entries = self._entries[path]
        if not entries or min(wanted, default=0) < entries[0].number:
            return None
        with suppress(EdgecvarError):  # reading it through will say it with the numbers that pictures have there
            recorder = self._in_stretches(path, index, wanted, stretches_to(wanted, entries, index.display))
            if wanted <= recorder.images.keys() | recorder.values.keys():
                return recorder
        self._entries[path] = []
        return None

    def _in_stretches(self, path: Path, index: ClipIndex, wanted: Set[int], stretches: Sequence[Stretch]) -> Recorder:
        """Raises StreamError where a picture is not what it was."""
        with Stream(path, frames=self._frames, stretches=stretches, on_demand=True) as stream:
            recorder = Recorder(stream.info, self._spec, self._sources)
            for (at, display_index), picture in zip(_places(stretches, index.display), stream):
                if (stream.info, picture.display_index) != (index.info, display_index):
                    raise StreamError(f"{path}: picture {at} is not what it was")
                recorder.push(at, picture, at in wanted)
            if stream.summary.skipped or stream.summary.damaged:
                raise StreamError(f"{path}: it is not as sound as it was")
        return recorder

    def _through(self, path: Path, wanted: Set[int]) -> Recorder:
        last = max(wanted, default=-1)
        with open_stream(path, frames=self._frames, on_demand=True) as stream:
            recorder = Recorder(stream.info, self._spec, self._sources)
            for at, picture in enumerate(stream):
                recorder.push(at, picture, at in wanted)
                if at >= last:
                    break
        return recorder


def stretches_to(pictures: Collection[int], entries: Sequence[Entry], display: Sequence[int]) -> List[Stretch]:
    """From the last entry before each of the pictures on, so many packets that what they give is displayed in a row.

    A picture that is displayed before one of them moves it, though it comes later: all of those are in them.
    """
    numbers = [entry.number for entry in entries]
    stretches = []
    for place, wanted in groupby(sorted(pictures), lambda at: bisect_right(numbers, at) - 1):
        stretches.append(Stretch(entries[place], _closed(display, numbers[place], max(wanted))))
    return stretches


def _closed(display: Sequence[int], first: int, last: int) -> int:
    """Pictures from `first` on, at least to `last`, until none of the others is displayed among them."""
    low = high = display[first]
    for at in range(first, len(display)):
        low, high = min(low, display[at]), max(high, display[at])
        if at >= last and high - low == at - first:
            return at - first + 1
    return len(display) - first


def _places(stretches: Sequence[Stretch], display: Sequence[int]) -> Iterator[Tuple[int, int]]:
    """Of each picture of the stretches its decode index in the clip, and its display index in a reading of them."""
    given = 0
    for stretch in stretches:
        first = stretch.entry.number
        low = min(display[first : first + stretch.packets])
        for at in range(first, first + stretch.packets):
            yield at, given + display[at] - low
        given += stretch.packets

"""Reading by the native core: packets are parsed, and no decoder runs but for the images that are asked for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Deque, Dict, Generator, Iterator, Optional

from edgecvar.errors import StreamError
from edgecvar.stream.clock import NEVER, Moment
from edgecvar.stream.images.keys import KeyImages
from edgecvar.stream.images.pictures import KeyPicture, RecoveredPicture
from edgecvar.stream.images.recovery import RecoveryRun, RecoveryState, RecoveryTracker
from edgecvar.stream.nal.units import as_decodable, length_size_of, of_other_layers
from edgecvar.stream.native.ahead import ParsingAhead
from edgecvar.stream.native.choice import Probe, remedy_in_midstream
from edgecvar.stream.native.content import Imaged, NativeContent
from edgecvar.stream.native.display_order import FRAME_STEP, DisplayOrder, Numbered
from edgecvar.stream.open_source import OpenSource
from edgecvar.stream.planes import Geometry
from edgecvar.stream.types import CodedPicture

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from edgecvar.stream.native._core import Picture, Sequence

NOTE = "vectors, references and residuals as the bitstream codes them"
_FIELDS = "; its pictures are fields of interlaced video, each half as high as a frame"
_BASELINE = 66
"""profile_idc of H.264; HEVC has none of that number."""


@dataclass
class _ParsedPicture:
    """A parsed picture; `packet` and `sets` are kept of I-pictures alone."""

    picture: Picture
    packet: bytes = b""
    sets: bytes = b""
    frame: Optional[VideoFrame] = None
    display_index: Optional[int] = None
    moment: Moment = NEVER
    broke: str = ""
    misplaced: bool = False
    intact: bool = True
    run: Optional[RecoveryRun] = None


class _Start:
    """Where a stream that begins without an IDR picture can be relied on.

    That is after its first I-picture, or the first picture that completes a recovery, in both orders: the lists of what
    is displayed before it lack those that were cut off, and nothing in its header tells.
    """

    def __init__(self) -> None:
        self._whole = False
        self._first: Optional[int] = None

    def intact(self, picture: Picture, recovered: bool) -> bool:
        """To be asked of every picture in decode order."""
        self._whole = self._whole or picture.resets_order
        if not self._whole and self._first is None and (picture.kind == "I" or recovered):
            self._first = picture.poc
        return self._whole or (self._first is not None and picture.poc >= self._first)


class NativeReading:
    """The Reading of H.264 or HEVC that the native core covers; it takes over what `probe` has read.

    Every picture that has a slice header is given out: damaged blocks are concealed as skipped ones, and pictures
    whose references are not there (the first ones of a stream cut in the middle, those before the first I-picture of
    an open GOP) come with `exact` False, where a decoder would drop them. With several `threads`, or 0 for all cores,
    packets are read and parsed ahead of the pictures that are given; what is given is the same. `on_demand` a picture
    is parsed when something of it is asked, or of one that needs it, and only then counted if it is damaged inside.
    I-pictures are decoded by what `decoder` stands for (images/choice.py); raises DeviceError where that is not here.
    """

    def __init__(
        self, source: OpenSource, probe: Probe, threads: int = 1, on_demand: bool = False, decoder: str = "software"
    ) -> None:
        assert probe.sequence is not None  # the core has taken the stream
        self.summary = source.summary
        self._source = source
        self._clock = source.clock
        self._core = probe.core
        context, codec = source.video.context, source.video.codec
        self._codec, self._length_size = codec, length_size_of(context.extradata, codec)
        self._on_demand = on_demand
        self._ahead = ParsingAhead(probe.core, codec, context.extradata or b"", threads, on_demand)
        self._images = KeyImages(context, codec, probe.core, source.summary, decoder)
        self._first_number = probe.first
        self._first_frame = self._decode_first(probe)
        reorders = codec == "hevc" or bool(getattr(context, "has_b_frames", True))
        reorders = reorders and probe.sequence.profile_idc != _BASELINE
        has_b = reorders and probe.sequence.max_reorder > 0
        self._given_sequence, self._geometry = probe.sequence, _geometry(probe.sequence)
        note = NOTE + (_FIELDS if probe.sequence.fields else "")
        info = source.info("native", note, self._geometry, has_b, self._first_frame)
        if probe.intra:
            self._images.choose(probe.sets, probe.packet, self._first_frame)
        self._now = self.info = replace(info, decoder=self._images.name, decoder_note=self._images.note)
        self._order = DisplayOrder(None if reorders else FRAME_STEP, leading_first=codec == "hevc")
        self._queue: Deque[_ParsedPicture] = deque()
        self._unnumbered: Dict[int, _ParsedPicture] = {}
        self._sets = b""
        self._parsed = self._fed = self._given = 0
        self._intra_seen = False
        self._start = _Start()
        self._recoveries = RecoveryTracker()

    def pictures(self) -> Generator[CodedPicture, None, None]:
        for number, packet in enumerate(self._ahead.packets(self._source.packets)):
            self._clock.packet(number, packet)
            self._fed = number + 1
            if not self._take():
                self._clock.lost(number)
            yield from self._due()
        self._number(self._order.end())
        yield from self._due()
        if not self._intra_seen:
            raise self._source.no_intra(self._fed)

    def close(self) -> None:
        self._queue.clear()
        self._unnumbered.clear()
        self._first_frame = None
        self._ahead.close()
        self._images.close()

    def _decode_first(self, probe: Probe) -> Optional[VideoFrame]:
        """The first picture's frame, for what the container says of display; None where it cannot be decoded."""
        try:
            return self._images.frame(probe.sets, probe.packet)
        except StreamError:
            return None

    def _take(self) -> bool:
        """Whether there was a picture in the packet; all wait for their display index."""
        try:
            pictures = self._ahead.parsed.pictures()
        except self._core.Damage as error:
            self.summary.skip(f"packet that cannot be parsed: {error}")
            return False
        except self._core.Unsupported as error:
            raise StreamError(
                f"{self._source.name}: from picture {self._parsed} on the native core cannot read it ({error}); "
                f"{remedy_in_midstream(self._codec)}"
            ) from error
        others = 0
        if not pictures and self._codec == "hevc":  # older FFmpeg puts units of other layers into packets of their own
            others = of_other_layers(self._ahead.parsed.data, self._length_size)
            self.summary.other_layers += others
        if not pictures and not others:
            self.summary.skip("packet that gave no picture")
        for picture in pictures:
            self._enter(picture)
        return bool(pictures)

    def _enter(self, picture: Picture) -> None:
        packet, sets = self._ahead.parsed.data, self._ahead.parsed.sets
        # Older FFmpeg gives up a picture of HEVC with sets between its slices; those in force are shown to it anyway.
        apart = picture.sets_refused or (self._codec == "hevc" and picture.kind == "I")
        sound = self._ahead.without_sets(packet) if apart else packet
        if self._codec == "hevc" and picture.kind == "I" and not picture.random_access:
            sound = as_decodable(sound, self._length_size)
        parsed = _ParsedPicture(picture)
        if picture.kind == "I":
            if sets != self._sets:
                self._sets = sets
            parsed.packet, parsed.sets = sound, self._sets
            if picture.number == self._first_number:
                parsed.frame, self._first_frame = self._first_frame, None
        if not picture.output:
            self._clock.hide(picture.number)
        parsed.broke = self._clock.broke(picture.number)
        if parsed.broke:
            self._recoveries = RecoveryTracker()
            if picture.kind == "I":
                self._splice()
        if picture.reference or picture.kind == "I":  # no other has a part in a recovery
            parsed.run = self._recoveries.push(_recovery_state(picture), sound, lambda: sets)
        parsed.intact = self._start.intact(picture, parsed.run is not None)
        self._queue.append(parsed)
        self._unnumbered[self._parsed] = parsed
        misplaced = self._order.misplaced
        numbered = self._order.push(self._parsed, picture.poc, picture.resets_order, picture.sequence.max_reorder)
        parsed.misplaced = self._order.misplaced > misplaced
        self._parsed += 1
        self._number(numbered)

    def _splice(self) -> None:
        """The next picture, an I-picture, may be of another stream: nothing before it says when it is displayed."""
        self._number(self._order.renew())
        self._start = _Start()

    def _number(self, numbered: Numbered) -> None:
        for number, display_index in numbered:
            parsed = self._unnumbered.pop(number)
            parsed.display_index = parsed.picture.display_index = display_index
            parsed.moment = self._clock.show(parsed.picture.number, display_index)

    def _due(self) -> Iterator[CodedPicture]:
        """Pictures whose display indices are known, and those of all before them in decode order."""
        while self._queue and self._queue[0].display_index is not None:
            yield self._picture(self._queue.popleft())

    def _picture(self, parsed: _ParsedPicture) -> CodedPicture:
        picture, index = parsed.picture, self._given
        before = self._now
        if picture.sequence is not self._given_sequence:
            self._given_sequence, self._geometry = picture.sequence, _geometry(picture.sequence)
            self._now = self._geometry.told_by(self._now)
        assert parsed.display_index is not None
        imaged = self._imaged(parsed, index)
        self._intra_seen = self._intra_seen or imaged is not None
        self._given += 1
        content = NativeContent(picture, self._geometry, imaged, parsed.intact)
        self._count(parsed, content)
        return CodedPicture(
            decode_index=index,
            display_index=parsed.display_index,
            pts_seconds=parsed.moment.pts_seconds,
            kind=picture.kind,
            keyframe=picture.random_access or (picture.recovery_count >= 0 and picture.kind == "I"),
            content=content,
            opens=self._source.opening(parsed.broke, before, self._now),
            shown=parsed.moment.shown,
            recovered=parsed.run is not None,
        )

    def _imaged(self, parsed: _ParsedPicture, index: int) -> Optional[Imaged]:
        name = self._source.name
        if parsed.picture.kind == "I":
            return KeyPicture(name, self._images, index, parsed.sets, parsed.packet, parsed.frame)
        if parsed.run is None:
            return None
        return RecoveredPicture(name, self._source.video.context, index, parsed.run)

    def _count(self, parsed: _ParsedPicture, content: NativeContent) -> None:
        self.summary.gave(parsed.moment.shown)
        picture = parsed.picture
        self.summary.other_layers += picture.extra_units
        outside = "pictures missing before it" if picture.lost else "displayed out of order" if parsed.misplaced else ""
        if not self._on_demand or picture.kind == "I":
            self._conceal(picture, outside)
        elif picture.unit_damage or outside:
            self.summary.conceal(picture.unit_damage or outside)
        else:
            content.look = lambda: self._conceal(picture)

    def _conceal(self, picture: Picture, outside: str = "") -> None:
        damaged = picture.damaged_slices or picture.concealed_macroblocks
        if damaged or outside:
            self.summary.conceal(picture.damage or "slices missing" if damaged else outside)


def _recovery_state(picture: Picture) -> RecoveryState:
    places = picture.sequence.max_frame_num
    return RecoveryState(
        place=picture.frame_num if places else picture.poc,
        places=places,
        intra=picture.kind == "I",
        reference=picture.reference,
        count=picture.recovery_count,
        missing=not places and picture.lost > 0,
    )


def _geometry(sequence: Sequence) -> Geometry:
    coded_width, coded_height = sequence.coded_width, sequence.coded_height
    left, top, right, bottom = sequence.crop
    width, height = coded_width - left - right, coded_height - top - bottom
    if width > 0 and height > 0:
        return Geometry(coded_width, coded_height, left, top, width, height)
    return Geometry(coded_width, coded_height, 0, 0, coded_width, coded_height)

"""Reading by FFmpeg's decoder: every picture is decoded, its vectors exported, its references found out here."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, Generator, Iterator, Optional, Set

from edgecvar.errors import StreamError
from edgecvar.stream.clock import MAX_REORDER, Moment
from edgecvar.stream.decoders import MOST_PIXELS, decode, vector_decoder
from edgecvar.stream.ffmpeg.content import DecodedContent, DecodedFrame
from edgecvar.stream.ffmpeg.h264_model import H264Model
from edgecvar.stream.ffmpeg.headers.mpeg import header_reader
from edgecvar.stream.ffmpeg.prediction.residual import SamplerStore
from edgecvar.stream.ffmpeg.references import AnchorModel, ReferenceModel
from edgecvar.stream.ffmpeg.side_data import exported_vectors
from edgecvar.stream.h264.headers import HeaderParser
from edgecvar.stream.images.pictures import RecoveredPicture
from edgecvar.stream.native.sound_sets import SETS_REFUSED, SoundSets
from edgecvar.stream.open_source import OpenSource
from edgecvar.stream.packets import numbered_packets
from edgecvar.stream.planes import Geometry
from edgecvar.stream.types import CodedPicture, StreamInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_KEPT_FRAMES = 18
_NOTE = "vectors as FFmpeg exports them: no reference indices, one vector per 8x8 block"
_KINDS = {1: "I", 2: "P", 3: "B", 4: "P", 5: "I", 6: "P", 7: "B"}


@dataclass(frozen=True)
class _Arrival:
    frame: VideoFrame
    display_index: int
    moment: Moment


class FFmpegReading:
    """The Reading of any codec. `why` says why it is this one and not the native one; empty where it was asked for.

    A picture is given out when all before it in decode order are known to have come out of the decoder, or to be
    lost: at most 18 packets later.
    """

    def __init__(self, source: OpenSource, why: str = "") -> None:
        self.summary = source.summary
        self._source = source
        self._clock = source.clock
        _check_size(source)
        self._context = vector_decoder(source.video.context)
        extradata = self._context.extradata
        self._sets = SoundSets(source.video.codec, extradata)
        self._parser = HeaderParser(extradata) if source.video.codec == "h264" else None
        self._model: ReferenceModel = (
            H264Model(self._parser) if self._parser else AnchorModel(header_reader(source.video.codec, extradata))
        )
        self._fed = self._next = self._shown = self._given = 0
        self._arrived: Dict[int, _Arrival] = {}
        self._failed: Dict[int, str] = {}
        self._refused: Set[int] = set()
        self._frames: OrderedDict[int, DecodedFrame] = OrderedDict()
        self._samplers = SamplerStore()
        self._intra_seen = False
        self._steps = self._decode()
        self.info = self._now = self._describe(f"{why}; {_NOTE}" if why else _NOTE)

    def pictures(self) -> Generator[CodedPicture, None, None]:
        for _ in self._steps:
            yield from self._due(self._fed - MAX_REORDER)
        yield from self._due(self._fed)
        if not self._intra_seen:
            raise self._source.no_intra(self._next)

    def close(self) -> None:
        self._steps.close()
        self._frames.clear()
        self._arrived.clear()
        self._samplers = SamplerStore()

    def _describe(self, note: str) -> StreamInfo:
        """Reads on to the first decoded frame: only then are size and rotation certain."""
        while not self._arrived and next(self._steps, None) is not None:
            pass
        if not self._arrived:
            raise self._source.nothing_decoded()
        first = next(iter(self._arrived.values())).frame
        self._size = (first.width, first.height)
        geometry = self._geometry = self._measure(first)
        sequence = self._parser.sequence if self._parser else None
        reorders = int(getattr(self._context, "has_b_frames", 0) or 0) > 0
        has_b = reorders and not (sequence and sequence.baseline)
        return self._source.info("ffmpeg", note, geometry, has_b, first)

    def _measure(self, frame: VideoFrame) -> Geometry:
        sequence = self._parser.sequence if self._parser else None
        if sequence and (sequence.width, sequence.height) == (frame.width, frame.height):
            left, top, right, bottom = sequence.crop
            width, height = frame.width - left - right, frame.height - top - bottom
            if width > 0 and height > 0:
                return Geometry(frame.width, frame.height, left, top, width, height)
        coded = (-(-frame.width // 16) * 16, -(-frame.height // 16) * 16)
        return Geometry(coded[0], coded[1], 0, 0, frame.width, frame.height)

    def _decode(self) -> Generator[bool, None, None]:
        """Feeds packet after packet to the decoder, then flushes it; what comes out waits in `_arrived`."""
        for number, packet in numbered_packets(self._source.packets, self._clock):
            self._fed = number + 1
            sound = self._sets.checked(packet)
            if sound is not packet:
                self._refused.add(number)
            self._model.feed(number, bytes(sound))
            self._take(sound)
            yield True
        self._take(None)
        yield True

    def _take(self, packet: Optional[Packet[Any]]) -> None:
        try:
            frames = decode(self._context, packet)
        except StreamError as error:
            if packet is not None and packet.pts is not None:
                self._failed[packet.pts] = str(error)
            return
        for frame in frames:
            number = frame.pts
            if number is None or not self._clock.awaits(number):
                self.summary.skip("picture that belongs to no packet")
                continue
            moment = self._clock.show(number, self._shown)
            self._arrived[number] = _Arrival(frame, self._shown, moment)
            self._shown += 1

    def _due(self, lost_before: int) -> Iterator[CodedPicture]:
        """Every picture whose turn it is; a packet below `lost_before` without a picture counts as skipped."""
        while self._next < self._fed:
            arrival = self._arrived.pop(self._next, None)
            if arrival is None and self._next >= lost_before:
                return
            number = self._next
            self._next += 1
            if arrival is None:
                self._refused.discard(number)
                self._model.lost(number)
                why = self._failed.pop(number, "")
                self.summary.skip(f"packet the decoder refused: {why}" if why else "packet that gave no picture")
            else:
                yield self._picture(number, arrival)

    def _picture(self, number: int, arrival: _Arrival) -> CodedPicture:
        frame = arrival.frame
        before = self._now
        if (frame.width, frame.height) != self._size:
            self._resize(frame)
        kind = self._kind(number, frame)
        index = self._given
        run = None if kind == "I" else self._model.recovery(number)
        recovered = None if run is None else RecoveredPicture(self._source.name, self._context, index, run)
        self._intra_seen = self._intra_seen or kind == "I" or run is not None
        display_indices = {earlier: decoded.display_index for earlier, decoded in self._frames.items()}
        display_indices[number] = arrival.display_index
        plan = self._model.plan(number, kind, display_indices)
        if getattr(frame, "is_corrupt", False):
            plan = replace(plan, exact=False)
            self.summary.conceal("damage that the decoder concealed")
        elif number in self._refused:
            self.summary.conceal(SETS_REFUSED)
        self._refused.discard(number)
        current = DecodedFrame(number, arrival.display_index, frame)
        first, second = (self._reference(reference) for reference in plan.references)
        if (None if first is None else first.number, None if second is None else second.number) != plan.references:
            plan = replace(plan, exact=False)
        self._frames[number] = current
        if len(self._frames) > _KEPT_FRAMES:
            self._frames.popitem(last=False)
        self._given += 1
        self.summary.gave(arrival.moment.shown)
        return CodedPicture(
            decode_index=index,
            display_index=arrival.display_index,
            pts_seconds=arrival.moment.pts_seconds,
            kind=kind,
            keyframe=bool(frame.key_frame),
            content=DecodedContent(current, (first, second), kind, plan, self._geometry, self._samplers, recovered),
            opens=self._source.opening(self._clock.broke(number), before, self._now),
            shown=arrival.moment.shown,
            recovered=run is not None,
        )

    def _resize(self, frame: VideoFrame) -> None:
        """From this frame on pictures are of another size, and nothing before refers to them."""
        self._size = (frame.width, frame.height)
        self._geometry = self._measure(frame)
        self._now = self._geometry.told_by(self._now)
        self._frames.clear()
        self._samplers = SamplerStore()

    def _reference(self, number: Optional[int]) -> Optional[DecodedFrame]:
        """The frame of an earlier picture, None where it is gone; a frame in use is kept longest."""
        if number is None or number not in self._frames:
            return None
        self._frames.move_to_end(number)
        return self._frames[number]

    def _kind(self, number: int, frame: VideoFrame) -> str:
        """The picture's kind; one whose first slice is intra but which has vectors is a P or B picture.

        Of two fields the first may be all that the other one refers to: together they are an I picture.
        """
        kind = _KINDS.get(int(frame.pict_type), "P")
        if kind == "I" and not self._model.opens_intra(number) and (exported := exported_vectors(frame)) is not None:
            return "B" if (exported["source"] > 0).any() else "P"
        return kind


def _check_size(source: OpenSource) -> None:
    width, height = source.video.context.width, source.video.context.height
    if width * height > MOST_PIXELS:
        raise StreamError(
            f"{source.name}: {width}x{height} is more than FFmpeg's decoder is let read here, 4096x2304; "
            "scale it down (ffmpeg -i INPUT -vf scale=1920:-2 OUTPUT.mp4)"
        )

"""What both ways of reading a stream share: the open source, and the protocol they follow."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generator, Iterable, Optional, Protocol

from edgecvar.errors import StreamError
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import OpenVideo, is_mirrored, rotation_of
from edgecvar.stream.planes import Geometry
from edgecvar.stream.sources.opening import remedy
from edgecvar.stream.types import Break, CodedPicture, StreamInfo, StreamSummary

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

SIZE_CHANGED = "picture size changed"
_MIRRORED = "; display matrix mirrors the picture: not applied"


@dataclass(frozen=True)
class OpenSource:
    """An open video, the one pass over its packets (see `coded_packets`), and what counts and times its pictures."""

    video: OpenVideo
    packets: Iterable[Packet[Any]]
    clock: DisplayClock
    summary: StreamSummary

    @property
    def name(self) -> str:
        """How errors name the source."""
        return self.video.name

    def info(
        self, extraction: str, note: str, geometry: Geometry, reorders: bool, first: Optional[VideoFrame]
    ) -> StreamInfo:
        """What is known once the first picture is; `first` is its frame, or None: it tells how to turn it."""
        return StreamInfo(
            codec=self.video.codec,
            width=geometry.width,
            height=geometry.height,
            fps=self.video.fps,
            time_base=Fraction(self.video.stream.time_base or Fraction(1, 90000)),
            has_b_pictures=reorders,
            extraction=extraction,
            coded_width=geometry.coded_width,
            coded_height=geometry.coded_height,
            crop_left=geometry.left,
            crop_top=geometry.top,
            rotation=0 if first is None else rotation_of(first),
            extraction_note=note + (_MIRRORED if first is not None and is_mirrored(first) else ""),
        )

    def nothing_decoded(self) -> StreamError:
        """The error for a source that ended before its first picture."""
        reasons = "; ".join(f"{n} x {reason}" for reason, n in self.summary.reasons.items()) or "no packets"
        advice = remedy(self.video.container, self.video.source)
        return StreamError(f"{self.name}: no picture in it can be decoded ({reasons}); {advice}")

    def opening(self, broke: str, before: StreamInfo, info: StreamInfo) -> Optional[Break]:
        """The break, counted, at a picture that holds to `info`, after those that hold to `before`; None without one.

        `broke` is why its time does not follow theirs, empty where it does.
        """
        reason = SIZE_CHANGED if info is not before and info != before else broke
        if not reason:
            return None
        self.summary.broke(reason)
        return Break(reason, info)

    def no_intra(self, packets: int) -> StreamError:
        """The error for a stream that ended without one I-picture."""
        return StreamError(
            f"{self.name}: no I-picture in {packets} packets, and no recovery point that the stream goes on to the end "
            "of; give a file with a keyframe"
        )


class Reading(Protocol):
    """One way to read an open source; `summary` counts as it goes."""

    info: StreamInfo
    summary: StreamSummary

    def pictures(self) -> Generator[CodedPicture, None, None]:
        """All pictures in decode order; to be called once."""
        ...

    def close(self) -> None:
        """Lets go of what is held for pictures to come."""
        ...

"""A file's packets in memory, for readings that leave opening and demuxing out of what they cost."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Literal, Optional

import numpy as np
from numpy.typing import NDArray

from edgecvar.errors import StreamError
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import open_video
from edgecvar.stream.decoders import decode, plain_decoder
from edgecvar.stream.ffmpeg.side_data import exported_vectors
from edgecvar.stream.native.choice import Probe, probe_packets
from edgecvar.stream.native.reading import NativeReading
from edgecvar.stream.open_source import OpenSource, Reading
from edgecvar.stream.packets import coded_packets, numbered_packets
from edgecvar.stream.types import StreamSummary

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class DemuxedFile:
    """The numbered packets of a file that the native core reads.

    Every context opens the file anew, for its parameter sets; what is made in it takes the packets from memory.
    """

    path: Path
    codec: Literal["h264", "hevc"]
    profile: str
    packets: List[Packet[Any]]
    probe: Probe

    @contextmanager
    def native(self, threads: int = 1) -> Iterator[Callable[[], Reading]]:
        """What makes a native reading, once: making it decodes the first I-picture."""
        with open_video(self.path) as video:
            source = OpenSource(video, self.packets, DisplayClock(video.fps), StreamSummary())
            yield lambda: NativeReading(source, self.probe, threads)

    @contextmanager
    def frames(self) -> Iterator[Iterator[VideoFrame]]:
        """The frames as PyAV decodes them."""
        with open_video(self.path) as video:
            yield _decoded(plain_decoder(video.context, vectors=False), self.packets)

    @contextmanager
    def vectors(self) -> Iterator[Iterator[Optional[NDArray[np.void]]]]:
        """Of each frame that PyAV decodes the vectors exported with it, one record each; None where there are none."""
        with open_video(self.path) as video:
            frames = _decoded(plain_decoder(video.context, vectors=True), self.packets)
            yield (exported_vectors(frame) for frame in frames)


def demux(path: Path, limit: int) -> DemuxedFile:
    """The first `limit` packets of a file; raises StreamError where the native core does not read it."""
    with open_video(path) as video:
        packets = coded_packets(video, lambda reason: None)
        numbered = [packet for _, packet in islice(numbered_packets(packets, DisplayClock(video.fps)), limit)]
        packets.close()
        probe = probe_packets(video.codec, video.context.extradata, iter(numbered))
        if probe.sequence is None or probe.refused:
            raise StreamError(f"{path}: outside what the native core reads: {probe.refused}")
        profile = video.context.profile or f"profile {probe.sequence.profile_idc}"
        codec: Literal["h264", "hevc"] = "hevc" if video.codec == "hevc" else "h264"
        return DemuxedFile(path, codec, str(profile), numbered, probe)


def _decoded(context: VideoCodecContext, packets: List[Packet[Any]]) -> Iterator[VideoFrame]:
    for packet in chain(packets, [None]):
        with suppress(StreamError):  # a damaged packet; the frames given are counted
            yield from decode(context, packet)

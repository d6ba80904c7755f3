"""Reading a stream: packets in, coded pictures out in decode order."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generator, Iterator, Literal, Optional, Sequence, Type, get_args

from edgecvar.errors import StreamError
from edgecvar.stream.clock import DisplayClock
from edgecvar.stream.container import open_video
from edgecvar.stream.ffmpeg.reading import FFmpegReading
from edgecvar.stream.frames import FrameDecoder
from edgecvar.stream.images.choice import DECODERS
from edgecvar.stream.native.choice import ALONE, Probe, probe_packets, refusal, rejoined
from edgecvar.stream.native.reading import NativeReading
from edgecvar.stream.open_source import OpenSource, Reading
from edgecvar.stream.packets import PacketTap, coded_packets, tapped
from edgecvar.stream.sources.opening import TIMEOUT, Source
from edgecvar.stream.sources.seeking import Stretch
from edgecvar.stream.types import CodedPicture, StreamInfo, StreamSummary

if TYPE_CHECKING:
    from av.packet import Packet

Extraction = Literal["auto", "native", "ffmpeg"]
EXTRACTIONS = get_args(Extraction)


def open_stream(
    source: Source,
    extraction: str = "auto",
    frames: bool = False,
    timeout: float = TIMEOUT,
    threads: Optional[int] = None,
    on_demand: bool = False,
    decoder: str = "software",
) -> Stream:
    """Opens a video for reading as coded pictures; a context manager.

    `source` is a path, a URL or a binary file object. `extraction`: "native" parses the bitstream and decodes only what
    has an image, "ffmpeg" decodes all, "auto" is native where that covers the stream (progressive H.264 and HEVC of
    4:2:0 or 4:0:0) and FFmpeg elsewhere, which gives no vectors of HEVC; `info.extraction` and `info.extraction_note`
    say which and why. With `frames` every picture is decoded as well, in the same pass, and comes with its `frame`. A
    source that sends nothing for `timeout` seconds is
    given up. The native core parses on `threads`, some packets ahead of the pictures that are given: by default on all
    cores, on one, and then nothing ahead, where the source may keep one waiting or with `frames`. The pictures are the
    same. `on_demand` it parses those pictures alone of which vectors, weights or residual are asked, when they are, and
    what these need of others: the way to read where few are sampled. Damage inside the others is not seen then, nor
    counted. `decoder` is what decodes I-pictures on the native path: "software", "gstreamer" (its decoders in hardware,
    else FFmpeg's in it), "cuda", or "auto", which is hardware where there is some that gives the same first picture;
    what fails falls back to software, and `info.decoder`, `info.decoder_note` and `summary.fallbacks` say so. Raises
    StreamError where a source is given up, nothing can be decoded, or "native" does not cover it, UnsupportedCodecError
    where the codec gives no vectors, and DeviceError where the decoder asked for is not here.
    """
    return Stream(source, extraction, frames, timeout, threads=threads, on_demand=on_demand, decoder=decoder)


@dataclass(frozen=True)
class _Native:
    """What the native path alone takes."""

    threads: int
    on_demand: bool
    decoder: str


class Stream:
    """One reading of one video stream: `info`, `summary`, and the pictures in decode order, once.

    `summary` counts as it goes. A picture is given out as soon as its place in display order is certain, and that
    of all before it in decode order. With `stretches` of a file its packets are those alone. `tap` sees the packets.
    """

    info: StreamInfo

    def __init__(
        self,
        source: Source,
        extraction: str = "auto",
        frames: bool = False,
        timeout: float = TIMEOUT,
        stretches: Optional[Sequence[Stretch]] = None,
        threads: Optional[int] = None,
        on_demand: bool = False,
        tap: Optional[PacketTap] = None,
        decoder: str = "software",
    ) -> None:
        if extraction not in EXTRACTIONS:
            raise StreamError(f"extraction {extraction!r} is unknown: choose 'auto', 'native' or 'ffmpeg'")
        if decoder not in DECODERS:
            raise StreamError(f"decoder {decoder!r} is unknown: choose {', '.join(map(repr, DECODERS))}")
        if threads is not None and threads < 1:
            raise StreamError(f"threads={threads}: expected at least 1")
        self.summary = StreamSummary()
        self._turn = RLock()
        self._closed = False
        self._tap = tap
        self._video = open_video(source, timeout)
        self._packets: Optional[Generator[Packet[Any], None, None]] = None
        self._reading: Optional[Reading] = None
        self._frames: Optional[FrameDecoder] = None
        self._pictures: Optional[Generator[CodedPicture, None, None]] = None
        try:
            if tap is not None:
                tap.opened(self._video)
            self._packets = coded_packets(self._video, self._broke_off, stretches)
            ahead = threads or (0 if self._video.input.at_hand and not frames else 1)
            self._reading = self._read(self._packets, extraction, frames, _Native(ahead, on_demand, decoder))
            self._pictures = self._frames.pictures(self._reading) if self._frames else self._reading.pictures()
            self.info = self._reading.info
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<Stream of {self._video.name}: {self.info!r}>"

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def leave(self) -> None:
        """Let go of the source, also while another thread waits for it: there are no more packets."""
        self._video.input.leave()

    def close(self) -> None:
        """Closes the container and lets go of all frames; there are no more pictures then.

        May be called while another thread reads, which then gets a StreamError.
        """
        self._closed = True
        self.leave()
        with self._turn:
            self._let_go()

    def _let_go(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
        if self._reading is not None:
            self._reading.close()
        if self._frames is not None:
            self._frames.close()
        if self._packets is not None:
            self._packets.close()
        self._video.close()

    def __iter__(self) -> Iterator[CodedPicture]:
        assert self._pictures is not None
        if inspect.getgeneratorstate(self._pictures) == inspect.GEN_CLOSED:
            raise StreamError(
                f"{self._video.name}: its pictures have been read, or the stream is closed; open it again"
            )
        return self._one_by_one()

    def _one_by_one(self) -> Iterator[CodedPicture]:
        assert self._pictures is not None
        while True:
            with self._turn:
                picture = None if self._closed else next(self._pictures, None)
            if self._closed:
                raise StreamError(f"{self._video.name}: it was closed while it was being read")
            if picture is None:
                return
            if self._tap is not None and picture.opens is not None:
                self._tap.broke(picture.pts_seconds)
            yield picture

    def _read(self, packets: Iterator[Packet[Any]], extraction: str, frames: bool, native: _Native) -> Reading:
        video = self._video
        alone = video.codec in ALONE
        if extraction == "ffmpeg" and not alone:
            probe = Probe(refused="asked for")
        else:
            probe = probe_packets(video.codec, video.context.extradata, packets)
        whole, told = rejoined(probe, packets), None
        if self._tap is not None:
            whole, told = tapped(whole, self._tap), self._tap.shown
        clock = DisplayClock(video.fps, told)
        if frames:
            self._frames = FrameDecoder(video, told)
            whole, clock = self._frames.packets(whole), self._frames.clock
        source = OpenSource(video, whole, clock, self.summary)
        if not probe.refused and extraction != "ffmpeg":
            return NativeReading(source, probe, native.threads, native.on_demand, native.decoder)
        if extraction == "native" or alone:
            if probe.empty:
                self.summary.skip(probe.refused)
                raise source.nothing_decoded()
            raise refusal(video.name, video.codec, probe)
        if native.decoder not in ("auto", "software"):
            self.summary.fall_back("FFmpeg decodes every picture of this stream")
        return FFmpegReading(source, "" if extraction == "ffmpeg" else f"native core not used: {probe.refused}")

    def _broke_off(self, reason: str) -> None:
        self.summary.broke_off = reason
        self.summary.skip(f"container broke off: {reason}")

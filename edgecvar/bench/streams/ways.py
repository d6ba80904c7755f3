"""Both ways to look at a camera, each opened from a file and paced as the camera sends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ContextManager, Protocol

from edgecvar.bench.decoding import Decoding, look_of
from edgecvar.bench.streams.pace import Pace, PacedStream
from edgecvar.bundle.manifest import Manifest
from edgecvar.bundle.plan import plan_stages
from edgecvar.bundle.stages import takes_frames
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.runner import Runner
from edgecvar.stream.container import OpenVideo, open_video
from edgecvar.stream.reader import Extraction, Stream, open_stream


class Pipeline(Protocol):
    """From a camera to what is decided on its pictures; its runner is entered."""

    def open(self, path: Path) -> ContextManager[Any]:
        """The source, ready for its first picture; raises StreamError."""
        ...

    def play(self, source: Any, pace: Pace, every: int) -> None:
        """Until the source ends, or the trial does; one of `every` pictures is sampled."""
        ...


@dataclass(frozen=True)
class ReadingWay:
    """Reading the compressed video, as `edgecvar run` does."""

    runner: Runner
    manifest: Manifest
    extraction: Extraction

    def open(self, path: Path) -> Stream:
        return open_stream(path, self.extraction, takes_frames(self.manifest.stages), on_demand=True)

    def play(self, source: Stream, pace: Pace, every: int) -> None:
        # However fast the machine, the first window waits for the second.
        waiting = self.manifest.input.gop_length if plan_stages(self.manifest.stages).adjacent else -1
        options = RunOptions(every=every, top=1, release=source.leave)
        with recognize(PacedStream(source, pace.arrival), self.manifest, self.runner, options) as run:
            for decision in run:
                if decision.decode_index > waiting:
                    pace.decided(pace.moment(decision.decode_index))


@dataclass(frozen=True)
class DecodingWay:
    """Decoding every picture, and one pass of a stage over the sampled ones."""

    runner: Runner
    manifest: Manifest
    threads: int

    def open(self, path: Path) -> OpenVideo:
        return open_video(path)

    def play(self, source: OpenVideo, pace: Pace, every: int) -> None:
        decoding = Decoding(self.runner, look_of(self.manifest), every, self.threads)
        for shown in decoding.pictures(source, pace.arrival):
            if shown.looked:
                pace.decided(shown.arrived)

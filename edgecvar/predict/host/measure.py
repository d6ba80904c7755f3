"""Parts of a reader's work timed on this machine: CPU time of the thread that does it, as in a run."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, DefaultDict, Dict, Iterator, List, Optional, Sequence

from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import Coming
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.predict.host.cost import (
    Reference,
    Wanted,
    decode_features,
    parse_features,
    prepare_features,
    read_features,
    scale_features,
    trace_features,
)
from edgecvar.predict.host.counts import KINDS, MOST_PICTURES, StreamCounts, counts_of
from edgecvar.predict.host.fit import Timed, fit_host
from edgecvar.predict.host.streams import MADE, Made, make
from edgecvar.progress import Progress, silent
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.reader import open_stream

PASSES = 4
"""Over each stream; the fastest counts: whatever else a machine does makes all of it slower."""
FRAME_STRIDE = 12
"""Where the decoding of all pictures is timed, few are prepared."""


class ThreadClock:
    """CPU milliseconds and number of spans by name: what the threads did, not what they waited for."""

    def __init__(self) -> None:
        self.ms: DefaultDict[str, float] = defaultdict(float)
        self.spans: DefaultDict[str, int] = defaultdict(int)

    @contextmanager
    def span(self, name: str, picture: Optional[int] = None) -> Iterator[None]:
        start = time.thread_time_ns()
        try:
            yield
        finally:
            self.ms[name] += (time.thread_time_ns() - start) / 1e6
            self.spans[name] += 1

    def each(self) -> Dict[str, float]:
        """Milliseconds of one span, by name."""
        return {name: self.ms[name] / count for name, count in self.spans.items()}


def walk(path: Path, wanted: Wanted, every: int, most: int = MOST_PICTURES) -> Dict[str, float]:
    """Milliseconds of one span by its name (see clips/clock.py): a file read as a run reads it, and nothing decided."""
    clock = ThreadClock()
    frames = "frame" in wanted.sources
    with open_stream(path, "native", frames, threads=1, on_demand=True) as stream:
        feed = Feed(stream, wanted.spec, Demand(wanted.sources, False, every), clock)
        with closing(feed.coming()) as messages:
            for message in messages:
                if isinstance(message, Coming):
                    message.message()
                if stream.summary.pictures >= most:
                    break
    return clock.each()


def measure_host(processor: str, progress: Progress = silent, made: Sequence[Made] = MADE) -> Reference:
    """This machine's core, timed on streams that are made for it; a minute or two.

    `processor` is how it is called. Raises EdgecvarError where no H.264 can be encoded here.
    """
    timed: List[Timed] = []
    with TemporaryDirectory(prefix="edgecvar-host-") as folder:
        for number, (path, each) in enumerate(make(Path(folder), made).items()):
            progress(number, len(made), each.name)
            timed += measure_stream(path, InputSpec(height=each.side, width=each.side))
    how = f"CPU time of one thread, {len(made)} streams made by this package, the fastest of {PASSES} passes"
    return fit_host(timed, processor, how)


def measure_stream(path: Path, spec: InputSpec, passes: int = PASSES, most: int = MOST_PICTURES) -> List[Timed]:
    """All parts of the work on the first pictures of a file, `most` of them.

    Raises StreamError where the native core does not read it, or all are I-pictures.
    """
    counts = counts_of(path, most)
    if counts.total == counts.pictures["I"]:
        raise StreamError(f"{path}: its {counts.total} pictures are all I-pictures; give a stream with others")
    plain = {sources: Wanted(spec, frozenset(sources)) for sources in (("motion",), ("residual",), ("intra",))}
    timed: List[Timed] = []
    walks = {sources: _fastest(partial(walk, path, wanted, 1, most), passes) for sources, wanted in plain.items()}
    of_motion = walks["motion",]
    timed.append(Timed("read", counts.name, read_features(counts), of_motion["read"]))
    timed.append(Timed("parse", counts.name, parse_features(counts), of_motion["parse"]))
    timed += [
        Timed("prepare", counts.name, prepare_features(counts, wanted), walks[sources]["prepare"])
        for sources, wanted in plain.items()
    ]
    if not counts.pictures["B"]:  # else those that nothing refers to are traced where they are prepared
        timed += _traced(path, counts, spec, of_motion["parse"], passes)
    images = _fastest(partial(_images, path, spec, most), passes)
    timed += [
        Timed(part, counts.name, features, images[part])
        for part, features in (("decode", decode_features(counts)), ("scale", scale_features(counts, spec)))
        if part in images
    ]
    framed = _fastest(partial(walk, path, Wanted(spec, frozenset(("frame",))), FRAME_STRIDE, most), passes)
    timed.append(Timed("frame", counts.name, decode_features(counts, KINDS), framed["read"] - of_motion["read"]))
    return [each for each in timed if each.ms > 0]


def _traced(path: Path, counts: StreamCounts, spec: InputSpec, parse_ms: float, passes: int) -> List[Timed]:
    timed: List[Timed] = []
    traced = spec.model_copy(update={"accumulate": True})
    inter = 1 - 1 / counts.gop
    for sources in (("motion",), ("residual",)):
        wanted = Wanted(traced, frozenset(sources))
        walked = _fastest(partial(walk, path, wanted, 1, counts.total), passes)
        features = trace_features(counts, "residual" in sources)
        timed.append(Timed("trace", counts.name, features, walked["trace"] / inter - parse_ms))
        timed.append(Timed("prepare", counts.name, prepare_features(counts, wanted), walked["prepare"]))
    return timed


def _images(path: Path, spec: InputSpec, most: int) -> Dict[str, float]:
    """I-pictures decoded and scaled, all but the first: opening a stream has decoded that."""
    clock = ThreadClock()
    with open_stream(path, "native", threads=1, on_demand=True) as stream:
        preparer, first = Preparer(stream.info, spec), True
        for picture in islice(stream, most):
            if picture.opens is not None:
                break  # of another size, perhaps
            if picture.kind == "I":
                planes = _decoded(picture.content.planes, ThreadClock() if first else clock)
                first = False
                with clock.span("scale"):
                    preparer.image(planes)
    return clock.each()


def _decoded(planes: Callable[[], object], clock: ThreadClock) -> ShownPlanes:
    with clock.span("decode"):
        made = planes()
    assert isinstance(made, ShownPlanes)
    return made


def _fastest(measure: Callable[[], Dict[str, float]], passes: int) -> Dict[str, float]:
    measure()  # uncounted: caches fill in
    runs: Sequence[Dict[str, float]] = [measure() for _ in range(passes)]
    return {name: min(run[name] for run in runs) for name in runs[0]}

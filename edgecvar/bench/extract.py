"""Ways to get vectors out of H.264 and HEVC, side by side: pictures a second of CPU time on one thread."""

from __future__ import annotations

import gc
import importlib
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import av
from pydantic import BaseModel, ConfigDict, Field

from edgecvar.bench.extract_session import (
    BASES,
    DECODE,
    EXPORTED,
    EXPORTING,
    IMAGES,
    MV_EXTRACTOR,
    NATIVE,
    RESIDUALS,
    WAYS,
    ClipTimes,
    ExtractSession,
    LeftOut,
)
from edgecvar.clips.labelled import find_videos
from edgecvar.errors import StreamError, reason
from edgecvar.judge.machine import machine_facts
from edgecvar.progress import Progress, silent
from edgecvar.stream.demuxed import DemuxedFile, demux
from edgecvar.stream.types import CodedPicture

MV_EXTRACTOR_MODULE = "mvextractor.videocap"


class ExtractConfig(BaseModel):
    """`pictures`: packets of a file at most. `images`: also native with the images of all I-pictures.

    `threads`: parsing is also timed on one and on so many, by the clock on the wall.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: Tuple[Path, ...]
    rounds: int = Field(5, ge=1)
    pictures: int = Field(2000, ge=1)
    images: bool = False
    threads: Optional[int] = Field(None, ge=2, le=8)


@dataclass
class _Pass:
    """One reading of a clip: what it gave, and the CPU seconds of all the process's threads for it."""

    pictures: int = 0
    inter: int = 0
    seconds: float = 0.0
    damaged: int = 0
    size: Tuple[int, int] = (0, 0)

    @contextmanager
    def clocked(self) -> Iterator[None]:
        gc.collect()
        start = time.process_time()
        yield
        # A clock of coarse ticks may not have moved.
        self.seconds = max(time.process_time() - start, time.get_clock_info("process_time").resolution)


Way = Callable[[DemuxedFile], _Pass]


def measure_extract(config: ExtractConfig, progress: Progress = silent) -> ExtractSession:
    """Measures every file in turn.

    Raises ConfigError where there are no files, StreamError where none of them can be measured.
    """
    files = find_videos(config.paths)
    ways, absent = _ways(config)
    clips: List[ClipTimes] = []
    left_out: List[LeftOut] = []
    for number, path in enumerate(files):
        progress(number, len(files), path.name)
        try:
            clips.append(_measured(demux(path, config.pictures), ways, config))
        except StreamError as error:
            left_out.append(LeftOut(path=str(path), reason=str(error).replace(f"{path}: ", "", 1)))
    if not clips:
        more = f" (and {len(left_out) - 1} more files)" if len(left_out) > 1 else ""
        raise StreamError(f"{left_out[0].path}: {left_out[0].reason}{more}; there is nothing to measure")
    return ExtractSession(
        rounds=config.rounds,
        picture_limit=config.pictures,
        machine={**machine_facts(), **_versions()},
        ways=list(ways),
        absent=absent,
        clips=clips,
        left_out=left_out,
    )


def in_turn(ways: Sequence[str], number: int) -> List[str]:
    """The order of round `number`: each begins with another way, so that a machine that drifts does so for all."""
    first = number % len(ways)
    return [*ways[first:], *ways[:first]]


def _measured(clip: DemuxedFile, ways: Dict[str, Way], config: ExtractConfig) -> ClipTimes:
    """Raises StreamError where there is nothing to compare."""
    if clip.codec == "hevc":
        ways = {name: way for name, way in ways.items() if name not in EXPORTING}
    first = {name: way(clip) for name, way in ways.items()}  # uncounted: caches fill in, and failures show
    native = first[NATIVE]
    if not native.inter:
        raise StreamError(f"{clip.path}: its {native.pictures} pictures are all I: there are no vectors to get")
    if not first[BASES[clip.codec]].pictures:
        raise StreamError(f"{clip.path}: FFmpeg decodes no picture in it")
    cpu_seconds: Dict[str, List[float]] = {name: [] for name, done in first.items() if done.pictures}
    for number in range(config.rounds):
        for name in in_turn(list(cpu_seconds), number):
            cpu_seconds[name].append(ways[name](clip).seconds)
    return ClipTimes(
        path=str(clip.path),
        codec=clip.codec,
        width=native.size[0],
        height=native.size[1],
        profile=clip.profile,
        pictures=native.pictures,
        inter=native.inter,
        damaged=native.damaged,
        given={name: done.pictures for name, done in first.items()},
        cpu_seconds=cpu_seconds,
        wall_seconds=_parsing(clip, config.threads, config.rounds) if config.threads else {},
    )


def _parsing(clip: DemuxedFile, threads: int, rounds: int) -> Dict[str, List[float]]:
    """Seconds that pass until all pictures are parsed, of which nothing is asked, by threads."""
    seconds: Dict[str, List[float]] = {"1": [], str(threads): []}
    for number in range(rounds):
        for count in in_turn(list(seconds), number):
            with clip.native(int(count)) as read:
                reading = read()
                start = time.perf_counter()
                for _ in reading.pictures():
                    pass
                seconds[count].append(time.perf_counter() - start)
                reading.close()
    return seconds


def _ways(config: ExtractConfig) -> Tuple[Dict[str, Way], Dict[str, str]]:
    """What can be measured here, in the order of WAYS, and why something cannot."""
    ways: Dict[str, Way] = {
        NATIVE: lambda clip: _read_natively(clip, _vectors),
        RESIDUALS: lambda clip: _read_natively(clip, _residuals),
        EXPORTED: lambda clip: _decode(clip.vectors()),
        DECODE: lambda clip: _decode(clip.frames()),
    }
    if config.images:
        ways[IMAGES] = lambda clip: _read_natively(clip, _images)
    absent = {}
    capture = _mv_extractor()
    if isinstance(capture, str):
        absent[MV_EXTRACTOR] = capture
    else:
        ways[MV_EXTRACTOR] = lambda clip: _capture(clip, capture, config.pictures)
    return {name: ways[name] for name in WAYS if name in ways}, absent


def _vectors(picture: CodedPicture) -> None:
    picture.motion  # noqa: B018 computed on first use


def _residuals(picture: CodedPicture) -> None:
    picture.motion, picture.residual  # noqa: B018


def _images(picture: CodedPicture) -> None:
    picture.motion, picture.image  # noqa: B018


def _read_natively(clip: DemuxedFile, ask: Callable[[CodedPicture], None]) -> _Pass:
    """The reader's own path from packets on; making ready decodes one I-picture, which counts where images do."""
    done = _Pass()
    with clip.native() as read:
        ready = None if ask is _images else read()
        with done.clocked():
            reading = ready or read()
            for picture in reading.pictures():
                ask(picture)
                done.inter += picture.kind != "I"
        reading.close()
    done.pictures, done.damaged = reading.summary.pictures, reading.summary.damaged
    done.size = (reading.info.width, reading.info.height)
    return done


def _decode(opened: ContextManager[Iterator[object]]) -> _Pass:
    """PyAV as it comes, on one thread."""
    done = _Pass()
    with opened as results, done.clocked():
        for _ in results:
            done.pictures += 1
    return done


def _mv_extractor() -> Union[Callable[[], Any], str]:
    """mv-extractor's capture class, or why there is none."""
    try:
        capture: Callable[[], Any] = importlib.import_module(MV_EXTRACTOR_MODULE).VideoCap
    except ModuleNotFoundError:
        return "not installed (pip install motion-vector-extractor)"
    except (ImportError, AttributeError) as error:
        return f"cannot be loaded ({reason(error)})"
    return capture


def _capture(clip: DemuxedFile, capture: Callable[[], Any], limit: int) -> _Pass:
    """mv-extractor on the file itself, without its colour conversion where it can leave that out."""
    done = _Pass()
    source = capture()
    if not source.open(str(clip.path)):
        return done
    if hasattr(source, "set_decode_frames"):
        source.set_decode_frames(False)
    with done.clocked():
        while done.pictures < limit and source.read()[0]:
            done.pictures += 1
    source.release()
    return done


def _versions() -> Dict[str, str]:
    ffmpeg = getattr(av, "ffmpeg_version_info", None)
    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return {"av": av.__version__, "ffmpeg": str(ffmpeg or "?"), "libavcodec": codec}

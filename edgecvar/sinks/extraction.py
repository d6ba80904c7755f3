"""One stream's coded values into a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field

from edgecvar.errors import ConfigError, StreamError, reason
from edgecvar.sinks.coded_values import CodedValues, CodedValuesSink, Made, NpzFile, ParquetFile
from edgecvar.stream.reader import Extraction, open_stream
from edgecvar.stream.rectangles import rectangles
from edgecvar.stream.sources.opening import LONGEST, TIMEOUT, Source, is_source
from edgecvar.stream.sources.pipe import named_source
from edgecvar.stream.types import CodedPicture, Residual, StreamInfo

Residuals = Literal["none", "statistics", "planes"]


class ExtractionSettings(BaseModel):
    """`pictures`: at most so many. `residual`: what is kept of it; planes in .npz alone.

    `timeout`: seconds without data after which a source is given up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    residual: Residuals = "statistics"
    pictures: Optional[int] = Field(None, ge=1)
    extraction: Extraction = "auto"
    timeout: float = Field(TIMEOUT, gt=0, le=LONGEST)


class ExtractionConfig(ExtractionSettings):
    """`source`: a file, a URL, or "-" for standard input. `output`: .npz or .parquet.

    `whole`: of a video that cannot be read to its end nothing is written. `stamp` changes with the video's bytes.
    `threads` parse, one a core unless given.
    """

    source: str
    output: Path
    whole: bool = False
    stamp: str = ""
    threads: Optional[int] = Field(None, ge=1)

    @property
    def made(self) -> Made:
        """What its file is made with, for `made_with`."""
        asked = {name: getattr(self, name) for name in ("residual", "pictures", "extraction")}
        return {**asked, "stamp": self.stamp}


@dataclass
class ExtractionSummary:
    """What was written; `skipped` packets gave no picture, and `without_residual` pictures have none, by reason.

    `broke_off`: why the container could not be read to its end, else empty.
    """

    info: StreamInfo
    pictures: int = 0
    vectors: int = 0
    inexact: int = 0
    skipped: int = 0
    reasons: Dict[str, int] = field(default_factory=dict)
    without_residual: Dict[str, int] = field(default_factory=dict)
    broke_off: str = ""


def extract(
    config: ExtractionConfig,
    follow: Callable[[int], None] = lambda pictures: None,
    opened: Optional[Source] = None,
) -> ExtractionSummary:
    """Write what the pictures of a stream hold, telling `follow` how many are done.

    `opened` is read in place of what the source's name opens. Raises StreamError where the stream cannot be read, or
    not to its end and the whole is wanted, ConfigError where the file cannot be written.
    """
    _check(config)
    source = named_source(config.source) if opened is None else opened
    with open_stream(source, config.extraction, timeout=config.timeout, threads=config.threads) as stream:
        summary = ExtractionSummary(stream.info)
        try:
            with _sink(config, stream.info) as sink:
                info = stream.info
                for picture in stream:
                    info = info if picture.opens is None else picture.opens.info
                    values = _values(config, picture, info, summary)
                    sink.picture(values)
                    summary.pictures += 1
                    summary.vectors += 0 if values.vectors is None else len(values.vectors)
                    summary.inexact += picture.motion is not None and not picture.motion.exact
                    follow(summary.pictures)
                    if summary.pictures == config.pictures:
                        break
                summary.broke_off = stream.summary.broke_off
                if config.whole and summary.broke_off:
                    raise StreamError(f"it broke off after {summary.pictures} pictures ({summary.broke_off})")
        except OSError as error:
            raise ConfigError(f"{config.output}: cannot be written ({reason(error)}); choose another file") from error
        summary.skipped, summary.reasons = stream.summary.skipped, dict(stream.summary.reasons)
    return summary


def _check(config: ExtractionConfig) -> None:
    output = config.output
    if output.suffix.lower() not in (".npz", ".parquet"):
        raise ConfigError(f"--output {output}: got suffix {output.suffix!r}, expected .npz or .parquet")
    if config.residual == "planes" and output.suffix.lower() != ".npz":
        raise ConfigError("--residual planes: a table has no room for planes; write an .npz")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ConfigError(
            f"--output {output}: is a folder itself, or in none that exists; name a file, and make its folder first"
        )
    if is_source(config.source, output):
        raise ConfigError(f"--output {output}: this is the source itself; choose another name")


def _sink(config: ExtractionConfig, info: StreamInfo) -> CodedValuesSink:
    statistics = config.residual != "none"
    if config.output.suffix.lower() == ".npz":
        return NpzFile(config.output, info, statistics, config.residual == "planes", config.made)
    return ParquetFile(config.output, info, statistics, config.made)


def _values(
    config: ExtractionConfig, picture: CodedPicture, info: StreamInfo, summary: ExtractionSummary
) -> CodedValues:
    vectors = None if picture.motion is None else rectangles(picture.motion)
    residual: Optional[Residual] = None
    if config.residual != "none":
        try:
            residual = picture.residual
        except StreamError as error:
            why = str(error)
            summary.without_residual[why] = summary.without_residual.get(why, 0) + 1
    return CodedValues(picture, info, vectors, residual, statistics=config.residual != "none")

"""What crosses the processes of a scan: sources, jobs, what became of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple, Union

from edgecvar.bundle.exits import ExitChoice
from edgecvar.clips.feed import Excerpt
from edgecvar.run.event_settings import EventSettings
from edgecvar.runners.choice import RunnerChoice
from edgecvar.stream.sources.seeking import Stretch
from edgecvar.stream.types import StreamInfo


@dataclass(frozen=True)
class Listed:
    """A source as it was found: `name` opens it, and `stamp` changes with its bytes; empty where nobody tells."""

    name: str
    stamp: str = ""
    size: int = 0


@dataclass(frozen=True)
class Piece:
    """One of `count` pieces of a long file: what is decided from packet `begin` on is its own.

    It is read from a packet before, `stretch`, so that all that a decision rests on is as in a reading from the file's
    beginning; the last decisions before its own are compared with those of the piece before. `info`: of the stream.
    """

    number: int
    count: int
    begin: int
    stretch: Stretch
    excerpt: Excerpt
    info: StreamInfo

    @property
    def key(self) -> str:
        """What tells it from any other cutting of its file."""
        return f"{self.begin}:{self.stretch.entry.number}+{self.stretch.packets}"


@dataclass(frozen=True)
class Job:
    """A source to run, or one piece of it; `unsplit`: it is not to be cut up, as has been found out."""

    source: Listed
    piece: Optional[Piece] = None
    unsplit: str = ""


@dataclass(frozen=True)
class Work:
    """What a worker needs to know beforehand, and for all jobs; `seal`: of the bundle's manifest, which must be that.

    `split`: seconds of a piece of a long file, 0 where none is cut up. `signed_by`: the key that was trusted and had
    signed the seal, for what is built beside the bundle; None where nobody asked.
    """

    bundle: str
    seal: str
    choice: RunnerChoice
    events: EventSettings
    every: Optional[int]
    exits: ExitChoice
    extraction: str
    split: float
    timeout: float
    signed_by: Optional[str] = None


@dataclass(frozen=True)
class Counts:
    """Of one source, as in a run's summary; `pieces` that it was read in, and why a long file was not cut up.

    `first_seconds`, `last_seconds`: of the pictures shown.
    """

    pictures: int = 0
    sampled: int = 0
    decisions: int = 0
    events: int = 0
    skipped: int = 0
    damaged: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0
    pieces: int = 1
    unsplit: str = ""

    def document(self) -> Dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @property
    def stream_seconds(self) -> float:
        return self.last_seconds - self.first_seconds


@dataclass(frozen=True)
class Seen:
    """A source that was run: its finished rows (see `table.py`), and why not to its end where it `failure` says so."""

    rows: bytes
    counts: Counts
    failure: str = ""


@dataclass(frozen=True)
class PieceSeen:
    """A piece that was run: its decisions with their scores, its overlap among them.

    `entered`, `left`: a hash of the network's state before the first decision of its own, and after the last.
    """

    rows: bytes
    counts: Counts
    entered: str = ""
    left: str = ""


@dataclass(frozen=True)
class CutUp:
    """A long file, and the pieces that it is to be run in."""

    pieces: Tuple[Piece, ...]


@dataclass(frozen=True)
class Unsound:
    """A piece that cannot be relied on: the file must be run from its beginning."""

    reason: str


Outcome = Union[Seen, PieceSeen, CutUp, Unsound]

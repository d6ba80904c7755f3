"""The folder of clips: names, and how old or large all of them may become."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import List, Mapping, Optional

from edgecvar.errors import ConfigError
from edgecvar.stream.sources.opening import without_password

NAME = re.compile(r"[\w.-]+_(?:\d{2,}h\d{2}m\d{2}\.\d{3}s|\d{8}T\d{6}\.\d{3}Z)_[\w.-]+\.mp4")
"""Of a clip: its source, its event's time, its label. Other files in the folder are not ours to prune."""
PART = 60
"""Characters of a source's or a label's name that go into a file's."""
DURATIONS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True)
class _Clip:
    path: Path
    changed: float
    size: int


def clip_name(source: str, label: str, start_seconds: float, wall_time: Optional[float] = None) -> str:
    """The file name of an event's clip: by stream time, or of what is seen live by `wall_time`, in UTC."""
    if wall_time is None:
        thousandths = max(0, round(start_seconds * 1000))
        minutes, rest = divmod(thousandths, 60_000)
        when = f"{minutes // 60:02d}h{minutes % 60:02d}m{rest // 1000:02d}.{rest % 1000:03d}s"
    else:
        moment = datetime.fromtimestamp(wall_time, timezone.utc)
        when = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
    return f"{source_part(source)}_{when}_{_plain(label)}.mp4"


def source_part(source: str) -> str:
    """What a clip's name has of its source: a file's stem, or a URL without user and password."""
    text = without_password(source)
    if "://" in text:
        scheme, rest = text.split("://", 1)
        head, slash, tail = rest.partition("/")
        text = f"{scheme}-{head.rpartition('@')[2]}{slash}{tail.partition('?')[0]}"
    else:
        text = Path(text).stem if text != "-" else "stdin"
    return _plain(text)


def _plain(text: str) -> str:
    """Letters, digits, dots and dashes alone, so that it is one part of a path on every file system."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", text)[:PART].strip(".-")
    return plain or "unnamed"


def prune(folder: Path, keep_seconds: Optional[float], size: Optional[int], now: Optional[float] = None) -> List[Path]:
    """Remove clips that are older, then the oldest until all together are no larger; the newest stays. What is gone."""
    clips = _clips(folder)
    total, gone = sum(clip.size for clip in clips), []
    oldest_kept = -float("inf") if keep_seconds is None else (time.time() if now is None else now) - keep_seconds
    for number, clip in enumerate(clips):
        too_large = size is not None and total > size and number < len(clips) - 1
        if clip.changed < oldest_kept or too_large:
            with suppress(FileNotFoundError):
                clip.path.unlink()
            total -= clip.size
            gone.append(clip.path)
    return gone


def _clips(folder: Path) -> List[_Clip]:
    """Oldest first."""
    found = []
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append(_Clip(path, status.st_mtime, status.st_size))
    return sorted(found, key=lambda clip: (clip.changed, clip.path.name))


def duration(text: str) -> float:
    """The seconds that a text such as 90s, 12h or 7d states; raises ConfigError."""
    return _quantity(text, DURATIONS, "a duration such as 90s, 12h or 7d")


def file_size(text: str) -> int:
    """The bytes that a text such as 500MB or 2GB states; raises ConfigError."""
    return int(_quantity(text, SIZES, "a size such as 500MB or 2GB"))


def _quantity(text: str, units: Mapping[str, float], expected: str) -> float:
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]+)\s*", text)
    by_name = {unit.casefold(): factor for unit, factor in units.items()}
    if found is None or found.group(2).casefold() not in by_name or float(found.group(1)) <= 0:
        raise ConfigError(f"{text!r}: expected {expected}")
    return float(found.group(1)) * by_name[found.group(2).casefold()]

"""A process that reads mutants in every way, and prints for each what came of it: `python -m ... SEED...`."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import sys
import tempfile
import time
import traceback
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Tuple

import av
import numpy as np

from edgecvar.errors import EdgecvarError
from edgecvar.stream.anatomy import anatomy
from edgecvar.stream.reader import open_stream
from tests.conftest import MEDIA
from tests.stream.mutants.mutators import MUTATORS, shortened

CEILING_MB = 500
"""That a process may take at most, with the interpreter and its libraries."""
SMALL = 150_000
"""Bytes of a file that is taken whole."""
ACCESSES = ("motion", "weights", "residual", "image", "frame")
WAYS: Dict[str, Tuple[str, bool, int, float]] = {
    "native": ("native", False, 16, 5e6),
    "ffmpeg": ("ffmpeg", False, 6, 1.5e6),
    "frames": ("auto", True, 12, 2e6),
}
"""Extraction, frames, and after how many pictures or samples reading is left."""


def mutant(seed: int) -> Tuple[str, str, bytes]:
    """The file, the mutator and the bytes that a seed stands for."""
    chance = Random(seed)
    folder = chance.choice(sorted({_folder(file) for file in _files()}))
    file = chance.choice([file for file in _files() if _folder(file) == folder])
    name = chance.choice(list(MUTATORS))
    try:
        return str(file.relative_to(MEDIA)), name, MUTATORS[name](_base(file), chance)
    except (av.error.FFmpegError, ValueError, IndexError):  # no packets to be had of it
        return str(file.relative_to(MEDIA)), "bits", MUTATORS["bits"](_base(file), chance)


def _folder(file: Path) -> str:
    return file.relative_to(MEDIA).parts[0]


@lru_cache(None)
def _files() -> List[Path]:
    return sorted(file for file in MEDIA.rglob("*") if file.is_file() and file.suffix != ".md")


@lru_cache(32)
def _base(file: Path) -> bytes:
    data = file.read_bytes()
    if len(data) <= SMALL:
        return data
    try:
        return shortened(data)
    except Exception:
        return data[:SMALL]


UNDEFINED = ("image", "frame")
"""Of HEVC: where slices are missing FFmpeg's decoder leaves what was in its memory, which is not the same twice."""
THREADS = (1, 3)
"""With which it is read in turn."""


def read(path: Path, extraction: str, frames: bool, pictures: int, samples: float, threads: int = 1) -> str:
    """A digest of all that can be asked for, of so many pictures; raises whatever is no EdgecvarError."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        with open_stream(path, extraction, frames, threads=threads) as stream:
            left = samples
            for picture in stream:
                digest.update(f"{picture.kind} {picture.display_index} {picture.pts_seconds}".encode())
                for name in ACCESSES:
                    of = hashlib.blake2b() if stream.info.codec == "hevc" and name in UNDEFINED else digest
                    _digest(picture, name, of)
                left -= stream.info.coded_width * stream.info.coded_height
                if left < 0 or picture.decode_index + 1 >= pictures:
                    break
            else:  # a container that breaks off counts as soon as that is seen, which may be ahead of the pictures
                digest.update(f"{stream.summary.reasons} {stream.summary.damage}".encode())
    except EdgecvarError as error:
        digest.update(str(error).encode())
    return digest.hexdigest()


def _digest(picture: Any, name: str, digest: Any) -> None:
    try:
        value = getattr(picture, name)
    except EdgecvarError as error:
        digest.update(str(error).encode())
        return
    values = vars(value).values() if hasattr(value, "__dict__") else [value]
    for each in values:
        digest.update(np.ascontiguousarray(each).tobytes() if isinstance(each, np.ndarray) else str(each).encode())


def survey(path: Path) -> None:
    try:
        with open_stream(path) as stream:
            anatomy(stream)
    except EdgecvarError:
        pass


def examine(seed: int, folder: Path) -> Dict[str, Any]:
    """What came of one mutant; `faults` is empty where it is well."""
    file, name, data = mutant(seed)
    path = folder / ("mutant" + Path(file).suffix)
    path.write_bytes(data)
    faults: List[str] = []
    peaks: Dict[str, int] = {}
    began = time.perf_counter()
    for way, arguments in WAYS.items():
        _forget_peak()
        digests = [_guarded(faults, way, read, path, *arguments, threads) for threads in THREADS]
        peaks[way] = _peak_mb()
        if digests[0] != digests[1]:
            faults.append(f"{way}: not the same numbers twice")
    _forget_peak()
    _guarded(faults, "anatomy", survey, path)
    peaks["anatomy"] = _peak_mb()
    faults += [f"{way}: {peak} MB" for way, peak in peaks.items() if peak > CEILING_MB]
    seconds = round(time.perf_counter() - began, 2)
    return {"seed": seed, "file": file, "mutator": name, "faults": faults, "mb": max(peaks.values()), "s": seconds}


def _guarded(faults: List[str], way: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except BaseException as error:  # an EdgecvarError, too: all that are expected are caught where they are
        where = traceback.extract_tb(error.__traceback__)[-1]
        faults.append(f"{way}: {type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})")
        return None


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found.group(1)) // 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(seeds: List[int]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            print(json.dumps({"begins": seed}), flush=True)
            print(json.dumps(examine(seed, Path(folder))), flush=True)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])

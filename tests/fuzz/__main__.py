"""`python -m tests.fuzz TARGET`: fuzzes one target; what it finds is printed whole, to be tried again.

For a while, and each time along another way; with FUZZ_SEED for so many inputs, and each time the same ones.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, Tuple

from tests.fuzz.ffmpeg_alone import TOO_MUCH
from tests.fuzz.targets import CORE, FFMPEGS, SANITIZED, TARGETS, target

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "build" / "fuzz"
MODULE = TOP / "build" / "checks" / "fuzz" / "_core.so"
HANG_SECONDS = 10
LONGEST = 16384
RESUMED = 0.1
"""The part that must be left for fuzzing to go on after a fault of FFmpeg's own."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="how long, where FUZZ_SEED is not set")
    parser.add_argument("--input", metavar="TEXT", help="check this input, as an earlier run printed it, and no other")
    options = parser.parse_args()
    if options.input is None:
        sys.exit(fuzz(options.target, options.seconds))
    found = FOLDER / options.target / "input"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_bytes(zlib.decompress(base64.b85decode(options.input)))
    sys.exit(subprocess.run([*_command(options.target), str(found)], env=_environment(options.target)).returncode)


def fuzz(name: str, seconds: int) -> int:
    """One line of figures, and of a fault its log and the command that shows it again; the exit status."""
    folder = FOLDER / name
    if find_spec("atheris") is None:
        print(f"{name}: left out, since Atheris is not installed; it has wheels for x86-64 and Python 3.11 to 3.13")
        return 0
    if name in SANITIZED and not MODULE.exists():
        print(f"{name}: left out, since there is no {MODULE}: make fuzz-build, with clang")
        return 0
    for inner in ("seeds", "corpus"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    for seed, data in target(name).seeds().items():
        (folder / "seeds" / seed).write_bytes(data)
    for old in _faults(folder):
        old.unlink()
    seed = int(os.environ.get("FUZZ_SEED", "0"))
    limit, most = ("runs", TARGETS[name]) if seed else ("max_total_time", seconds)
    begun, done = time.monotonic(), 0
    while True:
        status, text = _run(name, folder, [f"-{limit}={max(1, most - done)}", f"-seed={seed}"])
        done = done + _executed(text) if seed else round(time.monotonic() - begun)
        if status == 0 or not foreign(name, folder) or most - done < RESUMED * most:
            break
        print(f"{name}: FFmpeg alone fails on an input, which {folder} keeps; going on", flush=True)
        for fault in _faults(folder):
            fault.rename(fault.with_name(f"foreign-{fault.name}"))
        seed += bool(seed)  # 0 is another one each time
    figures = _figures(text, round(time.monotonic() - begun))
    print(f"{name}: {figures or 'no coverage was seen'}", flush=True)
    if figures and (status == 0 or foreign(name, folder)):
        return 0
    print(text[-4000:])
    for found in _faults(folder):
        printed = base64.b85encode(zlib.compress(found.read_bytes(), 9)).decode()
        print(f"{found}; again: python -m tests.fuzz {name} --input '{printed}'")
    return 1


def _run(name: str, folder: Path, course: List[str]) -> Tuple[int, str]:
    """The exit status and the log."""
    bounds = [f"-timeout={HANG_SECONDS}", f"-max_len={LONGEST}", "-detect_leaks=0", "-reload=0"]
    places = [f"-artifact_prefix={folder}/", str(folder / "corpus"), str(folder / "seeds")]
    command = [*_still(), *_command(name), *course, *bounds, "-print_final_stats=1", *places]
    log = folder / "log.txt"
    with log.open("wb") as file:
        status = subprocess.run(command, env=_environment(name), stdout=file, stderr=file).returncode
    return status, log.read_text(encoding="utf-8", errors="replace")


def foreign(name: str, folder: Path) -> bool:
    """Whether what was found ends a process that gives it to FFmpeg alone, or makes it as large."""
    if name not in FFMPEGS:
        return False
    faults = [str(fault) for fault in _faults(folder) if fault.name.startswith("crash-")]
    alone = [[sys.executable, "-m", "tests.fuzz.ffmpeg_alone", fault] for fault in faults]
    statuses = [subprocess.run(each, stderr=subprocess.DEVNULL).returncode for each in alone]
    return bool(statuses) and all(status < 0 or status == TOO_MUCH for status in statuses)


def _still() -> List[str]:
    """What starts a program at the same addresses each time, which mutation takes up from comparisons."""
    still = ["setarch", "--addr-no-randomize"]
    with suppress(OSError):
        if subprocess.run([*still, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            return still
    return []


def _command(name: str) -> List[str]:
    return [sys.executable, "-m", "tests.fuzz.guided", name]


def _environment(name: str) -> Dict[str, str]:
    """For a target that runs sanitized code: the module, and the runtime that must be there before Python is."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    if name not in SANITIZED:
        return environment
    import atheris

    asan = {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    return {**environment, CORE: str(MODULE), "LD_PRELOAD": f"{atheris.path()}/asan_with_fuzzer.so", **asan}


def _faults(folder: Path) -> List[Path]:
    return [file for kind in ("crash", "timeout", "oom", "leak") for file in folder.glob(f"{kind}-*")]


def _figures(log: str, seconds: int) -> str:
    """Executions, and coverage of the seeds and at the end; empty where none was seen, as of a process that failed."""
    coverage = [int(each) for each in re.findall(r"cov: (\d+)", log)]
    peak = re.search(r"peak_rss_mb:\s+(\d+)", log)
    if not (coverage and _executed(log) and peak):
        return ""
    reached = f"{coverage[-1]} edges reached, {coverage[0]} of them by the seeds"
    return f"{_executed(log):,} inputs in {seconds} s, {reached}, {peak[1]} MB at most"


def _executed(log: str) -> int:
    found = re.search(r"number_of_executed_units:\s+(\d+)", log)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()

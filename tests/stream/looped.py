"""A stream that never ends: the same GOPs again, through a pipe at full speed, while their clock turns.

`python -m tests.stream.looped SECONDS` runs the demo on it, and prints pictures, turns of the clock and memory.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Iterator, List

import edgecvar
from edgecvar.run.model import Run
from tests.stream.transport import TURN, Clockwork, slow_clip

SLOWER = 8
"""Times as far apart as they were encoded, so that the clock turns sooner; still no jump."""
LENGTH = 20 * 90_000 * SLOWER
"""Ticks of one loop."""
LEAST = 8
"""Looks at the memory."""
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def loops(clip: bytes, first: int) -> Iterator[bytes]:
    """The clip again and again, `first` ticks after the clock began; it turns at 2**33."""
    clockwork, start = Clockwork(clip), first
    while True:
        yield clockwork.at(partial(_later, start))
        start += LENGTH


def _later(start: int, ticks: int) -> int:
    return (start + ticks * SLOWER) % TURN


@dataclass
class Looped:
    """What came of it: decisions with their times, and the memory now and then, in MiB."""

    decisions: int = 0
    last: float = float("-inf")
    memory: List[float] = field(default_factory=list)

    @property
    def turns(self) -> float:
        """Of the clock."""
        return self.last * 90_000 / TURN

    @property
    def growth(self) -> float:
        """Of memory, from after the first quarter to the highest, as a share."""
        begun = self.memory[len(self.memory) // 4]
        return max(self.memory[len(self.memory) // 4 :]) / begun - 1

    def take(self, run: Run, seconds: float, at_least: float = 0.0) -> None:
        """Decisions for so long, and so many turns; raises AssertionError where one is not after the one before."""
        began = time.monotonic()
        for decision in run:
            assert decision.pts_seconds > self.last, (decision, self.last)
            self.last, self.decisions = decision.pts_seconds, self.decisions + 1
            if self.decisions % 100 == 0:
                self.memory.append(_resident_mib())
                enough = time.monotonic() - began > seconds and self.turns > at_least
                if enough and len(self.memory) >= LEAST:
                    return


def run_looped(folder: Path, seconds: float, at_least: float, first: int, **settings: int) -> Looped:
    """The demo on the stream for so long, its clock at `first` to begin with."""
    clip = slow_clip(folder / "clip.ts")
    reading, writing = os.pipe()
    looped = Looped()
    with open(reading, "rb", buffering=0) as source, edgecvar.load(threads=1) as model:
        thread = threading.Thread(target=_write, args=(writing, clip, first), daemon=True)
        thread.start()
        with model.run(source, **settings) as run:
            looped.take(run, seconds, at_least)
            assert run.summary.breaks == {} and run.summary.reasons == {}, run.summary
            pictures = run.summary.pictures
    thread.join()
    print(f"{pictures} pictures, {looped.decisions} decisions, {looped.turns:.2f} turns of the clock")
    return looped


def _write(descriptor: int, clip: bytes, first: int) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        for content in loops(clip, first):
            pipe.write(content)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MIB


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        looped = run_looped(Path(folder), float(sys.argv[1]), 0.0, 0, every=20)
    step = max(1, len(looped.memory) // 20)
    print("memory, MiB:", *(f"{each:.0f}" for each in looped.memory[::step]), f"grown by {looped.growth:.1%}")


if __name__ == "__main__":
    main()

"""Reads many mutants in processes of their own: `python -m tests.stream.mutants.campaign FIRST COUNT`.

A seed stands for a case: `python -m tests.stream.mutants.reading SEED` repeats one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Dict, Iterator, List, Optional, Sequence

ROOT = Path(__file__).parents[3]
COMMAND = ("-m", "tests.stream.mutants.reading")
PATIENCE = 90.0
"""Seconds after which a mutant hangs."""
BATCH = 50
"""Mutants a process."""


def campaign(seeds: Sequence[int], patience: float = PATIENCE) -> Iterator[Dict[str, Any]]:
    """What came of each mutant; one that kills its process, or hangs, is told as a fault too."""
    left = list(seeds)
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        for report in _process(batch, patience):
            batch.remove(report["seed"])
            yield report
        left = batch + left


def _process(seeds: List[int], patience: float) -> Iterator[Dict[str, Any]]:
    command = [sys.executable, *COMMAND, *map(str, seeds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    lines: Queue[Optional[str]] = Queue()
    Thread(target=_pass_on, args=(process, lines), daemon=True).start()
    current: Optional[int] = None
    try:
        while True:
            line = lines.get(timeout=patience)
            if line is None:
                break
            report = json.loads(line)
            if "begins" in report:
                current = report["begins"]
            else:
                current = None
                yield report
    except Empty:
        yield {"seed": current, "faults": [f"hangs: nothing for {patience:.0f} s"]}
        return
    finally:
        process.kill()
        process.wait()
    if process.returncode < 0:
        yield {"seed": current, "faults": [f"its process ended by {signal.Signals(-process.returncode).name}"]}
    elif process.returncode:
        raise RuntimeError(f"the tool itself failed at seed {current}")


def _pass_on(process: subprocess.Popen[str], lines: Queue[Optional[str]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    process.wait()
    lines.put(None)


def main(first: int, count: int) -> None:
    total = faulty = 0
    for report in campaign(range(first, first + count)):
        total += 1
        faulty += bool(report["faults"])
        print(json.dumps(report), flush=True)
    print(f"{total} mutants, {faulty} with faults", file=sys.stderr)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

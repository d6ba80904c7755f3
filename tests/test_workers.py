"""No worker outlives its parent, and none sees its Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest

import edgecvar
from edgecvar.workers import Died, each_apart
from tests.datasets.deadly import halve_or_die, nothing

PARENT = """
import sys
from pathlib import Path
from tests.test_workers import at_work
from edgecvar.workers import starting, worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool, starting():
        works = [pool.submit(at_work, Path(sys.argv[1]) / str(number)) for number in range(4)]
    [work.result() for work in works]
"""


def at_work(mark: Path) -> None:
    mark.touch()
    time.sleep(600)


def members(session: int) -> List[int]:
    """The processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # no process, or one that has gone
            continue
        if entry.name.isdigit() and int(state[3]) == session and state[0] != "Z":
            found.append(int(entry.name))
    return found


def until(true, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path: Path, deadly: signal.Signals) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", str(Path(__file__).parent.parent)])},
        start_new_session=True,
    )
    try:
        assert until(lambda: (tmp_path / "1").exists() and (tmp_path / "0").exists())
        assert len(members(parent.pid)) >= 3
        parent.send_signal(deadly)
        assert parent.wait(60) == -deadly
        assert until(lambda: not members(parent.pid), 20)
    finally:
        for process in members(parent.pid):
            os.kill(process, signal.SIGKILL)


def test_nobody_starts_processes_in_another_way() -> None:
    package = Path(edgecvar.__file__).parent
    users = [file.name for file in package.rglob("*.py") if "ProcessPoolExecutor(" in file.read_text(encoding="utf-8")]
    assert users == ["workers.py"]


def test_a_process_that_dies_takes_its_own_job_alone() -> None:
    results = dict(each_apart(halve_or_die, [4, 0, 2, 6, 8], 2, nothing))
    assert isinstance(results.pop(0), Died)
    assert results == {4: 2.0, 2: 1.0, 6: 3.0, 8: 4.0}


def number_of_process(number: int) -> int:
    return os.getpid()


def test_a_process_that_dies_while_it_has_nothing_to_do_is_replaced() -> None:
    found = []
    for _, process in each_apart(number_of_process, range(1, 20), 1, nothing):
        if isinstance(process, Died):  # its job was handed over before anybody knew
            continue
        found.append(process)
        os.kill(process, signal.SIGKILL)
        assert until(lambda gone=process: gone not in members(os.getsid(0)))
        if len(found) == 3:
            break
    assert len(set(found)) == 3


def test_what_work_raises_ends_it_all() -> None:
    before = set(members(os.getsid(0)))
    with pytest.raises(ValueError, match="below 0"):
        list(each_apart(halve_or_die, [-1, 4, 2], 2, nothing))
    assert until(lambda: set(members(os.getsid(0))) <= before)

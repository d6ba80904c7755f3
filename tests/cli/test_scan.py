"""`edgecvar scan` with processes of its own: killed, and gone on with, it comes to the same table."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List

import pytest

pytest.importorskip("pyarrow")

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.cli.scan import command
from edgecvar.errors import ConfigError
from edgecvar.scan.output import ledger_file
from tests.scan.scanned import rows, scanned

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number in range(10):
        shutil.copyfile(default_clip(), folder / f"{number}.mp4")
    return folder


@pytest.fixture(scope="module")
def once(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("once") / "seen.parquet"
    scanned(default_bundle(), [archive], output)
    return output


def begun(archive: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgecvar", "scan", str(archive), "-o", str(output), "--workers", "2", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def ended(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def workers_of(pid: int) -> List[int]:
    """Its processes that load the bundle, or have."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == pid and state != "Z" and b"spawn_main" in command:
                found.append(int(entry.name))
    return found


def until(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def committed(output: Path) -> int:
    """Bytes that the ledger has been given."""
    log = ledger_file(output).with_name(f"{ledger_file(output).name}-wal")
    return log.stat().st_size if log.exists() else 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_worker_that_is_killed_takes_nothing_with_it(archive: Path, once: Path, tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    process = begun(archive, output, "--json")
    until(lambda: len(workers_of(process.pid)) == 2 and committed(output) > 40_000)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    assert ended(process)["failed"] == 0
    assert output.read_bytes() == once.read_bytes()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_scan_that_is_killed_goes_on_where_it_was(archive: Path, once: Path, tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    process = begun(archive, output, "--json")
    until(lambda: committed(output) > 40_000)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not output.exists()
    document = ended(begun(archive, output, "--json"))
    assert 0 < document["before"] < 10
    assert (document["sources"], document["failed"], document["decisions"]) == (10, 0, 10 * 144)
    assert output.read_bytes() == once.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seen.parquet", "seen.sources.parquet"]
    assert len(rows(output)) > 1440


def test_what_failed_is_said_and_the_exit_code_is_1(tmp_path: Path) -> None:
    (tmp_path / "none\x1b[31m.mp4").write_bytes(b"no video")
    shutil.copyfile(default_clip(), tmp_path / "clip.mp4")
    process = begun(tmp_path, tmp_path / "seen.parquet")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "144 decisions" in out
    assert "failed: " in err and "1 of 2 sources failed" in err
    assert "\x1b" not in out + err


def test_a_name_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    process = begun(tmp_path, tmp_path / "seen.csv")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and ".parquet" in err


@pytest.mark.parametrize(
    ("flags", "why"),
    [(("--event", "labels.lfet.hold=1"), "unknown label 'lfet'"), (("--exits", "0.9"), "has no exits")],
)
def test_what_every_source_would_fail_with_is_refused_first(flags, why: str, archive: Path, tmp_path: Path) -> None:
    arguments = [str(archive / "nothing*"), "-o", str(tmp_path / "seen.parquet"), *flags]
    with pytest.raises(ConfigError, match=why):
        command(arguments, standalone_mode=False)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_is_asked_for_a_gpu_a_task_of_tensorrt(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def ask(*asked):
        raise Asked(*asked)

    monkeypatch.setattr("edgecvar.scan.settings.resolve", lambda opened, choice: ("trt", "fp16"))
    monkeypatch.setattr("edgecvar.scan.pools.opened_pool", ask)
    arguments = [str(archive), "-o", str(tmp_path / "seen.parquet"), "--ray", "auto"]
    with pytest.raises(Asked) as told:
        command(arguments, standalone_mode=False)
    assert told.value.args == ("auto", None, 1)

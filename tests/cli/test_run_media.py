"""`edgecvar run` on every real file: a summary, or one line of error; never more, in memory either."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.real_media

FOLDERS = ["clips", "original_encodings", "odd", "h264"]
LIMIT_MB = 1000

RUN_ALL = """
import contextlib, io, json, sys
from edgecvar.cli.main import main
bundle, *files = sys.argv[1:]
for file in files:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["run", file, "--bundle", bundle, "--json"])
        except SystemExit as stop:
            code = stop.code
    with open("/proc/self/status") as status:  # ru_maxrss would begin with what the parent had
        peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024
    result = {"file": file, "code": code, "out": out.getvalue(), "err": err.getvalue(), "peak_mb": peak}
    print(json.dumps(result), flush=True)
"""


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_ends_with_a_summary_or_one_line_of_error(media, tmp_path, folder):
    files = sorted(str(file) for file in (media / folder).rglob("*") if file.is_file())
    bundle = tiny_bundle(tmp_path, stride=12)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, str(bundle), *files],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and done.stderr == ""  # a crash would be in the file after the last result
    assert [result["file"] for result in results] == files
    wrong = [result for result in results if not ended_well(result)]
    assert wrong == []
    decided = [result for result in results if result["code"] == 0 and '"label"' in result["out"]]
    assert len(decided) > len(files) / 2


def ended_well(result) -> bool:
    if result["peak_mb"] > LIMIT_MB:
        return False
    if result["code"] == 0:
        *decisions, last = [json.loads(line) for line in result["out"].splitlines()]
        return len(decisions) == last["summary"]["decisions"] and result["err"] == ""
    return result["code"] == 1 and result["err"].startswith("error: ") and result["err"].count("\n") == 1

"""A few bytes cannot ask for much memory: the peak of a process that reads them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.demuxing import BOUNDED_PROBING
from tests.stream.memory_ceiling import STREAMS, sliced

CEILING_MB = 500
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not BOUNDED_PROBING, reason="PyAV before 18 takes no bound for the look into a container")
@pytest.mark.parametrize(
    ("name", "way", "said"),
    [
        ("too large", "native", "8192x4352"),
        ("too large", "ffmpeg", "8192x4352 is more than FFmpeg's decoder is let read"),
        ("too large", "auto", "8192x4352 is more than FFmpeg's decoder is let read"),
        ("too many references", "native", "16 references of 4096x4096"),
        ("as large as may be", "native", "24 pictures, 0 skipped, 23 damaged"),
        ("as many references as may be", "native", "36 pictures, 0 skipped, 35 damaged"),
    ],
)
def test_a_hostile_stream_stays_below_the_ceiling(name: str, way: str, said: str) -> None:
    assert len(STREAMS[name]()) < 500
    command = [sys.executable, "-m", "tests.stream.memory_ceiling", name, way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    peak, _, rest = done.stdout.partition(" ")
    assert said in rest
    assert 0 < int(peak) < CEILING_MB


def test_slices_times_references_have_an_end() -> None:
    with open_stream(io.BytesIO(sliced(2, 11_000)), "native") as stream:
        pictures = list(stream)
    assert [picture.kind for picture in pictures] == ["I", "P"]
    assert stream.summary.damage == {"too many slices with too many references": 1}

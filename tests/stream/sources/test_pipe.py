"""Pipes: read to their end, and let go of while a reader waits for them; what else a command can name as a source."""

from __future__ import annotations

import fcntl
import os
import resource
import sys
import threading

import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.sources.pipe import PipeSource, named_source, pipe_of


def test_a_pipe_is_read_to_its_end():
    reading, writing = os.pipe()
    source = PipeSource(reading, "pipe", owned=True)
    os.write(writing, b"abcdef")
    os.close(writing)
    assert source.read(4) + source.read(4) + source.read() == b"abcdef"
    source.close()
    source.close()
    with pytest.raises(OSError):
        os.fstat(reading)


def test_a_process_with_many_open_files_reads_pipes_too():
    reading, writing = os.pipe()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    high = fcntl.fcntl(reading, fcntl.F_DUPFD, 1500)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    os.write(writing, b"abc")
    source = PipeSource(high, "pipe", owned=True)
    assert source.read() == b"abc"
    source.close()
    os.close(reading)
    os.close(writing)


def test_leaving_wakes_a_reader_that_waits():
    reading, writing = os.pipe()
    got = []
    source = PipeSource(reading, "pipe", owned=True)
    thread = threading.Thread(target=lambda: got.append(source.read(10)))
    thread.start()
    source.leave()
    thread.join(timeout=30)
    assert got == [b""] and not thread.is_alive()
    source.close()
    os.close(writing)


def test_only_a_pipe_is_read_by_its_descriptor(tmp_path):
    file = tmp_path / "clip"
    file.write_bytes(b"x")
    reading, writing = os.pipe()
    with file.open("rb") as opened, os.fdopen(reading, "rb") as pipe:
        assert pipe_of(opened) is None and pipe_of(object()) is None
        assert pipe_of(pipe) is not None
    os.close(writing)


@pytest.mark.parametrize("stdin", [None, "closed"])
def test_standard_input_that_is_closed_is_an_error(monkeypatch, stdin):
    if stdin == "closed":
        stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
        stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(StreamError, match="standard input is closed"):
        named_source("-")
    assert named_source("clip.mp4") == "clip.mp4"

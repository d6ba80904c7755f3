"""Standard input: read to its end, and let go of while a reader waits for it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from edgecvar.stream.sources.pipe import PipeSource, binary_source


def test_a_pipe_is_read_to_its_end():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        source = PipeSource(pipe)
        os.write(writing, b"abcdef")
        os.close(writing)
        assert source.read(4) + source.read(4) + source.read() == b"abcdef"


def test_leaving_wakes_a_reader_that_waits():
    reading, writing = os.pipe()
    got = []
    with os.fdopen(reading, "rb") as pipe:
        source = PipeSource(pipe)
        thread = threading.Thread(target=lambda: got.append(source.read(10)))
        thread.start()
        source.leave()
        thread.join(timeout=30)
        assert got == [b""] and not thread.is_alive()
    os.close(writing)


def test_ctrl_c_ends_the_pipe_and_is_raised_at_the_end():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        source = PipeSource(pipe)
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), source.interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            assert source.read(10) == b""
        assert signal.getsignal(signal.SIGINT) is before
    os.close(writing)


def test_a_file_on_standard_input_can_still_be_searched(tmp_path):
    file = tmp_path / "clip"
    file.write_bytes(b"x")
    with file.open("rb") as opened:
        assert binary_source(opened) is opened

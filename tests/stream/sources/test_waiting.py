"""Sources that keep one waiting: given up after the timeout, left from another thread, without their passwords."""

from __future__ import annotations

import gc
import io
import os
import socket
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

import edgecvar
from edgecvar.errors import StreamError
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources import detached
from edgecvar.stream.sources.opening import path_of, source_name
from tests.moving_clip import moving_clip

SHORT = 0.4
"""Seconds of timeout: what sends here sends at once."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.ts", pictures=120, bf="2").read_bytes()


@contextmanager
def server(content: bytes) -> Iterator[int]:
    """A TCP port that accepts, sends `content` and then says nothing more."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        accepted: List[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                accepted.append(connection)
                connection.sendall(content)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            for connection in accepted:
                connection.close()


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stall_of(source: Any) -> str:
    """The error of a source that stalls; that it comes at all, and soon, is the test."""
    start = time.monotonic()
    with pytest.raises(StreamError) as caught, open_stream(source, timeout=SHORT) as stream:
        pictures = list(stream)
        raise AssertionError(f"no error after {len(pictures)} pictures")
    assert time.monotonic() - start < 10
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["tcp", "http", "rtsp", "rtmp"])
def test_a_server_that_says_nothing(scheme: str) -> None:
    with server(b"") as port:
        message = stall_of(f"{scheme}://user:secret@127.0.0.1:{port}/live")
    assert "nothing came for 0.4 s" in message and "user:***@127.0.0.1" in message and "secret" not in message


def test_half_a_stream_and_then_nothing(clip: bytes) -> None:
    with server(clip[: len(clip) // 2]) as port:
        assert "nothing came for 0.4 s" in stall_of(f"tcp://127.0.0.1:{port}")


def test_nobody_sends_and_nobody_listens() -> None:
    assert "nothing came for 0.4 s" in stall_of(f"udp://127.0.0.1:{free_port()}")
    with pytest.raises(StreamError, match=r"user:\*\*\*@127.*refused"):
        open_stream(f"tcp://user:secret@127.0.0.1:{free_port()}", timeout=SHORT)


@pytest.mark.parametrize("share", [None, 0, 1, 2])
def test_a_named_pipe(tmp_path: Path, clip: bytes, share: int) -> None:
    """Without a writer, with one that is silent, one that stops in the middle, and one that ends."""
    path = tmp_path / "pipe"
    os.mkfifo(str(path))
    if share is None:
        assert "nothing came for 0.4 s" in stall_of(path)
        return
    ends = [os.open(str(path), os.O_RDWR)]

    def write() -> None:
        with open(str(path), "wb") as writer:
            writer.write(clip[: len(clip) * share // 2])
        if share == 2:
            os.close(ends.pop())

    thread = threading.Thread(target=write)
    thread.start()
    if share == 2:
        with open_stream(path, timeout=30) as stream:
            assert len(list(stream)) == 120
    else:
        assert f"{path}: nothing came" in stall_of(str(path))
    thread.join()
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("sent", [0, 1])
def test_a_file_of_the_kernels_that_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: bytes, sent: int
) -> None:
    """Such as /proc/kmsg: a regular file of 0 bytes, whose reader waits; here a pipe that is called a file."""
    path = tmp_path / "kmsg"
    os.mkfifo(str(path))
    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda self: self == path or is_file(self))
    writer = os.open(str(path), os.O_RDWR)
    os.write(writer, clip[: sent * 4096])
    said: List[str] = []
    thread = threading.Thread(target=lambda: said.append(stall_of(path)), daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert said and f"{path}: nothing came for 0.4 s" in said[0]
    os.close(writer)


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="no /proc on this system")
def test_a_file_of_the_kernels_that_ends_is_no_video() -> None:
    with pytest.raises(StreamError, match="/proc/version: not a video that can be opened"):
        open_stream("/proc/version")


class Slow(io.RawIOBase):
    """A file object of bytes that come in small pieces, each well within the timeout, all of them well beyond it."""

    def __init__(self, content: bytes, pieces: int, stops: bool) -> None:
        self._pieces = [
            content[at::1][: len(content) // pieces] for at in range(0, len(content), len(content) // pieces)
        ]
        self._stops = stops
        self.gone = threading.Event()

    def read(self, size: int = -1) -> bytes:
        if not self._pieces:
            if self._stops:
                self.gone.wait(30)
            return b""
        time.sleep(0.08)
        content, self._pieces[0] = self._pieces[0][:size], self._pieces[0][size:]
        if not self._pieces[0]:
            del self._pieces[0]
        return content


@pytest.mark.parametrize("stops", [False, True])
def test_a_file_object_that_is_slow_and_one_that_stops(clip: bytes, stops: bool) -> None:
    source = Slow(clip, 16, stops)
    if stops:
        assert "nothing came" in stall_of(source)
    else:
        with open_stream(source, timeout=1) as stream:
            assert len(list(stream)) == 120
    source.gone.set()


def test_a_url_that_is_slow_to_be_looked_into_ends_as_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLV without sound is looked into for as long as the timeout lets FFmpeg, while pictures come."""
    monkeypatch.setattr(detached, "GRACE", 0.3)
    content = moving_clip(tmp_path / "clip.flv", pictures=100).read_bytes()

    def send(connection: socket.socket) -> None:
        for at in range(0, len(content), len(content) // 24):
            connection.sendall(content[at : at + len(content) // 24])
            time.sleep(0.07)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=lambda: _served(listening, send))
        thread.start()
        with open_stream(f"tcp://127.0.0.1:{listening.getsockname()[1]}", timeout=1) as stream:
            assert len(list(stream)) >= 99  # one may be on its way when FFmpeg has looked for long enough
        thread.join(timeout=30)


def _served(listening: socket.socket, send: Callable[[socket.socket], None]) -> None:
    with closing(listening.accept()[0]) as connection:
        send(connection)


def test_a_stream_is_closed_while_another_thread_waits_for_it(clip: bytes) -> None:
    with server(clip) as port:
        stream = open_stream(f"tcp://127.0.0.1:{port}", timeout=60)
        outcomes: List[str] = []
        waits = threading.Event()

        def read() -> None:
            try:
                for picture in stream:
                    if picture.decode_index == 60:
                        waits.set()
            except StreamError as error:
                outcomes.append(str(error))

        thread = threading.Thread(target=read)
        thread.start()
        assert waits.wait(30)
        stream.close()
        thread.join(timeout=30)
    assert not thread.is_alive() and "closed while it was being read" in outcomes[0]
    stream.close()
    with pytest.raises(StreamError, match="closed"):
        iter(stream)


def test_a_file_is_closed_while_another_thread_reads_it(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=300)
    for _ in range(5):
        stream = open_stream(path, frames=True)
        begun, outcomes = threading.Event(), []

        def read(stream=stream, begun=begun, outcomes=outcomes) -> None:
            try:
                for _ in stream:
                    begun.set()
            except StreamError as error:
                outcomes.append(str(error))

        thread = threading.Thread(target=read)
        thread.start()
        assert begun.wait(30)
        stream.close()
        thread.join(timeout=30)
        assert len(outcomes) == 1 and "closed" in outcomes[0]


def test_a_stream_that_nobody_holds_lets_its_thread_go(clip: bytes) -> None:
    with server(clip) as port:
        stream = open_stream(f"tcp://127.0.0.1:{port}", timeout=1)
        del stream
        gc.collect()
        deadline = time.monotonic() + 30
        while any(thread.name == "edgecvar-source" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "10", None])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(StreamError, match="timeout="):
        open_stream("clip.mp4", timeout=timeout)


def test_a_file_url_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving_clip(tmp_path / "a clip.mp4", pictures=5)
    monkeypatch.chdir(tmp_path)
    for source in (f"file:{path}", f"file://{tmp_path}/a%20clip.mp4", f"file://localhost{tmp_path}/a%20clip.mp4"):
        assert path_of(source) == path
        with edgecvar.open_stream(source) as stream:
            assert len(list(stream)) == 5
    assert path_of("http://host/clip.mp4") is None and path_of("file:clip.mp4") == Path("clip.mp4")
    with pytest.raises(StreamError, match=r"/none\.mp4: no such file"):
        open_stream("file:///none.mp4")


@pytest.mark.parametrize(
    "url, shown",
    [
        ("rtsp://user:p@ss:word@host/x", "rtsp://user:***@host/x"),
        ("rtsp://user:secret@host:554", "rtsp://user:***@host:554"),
        ("rtsp://user@host/x", "rtsp://user@host/x"),
        ("http://host/a?user=me&password=secret&x=1", "http://host/a?user=me&password=***&x=1"),
        ("srt://host:1?passphrase=secret&x=1", "srt://host:1?passphrase=***&x=1"),
        ("rtsp://host/user=me_password=secret_channel=1", "rtsp://host/user=me_password=***"),
        ("http://host/a@b:c", "http://host/a@b:c"),
        ("https://token@host/x", "https://***@host/x"),
        ("https://token:@host/x", "https://***@host/x"),
        ("http://me@there:secret@host/x", "http://***@there:***@host/x"),
        ("abfs://container@account/x", "abfs://container@account/x"),
        (
            "http://host/a?X-Amz-Security-Token=half/half=&x=1#jwt=secret",
            "http://host/a?X-Amz-Security-Token=***&x=1#jwt=***",
        ),
        (
            "http://host/a?hmac=s&authorization=s;sas=s&monkey=1",
            "http://host/a?hmac=***&authorization=***;sas=***&monkey=1",
        ),
        ("http://host/a&pwd=secret", "http://host/a&pwd=***"),
        ("http://cam/user=me_password=secret_channel=1", "http://cam/user=me_password=***"),
        ("https://host/camera_key=1/pwd=secret/a.mp4", "https://host/camera_key=1/pwd=***/a.mp4"),
        ("s3://bucket/camera_key=1/key=2/a.mp4", "s3://bucket/camera_key=1/key=2/a.mp4"),
        ("a:b@c.mp4", "a:b@c.mp4"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert source_name(url) == shown

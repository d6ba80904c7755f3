"""What tests of deliveries share: things to tell, who takes them, where they wait."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np
import pytest

from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.events import Event
from edgecvar.sinks.delivery.opening import DeliveryOptions, open_deliveries
from edgecvar.sinks.delivery.waiting.courier import Backoff
from edgecvar.sinks.delivery.waiting.spool import Bounds

QUICK = Backoff(0.01, 0.05)
HOSTILE = 'a "b"\\c\nd\x1b[2J/+#\udcff,{é}'


def event(number: int, label: str = "left", ended: bool = False) -> Event:
    return Event(number, label, float(number), number + 0.5 if ended else None, 0.9, number + 0.25)


def decision(index: int, label: str = "left", opens: str = "") -> Decision:
    scores = np.zeros(2, np.float32)
    return Decision(index / 10, index, index, label, 0.8, ((label, 0.8),), 12.0, scores, opens)


def summary(**counts: Any) -> RunSummary:
    plain: Dict[str, Any] = {"pictures": 9, "sampled": 4, "decisions": 3, "skipped": 1, "reasons": {"lost": 1}}
    return RunSummary(**{**plain, "wall_seconds": 1.0, "stream_seconds": 2.0, **counts})


def deliveries(folder: Path, *uris: str, bounds: Optional[Bounds] = None) -> Any:
    return open_deliveries(uris, DeliveryOptions(folder / "spool", bounds or Bounds(), QUICK))


def soon(met: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Waits until something is so, and gives it; fails where it never is."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.01)
    return met()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Receiver:
    """A webhook's other end: `answer` says for each request which status, and which headers, it gets."""

    def __init__(
        self, answer: Callable[[int], Tuple[int, Dict[str, str]]], port: int = 0, tls: Optional[ssl.SSLContext] = None
    ) -> None:
        self.requests: List[Tuple[str, Dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                status, headers = answer(len(receiver.requests))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.handle_error = lambda *told: None  # type: ignore[method-assign]
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def stalling() -> Iterator[Tuple[int, List[socket.socket]]]:
    """A port where everyone is let in, and nobody is answered; those who came."""
    came: List[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    came.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1], came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in came:
                connection.close()


class Mosquitto:
    """A broker on a port of loopback, which can be killed and comes back with the sessions that it had."""

    def __init__(self, folder: Path, passwords: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        lines += ["max_inflight_messages 0", "max_queued_messages 0", "set_tcp_nodelay true", "user root"]
        if passwords:
            (folder / "passwords").write_text(passwords)
            (folder / "passwords").chmod(0o600)
            lines += ["allow_anonymous false", f"password_file {folder / 'passwords'}"]
        else:
            lines += ["allow_anonymous true"]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: Optional[subprocess.Popen] = None

    def start(self) -> None:
        command = [str(shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        soon(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def save(self) -> None:
        """Keep on the disk who subscribes to what."""
        self._process.send_signal(10)
        time.sleep(0.2)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()


needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None, reason="mosquitto is not installed"
)


class Listener:
    """A second client of the broker: what it was told, by topic; `lasting`: it is remembered while it is away."""

    def __init__(self, port: int, topics: str = "#", lasting: bool = False) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: List[Tuple[str, bytes, bool]] = []
        self.subscribed = threading.Event()
        name = "listener" if lasting else f"listener-{id(self)}"
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=not lasting)
        self.client.on_connect = lambda client, *told: client.subscribe(topics, qos=1)
        self.client.on_subscribe = lambda *told: self.subscribed.set()
        self.client.on_disconnect = lambda *told: self.subscribed.clear()
        self.client.on_message = lambda client, data, told: self.messages.append(
            (told.topic, told.payload, told.retain)
        )
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port, 30)

    def of(self, ending: str) -> List[bytes]:
        return [payload for topic, payload, _ in self.messages if topic.endswith(ending)]

    def __enter__(self) -> Listener:
        self.client.loop_start()
        assert self.subscribed.wait(20)
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def ask(port: int, path: str = "/metrics", host: str = "127.0.0.1") -> Tuple[int, str]:
    """Status and text of a page."""
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


PYTHON = sys.executable

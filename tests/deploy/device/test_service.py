"""The switch that is taken back, whatever goes wrong after it; systemctl is a script that does as it is told."""

from __future__ import annotations

import http.server
import os
import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from edgecvar.deploy.device import service as module
from edgecvar.deploy.device.peer import Failure, Peer
from edgecvar.deploy.device.place import RECORD, Place, write_record
from edgecvar.deploy.device.service import NAME, Service

SYSTEMCTL = """#!/bin/sh
echo "$2 $(readlink {root}/current)" >> {root}/asked
case "$2 $(readlink {root}/current)" in
  "restart releases/2") exec sleep {hang} ;;
  show*) echo ActiveState=active; echo MainPID=7 ;;
esac
"""


class Silent(Peer):
    def say(self, **message: Any) -> None:
        pass


@pytest.fixture
def place(tmp_path: Path, monkeypatch: Any) -> Place:
    """Release 1 runs, release 2 waits."""
    place = Place(tmp_path / "root")
    for number in (1, 2):
        place.release(number).mkdir(parents=True)
        write_record(place.release(number) / RECORD, {"number": number, "page": None})
    place.switch(1)
    unit = tmp_path / ".config" / "systemd" / "user" / NAME
    unit.parent.mkdir(parents=True)
    unit.write_text("of release 1")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name, value in (("LONG", 2.0), ("STEADY", 0.0)):
        monkeypatch.setattr(module, name, value)
    return place


def systemctl(place: Place, hang: int) -> Service:
    file = place.root.parent / "bin" / "systemctl"
    file.write_text(SYSTEMCTL.format(root=place.root, hang=hang))
    file.chmod(0o755)
    return Service(place, place.root.parent)


def is_back(place: Place) -> bool:
    asked = (place.root / "asked").read_text().splitlines()
    unit = place.root.parent / ".config" / "systemd" / "user" / NAME
    return "restart releases/1" in asked and place.leads_to(1) and unit.read_text() == "of release 1"


def test_a_service_that_hangs_before_it_is_ready_is_taken_back(place: Place) -> None:
    with pytest.raises(Failure, match=r"did not call itself ready within 2 s.*; release 1 runs again"):
        systemctl(place, 600).activate(2, None, 0.1, Silent())
    assert is_back(place)


def test_an_error_that_nobody_foresaw_is_taken_back(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 0)
    asked: List[str] = []

    def page(url: Any) -> Any:
        asked.append(os.readlink(str(place.root / "current")))
        if asked[-1] == "releases/2":
            raise RuntimeError("surprise")
        return True, []

    monkeypatch.setattr(module, "_page", page)
    with pytest.raises(Failure, match=r"RuntimeError\('surprise',?\); release 1 runs again"):
        service.activate(2, "http://127.0.0.1:1/", 5, Silent())
    assert is_back(place) and "releases/2" in asked


ANSWERS = {
    "/well": b'HTTP/1.0 200 OK\r\n\r\n{"wrong": []}',
    "/ill": b'HTTP/1.0 503 Down\r\n\r\n{"wrong": ["a: no pictures"]}',
    "/noise": b"nonsense\r\n\r\n",
    "/nothing": b"",
    "/short": b"HTTP/1.1 503 Down\r\nContent-Length: 900\r\n\r\n{}",
    "/number": b'HTTP/1.0 200 OK\r\n\r\n{"wrong": 1}',
    "/list": b"HTTP/1.0 200 OK\r\n\r\n[]",
}


@pytest.fixture(scope="module")
def answering() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(ANSWERS[self.path])

        def log_message(self, *words: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", list(ANSWERS))
def test_what_is_no_answer_of_a_page_is_not_well_yet(answering: str, path: str) -> None:
    said = {"/well": (True, []), "/ill": (True, ["a: no pictures"])}.get(path, (False, []))
    assert module._page(answering + path) == said

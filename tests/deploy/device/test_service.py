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
from edgecvar.deploy.device.place import RECORD, WELL, Place, write_record
from edgecvar.deploy.device.service import Service
from edgecvar.deploy.device.unit import NAME

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


def test_the_unit_of_before_runs_again_where_no_release_was(place: Place) -> None:
    (place.root / "current").unlink()
    with pytest.raises(Failure, match="did not call itself ready"):
        systemctl(place, 600).activate(2, None, 0.1, Silent())
    unit = place.root.parent / ".config" / "systemd" / "user" / NAME
    assert unit.read_text() == "of release 1" and not (place.root / "current").is_symlink()
    assert (place.root / "asked").read_text().splitlines().count("restart ") == 1


def test_what_did_not_run_before_does_not_run_after(place: Place) -> None:
    service = systemctl(place, 600)
    file = place.root.parent / "bin" / "systemctl"
    file.write_text(file.read_text().replace("=active", "=inactive"))
    with pytest.raises(Failure, match="; no service ran before it, and none does now"):
        service.activate(2, None, 0.1, Silent())
    asked = (place.root / "asked").read_text().splitlines()
    assert "restart releases/1" not in asked and asked[-1] == "stop releases/1" and place.leads_to(1)


def test_a_disk_that_is_full_does_not_keep_from_going_back(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 0)

    def full(*given: Any, **more: Any) -> Any:
        raise OSError(28, "No space left on device", "/home")

    def opened(path: Any, flags: int, *given: Any, **more: Any) -> int:
        return int(full() if flags & os.O_CREAT else real(path, flags, *given, **more))

    real = os.open

    def page(url: Any) -> Any:
        if place.leads_to(1):
            return True, []
        for owner, name in ((Path, "symlink_to"), (Path, "write_text"), (os, "link")):
            monkeypatch.setattr(owner, name, full)
        monkeypatch.setattr(os, "open", opened)
        raise OSError(28, "No space left on device", "/home")

    write_record(place.release(1) / RECORD, {"number": 1, "page": "http://127.0.0.1:1/"})
    monkeypatch.setattr(module, "_page", page)
    with pytest.raises(Failure, match=r"No space left on device; release 1 runs again"):
        service.activate(2, "http://127.0.0.1:1/", 5, Silent())
    assert is_back(place)
    assert not place.release(2).exists()  # which may be what the room was taken by


def fails(place: Place) -> None:
    raise OSError(5, "Input/output error", "/home/current")


def test_a_link_that_cannot_go_back_does_not_keep_from_starting(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 600)
    monkeypatch.setattr(module, "LONG", 0.5)
    monkeypatch.setattr(Place, "go_back", fails)
    with pytest.raises(Failure, match=r"; going back: /home/current: Input/output error$"):
        service.activate(2, None, 0.1, Silent())
    assert (place.root / "asked").read_text().splitlines().count("restart releases/2") == 2
    assert place.release(2).exists() and place.unjudged


def test_a_release_is_well_only_where_it_was_seen_to_be(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 0)
    service.activate(2, None, 1, Silent())
    assert (place.release(2) / WELL).exists() and not place.unjudged and place.is_well(os.getpid()) is False
    monkeypatch.setattr("edgecvar.deploy.device.place.started", lambda process: float("inf"))
    assert place.is_well(7)
    place.release(3).mkdir()
    write_record(place.release(2) / RECORD, {"number": 2, "page": "http://127.0.0.1:1/"})
    monkeypatch.setattr(module, "_page", lambda url: (False, []))
    with pytest.raises(Failure, match="back at release 2, which is not well either"):
        service.activate(3, "http://127.0.0.1:1/", 0.1, Silent())
    assert place.leads_to(2) and not place.unjudged and not place.is_well(7)


def test_a_switch_that_was_cut_off_goes_back(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 0)

    def cut_off(*given: Any) -> None:
        raise KeyboardInterrupt  # as kill -9 would, nothing of which comes back

    monkeypatch.setattr(service, "_wait", cut_off)
    with pytest.raises(KeyboardInterrupt):
        service.activate(2, None, 1, Silent())
    assert place.leads_to(2) and place.unjudged and place.judged.resolve() == place.release(1).resolve()
    with monkeypatch.context() as patch:
        patch.setattr(Place, "go_back", fails)
        with pytest.raises(Failure, match="going back: /home/current: Input/output error"):
            service.resolve(Silent())
    assert place.unjudged
    service.resolve(Silent())
    assert is_back(place) and not place.unjudged
    (place.root / "asked").write_text("")
    service.resolve(Silent())
    assert (place.root / "asked").read_text() == ""


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("ran", [True, False])
def test_a_service_is_what_it_was(place: Place, monkeypatch: Any, ran: bool, enabled: bool, cut: bool) -> None:
    service = systemctl(place, 0)
    file = place.root.parent / "bin" / "systemctl"
    said = f"={'active' if ran else 'inactive'}; echo UnitFileState={'enabled' if enabled else 'disabled'}"
    file.write_text(file.read_text().replace("=active", said))

    def ends(*given: Any) -> None:
        raise KeyboardInterrupt if cut else Failure("it is not well")

    with monkeypatch.context() as patch:
        patch.setattr(service, "_wait", ends)
        with pytest.raises(KeyboardInterrupt if cut else Failure):
            service.activate(2, None, 1, Silent())
    if cut:
        assert place.unjudged
        file.write_text(file.read_text().replace(said, "=active; echo UnitFileState=enabled"))
        Service(place, place.root.parent).resolve(Silent())
    asked = (place.root / "asked").read_text().splitlines()
    assert ("restart releases/1" in asked) is ran and ("stop releases/1" in asked) is not ran
    assert [line.split()[0] for line in asked if "able" in line][1:] == ([] if enabled else ["disable"])
    assert place.leads_to(1) and not place.unjudged
    left = {path.name for path in (place.root.parent / ".config" / "systemd" / "user").iterdir()}
    assert left == {NAME}


def test_who_goes_back_by_hand_has_judged(place: Place) -> None:
    place.settle()  # of release 1
    place.remember()
    assert not place.unjudged  # as before the switch
    place.switch(2)
    assert place.unjudged
    place.switch(1)
    assert not place.unjudged and place.judged.resolve() == place.release(1).resolve()


def test_what_is_judged_leaves_nothing_to_go_back_to(place: Place, monkeypatch: Any) -> None:
    """A later switch without a service is never seen to be well: it must not be taken for one that was cut off."""
    service = systemctl(place, 0)
    place.settle()  # of release 1
    place.remember()
    service.resolve(Silent())  # the device died between the two
    place.switch(2)
    assert not place.unjudged and not (place.root / "asked").exists()

    place.switch(1)
    with monkeypatch.context() as patch:
        patch.setattr(Place, "switch", lambda self, number: fails(self))
        with pytest.raises(Failure, match="Input/output error; release 1 runs again"):
            service.activate(3, None, 1, Silent())
    place.switch(2)
    assert not place.unjudged


def test_a_first_switch_that_was_cut_off_goes_back_to_nothing(place: Place, monkeypatch: Any) -> None:
    service = systemctl(place, 0)
    unit = place.root.parent / ".config" / "systemd" / "user" / NAME
    for file in (unit, place.root / "current"):
        file.unlink()

    def cut_off(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "_wait", cut_off)
    with pytest.raises(KeyboardInterrupt):
        service.activate(1, None, 1, Silent())
    assert place.leads_to(1) and unit.exists()
    service.resolve(Silent())
    assert not (place.root / "current").is_symlink() and not unit.exists() and not place.unjudged


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

"""The order in which the device's half does things, and what it leaves where one of them fails."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from edgecvar.deploy.device import main as module
from edgecvar.deploy.device.peer import Failure, Gone, Peer
from edgecvar.deploy.device.place import INSTALLED, RECORD, Place, write_record
from edgecvar.deploy.device.service import Service

SHA = hashlib.sha256(b"1").hexdigest()
PLAN: Dict[str, Any] = {
    "version": "1",
    "environment": "e",
    "bundle": "a.edgecvar",
    "files": {"a.edgecvar/one": SHA},
    "config": "bundle: @RELEASE@/a.edgecvar\n",
    "page": None,
    "who": "me",
    "service": False,
    "keep": 3,
    "wait": 1,
}


PROVE = module._prove


class Heard(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.failed = ""

    def say(self, **message: Any) -> None:
        self.failed = message.get("failed", self.failed)

    def may_switch(self) -> None:
        pass


@pytest.fixture
def place(tmp_path: Path, monkeypatch: Any) -> Place:
    monkeypatch.setattr(module, "install", lambda place, plan, peer: place.environment(plan["environment"]))
    monkeypatch.setattr(module, "_prove", lambda *given: {})
    monkeypatch.setattr(module, "stay", lambda: None)
    (tmp_path / "root" / "incoming").mkdir(parents=True)
    (tmp_path / "root" / "incoming" / SHA).write_text("1")
    return Place(tmp_path / "root")


def complete(place: Place) -> Dict[str, Any]:
    return module._complete(place, Service(place, place.root.parent), PLAN, Heard())


def test_a_release_is_whole_from_the_switch_on(place: Place, monkeypatch: Any) -> None:
    def cut_off() -> None:
        raise Gone()

    with monkeypatch.context() as patch:
        patch.setattr(module, "stay", cut_off)
        with pytest.raises(Gone):
            complete(place)
    assert place.records() == [] and place.release(1).is_dir()
    assert complete(place)["release"] == 1 and place.leads_to(1)
    assert (place.release(1) / "config.yaml").read_text() == f"bundle: {place.release(1)}/a.edgecvar\n"
    assert (place.release(1) / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_a_connection_that_stays_open_and_silent_switches_nothing(place: Place, monkeypatch: Any) -> None:
    """As when a cable is pulled: what is said goes somewhere, and no end comes."""
    silent, kept = os.pipe(), os.dup(0)
    said: List[str] = []
    monkeypatch.setattr("edgecvar.deploy.device.peer.ANSWER", 0.1)
    monkeypatch.setattr(Peer, "say", lambda self, **message: said.extend(message))
    os.dup2(silent[0], 0)
    try:
        with pytest.raises(Gone):
            module._complete(place, Service(place, place.root.parent), PLAN, Peer())
        os.write(silent[1], b'{"do": "switch"}\n')
        assert module._complete(place, Service(place, place.root.parent), PLAN, Peer())["release"] == 1
    finally:
        os.dup2(kept, 0)
        for end in (*silent, kept):
            os.close(end)
    assert said == ["ready", "ready", "step"]


@pytest.mark.parametrize(
    ("error", "used", "stays"),
    [(Failure("it crashes"), False, False), (Failure("it crashes"), True, True), (module.Unsuited("no"), False, True)],
)
def test_an_environment_in_which_nothing_works_is_not_kept(
    place: Place, monkeypatch: Any, error: Failure, used: bool, stays: bool
) -> None:
    if used:
        complete(place)
    place.environment("e").mkdir(parents=True, exist_ok=True)
    write_record(place.environment("e") / INSTALLED, {})

    def prove(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(module, "_prove", prove)
    with pytest.raises(Failure):
        complete(place)
    assert (place.environments() == ["e"]) is stays


@pytest.mark.parametrize(
    ("program", "stays"),
    [
        ("#!/bin/sh\necho \"error: config.yaml: unknown key 'nonsense'\" >&2; exit 1", True),
        ("#!/bin/sh\necho 'Error: No such option: --check' >&2; exit 2", True),
        ("#!/bin/sh\n[ $1 = serve ]", True),  # it builds nothing, and says nothing
        ("#!/bin/sh\n[ $1 != verify ]", False),  # nor any JSON
        ("#!/bin/sh\n[ $1 = verify ] || exit 0; echo '{}'", False),
        ("#!/bin/sh\necho \"error: No module named 'pydantic_core'\" >&2; exit 1", False),
        ("#!/bin/sh\necho 'error: /lib/a.so.1: undefined symbol: b' >&2; exit 1", False),
        ("#!/bin/sh\necho 'error: runner: ONNX Runtime cannot be imported: why' >&2; exit 1", False),
        (f"#!{sys.executable}\ndef deep(n):\n  deep(n - 1) if n else 1 / 0\ndeep(40)", False),
        (f"#!{sys.executable}\nimport not_there", False),
        ("#!/bin/sh\nkill -9 $$", False),
        ("#!/bin/sh\nexec /not/there", False),
        ("#!/bin/sh\nexec /", False),
        ("#!/not/there", False),
    ],
)
def test_an_environment_that_runs_is_kept_whatever_it_refuses(
    place: Place, monkeypatch: Any, program: str, stays: bool
) -> None:
    """To install it again would take minutes, and mend no configuration."""
    file, heard = place.environment("e") / "bin" / "edgecvar", Heard()
    file.parent.mkdir(parents=True)
    file.write_text(program + "\n")
    file.chmod(0o755)
    write_record(place.environment("e") / INSTALLED, {})
    monkeypatch.setattr(module, "_prove", PROVE)
    monkeypatch.setattr(Service, "enable_linger", lambda self: None)
    heard.alone = True  # there is nobody at this end of the tests
    plan = {**PLAN, "service": True, "build": True}
    with pytest.raises((Failure, KeyError)):
        module._complete(place, Service(place, place.root.parent), plan, heard)
    assert (place.environments() == ["e"]) is stays and place.records() == []


@pytest.mark.parametrize(("service", "left"), [(True, [2]), (False, [1, 2])])
def test_without_our_service_what_was_current_before_stays(
    place: Place, monkeypatch: Any, service: bool, left: List[int]
) -> None:
    monkeypatch.setattr(Service, "activate", lambda self, number, *given: place.switch(number) or [])
    monkeypatch.setattr(Service, "enable_linger", lambda self: None)
    for _ in range(2):
        plan = {**PLAN, "service": service, "keep": 1}
        module._complete(place, Service(place, place.root.parent), plan, Heard())
    assert [record["number"] for record in place.records()] == left


def test_a_switch_without_a_service_is_never_one_that_was_cut_off(place: Place) -> None:
    complete(place)
    place.settle()
    place.remember()  # and the device died
    complete(place)
    assert place.leads_to(2) and not place.unjudged


@pytest.mark.parametrize("back", [True, False])
def test_what_current_leads_to_is_never_removed(place: Place, monkeypatch: Any, back: bool) -> None:
    complete(place)

    def switch(place: Place, service: Service, number: int, plan: Any, peer: Any) -> Any:
        place.switch(number)
        if back:
            place.switch(1)
        raise RuntimeError("neither there nor back")

    monkeypatch.setattr(module, "_switch", switch)
    with pytest.raises(RuntimeError):
        complete(place)
    assert (place.root / "current" / RECORD).exists() and place.leads_to(1 if back else 2)
    assert place.release(2).exists() is not back


@pytest.mark.parametrize(
    ("error", "said"),
    [(Failure("so\nit is"), "so it is"), (OSError(28, "full", "/x"), "/x: full"), (KeyError("do"), "KeyError('do'")],
)
def test_whatever_goes_wrong_is_said_in_a_line(monkeypatch: Any, error: Exception, said: str) -> None:
    heard = Heard()

    def request() -> Dict[str, Any]:
        raise error

    monkeypatch.setattr(heard, "request", request)
    monkeypatch.setattr(module, "Peer", lambda: heard)
    monkeypatch.setattr(module, "listen_for_the_end", lambda: None)
    monkeypatch.setattr(module.os, "umask", lambda mask: 0)
    module.main()
    assert heard.failed.startswith(said)

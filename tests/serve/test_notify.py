"""What systemd is told, by a socket of the test."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from edgecvar.serve.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_states_are_datagrams(tmp_path: Path, abstract: bool) -> None:
    name = f"@edgecvar-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0"))
        heard.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready("4 streams")
        notifier.reloading()
        notifier.well("3 of 4\nEXTEND=1")
        notifier.unwell("stuck")
        notifier.stopping()
        told = [heard.recv(4096).decode() for _ in range(5)]
    assert told[0] == "READY=1\nSTATUS=4 streams"
    assert told[1].startswith("RELOADING=1\nMONOTONIC_USEC=") and told[1].rpartition("=")[2].isdecimal()
    assert told[2] == "WATCHDOG=1\nSTATUS=3 of 4\\nEXTEND=1"  # a status cannot say more than one line
    assert told[3] == "STATUS=stuck" and told[4] == "STOPPING=1"


def test_what_takes_long_is_no_reason_to_be_ended(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000"})
        with notifier.busy("loading"):
            assert heard.recv(4096) == heard.recv(4096) == b"WATCHDOG=1\nSTATUS=loading"


def test_without_a_socket_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    Notifier({}).ready("alone")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).well("alone")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environment: dict, seconds: object) -> None:
    assert Notifier(environment).interval == seconds

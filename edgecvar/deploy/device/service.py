"""The service on a device: its unit for the user's own systemd, its health, and the switch that can be taken back."""

import json
import os
import pwd
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

from edgecvar.deploy.device.peer import Failure, Peer
from edgecvar.deploy.device.place import Place

NAME = "edgecvar.service"
STEADY = 2.0
"""Seconds for which one process must be well: one that falls and is started again is well now and then."""
LONG = 120.0
"""Seconds at least until a service must call itself ready, and what ran before be well again."""
TIMED_OUT = 124
PLAIN = re.compile(r"[A-Za-z0-9/._+~-]+")
"""A path that stands in a unit as it is."""
UNIT = """\
# Written by `edgecvar deploy`, and written again by the next. Secrets that config.yaml names as ${{...}} are in
# ~/.config/edgecvar/service.env, a NAME=VALUE each line; relative paths of config.yaml lead into {root}/state.
[Unit]
Description=Action recognition on compressed video
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
TimeoutStartSec=1800
WatchdogSec=60
Environment=STATE_DIRECTORY={root}/state
EnvironmentFile=-%h/.config/edgecvar/service.env
WorkingDirectory={root}/state
ExecStart={root}/current/environment/bin/edgecvar serve {root}/current/config.yaml
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStopSec=10
Restart=always
RestartSec=5
NoNewPrivileges=yes
RestrictRealtime=yes
LockPersonality=yes
UMask=0027

[Install]
WantedBy=default.target
"""


class Service:
    """`edgecvar serve` of whatever release is the current one, under `systemctl --user`."""

    def __init__(self, place: Place, home: Path) -> None:
        self._place = place
        self._unit = home / ".config" / "systemd" / "user" / NAME
        self._variables = home / ".config" / "edgecvar" / "service.env"

    def facts(self) -> Dict[str, Any]:
        """Whether there is a systemd of the user's, whether it starts with the device, and what runs."""
        code, said = self._ask("show-environment")
        return {
            "systemd": code == 0,
            "why_not": None if code == 0 else said,
            "linger": _lingers(),
            "active": code == 0 and self._state().get("ActiveState") == "active",
            "plain_path": bool(PLAIN.fullmatch(str(self._place.root))),
        }

    def enable_linger(self) -> None:
        """A user's services end with the last login otherwise, and wait for the first; raises Failure."""
        if not _lingers():
            code, said = _output(["loginctl", "enable-linger"], dict(os.environ))
            if code:
                remedy = f"run once on the device: sudo loginctl enable-linger {_user()}"
                raise Failure(f"its services would end when nobody is logged in ({said}); {remedy}")

    def variables(self) -> Dict[str, str]:
        """The environment that the unit gives it."""
        found = dict(os.environ)
        try:
            lines = self._variables.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        for line in lines:
            name, sign, value = line.strip().partition("=")
            if sign and not name.startswith(("#", ";")):
                value = value.strip()
                quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
                found[name.strip()] = value[1:-1] if quoted else value
        return found

    def activate(self, number: int, page: Optional[str], wait: float, peer: Peer) -> List[str]:
        """Switch to a release, start it, see it well; what is not well with its streams, as before, is returned.

        Raises Failure, with the release and the unit of before running again, where it does not become well.
        """
        before = self._place.current()
        unit = self._unit.read_text(encoding="utf-8") if self._unit.exists() else None
        ill = _streams_of(_page(before["page"])[1]) if before else set()
        try:
            self._place.switch(number)
            self._start(UNIT.format(root=self._place.root), max(wait, LONG))
            return self._wait(page, wait, ill, peer)
        except Exception as error:  # whatever it is: what ran before is to run again
            told = explain(error)
        peer.say(step="rolling back")
        self._place.switch(before["number"] if before else None)
        if before is None or unit is None:
            self._ask("disable", "--now", NAME)
            if self._unit.exists():
                self._unit.unlink()
            raise Failure(told + "; no service ran before it, and none does now")
        try:
            self._start(unit, max(wait, LONG))
            self._wait(before["page"], max(wait, LONG), None, peer)
        except Exception as error:
            back = "{}; back at release {}, which is not well either: {}"
            raise Failure(back.format(told, before["number"], explain(error))) from error
        raise Failure("{}; release {} runs again".format(told, before["number"]))

    def _start(self, unit: str, patience: float) -> None:
        """Written, and ready within so many seconds: one that hangs is not waited for as long as its unit allows."""
        self._unit.parent.mkdir(parents=True, exist_ok=True)
        draft = self._unit.with_name("." + NAME)
        draft.write_text(unit, encoding="utf-8")
        os.replace(str(draft), str(self._unit))
        for command in (["daemon-reload"], ["enable", NAME], ["restart", NAME]):
            code, said = self._ask(*command, patience=patience)
            if code == TIMED_OUT and command[0] == "restart":
                late = f"the service did not call itself ready within {patience:g} s; --wait gives it longer"
                raise Failure(late + self._journal())
            if code:
                raise Failure("systemctl --user {}: {}{}".format(" ".join(command), said, self._journal()))

    def _wait(self, page: Optional[str], wait: float, ill: Optional[Set[str]], peer: Peer) -> List[str]:
        """Until one process has been well for a while; `ill`: streams that may be what they were; None: any."""
        end, since, process, why = time.monotonic() + wait, 0.0, "", "it did not start"
        while time.monotonic() < end:
            state = self._state()
            active = state.get("ActiveState") == "active"
            answers, wrong = _page(page) if active and page else (active, [])
            new = set() if ill is None else _streams_of(wrong) - ill
            if answers and not new:
                if (process, since) == ("", 0.0) or process != state.get("MainPID"):
                    process, since = state.get("MainPID", ""), time.monotonic()
                elif time.monotonic() - since >= STEADY:
                    return wrong
            else:
                process, since = "", 0.0
                why = "systemd calls it {}".format(state.get("ActiveState", "unknown"))
                why = "its page says: {}".format("; ".join(wrong)) if wrong else why
                why = f"its page does not answer at {page}" if active and not answers else why
                peer.say(line=why)
            time.sleep(0.25)
        raise Failure(f"the service was not well within {wait:g} s: {why}{self._journal()}")

    def _state(self) -> Dict[str, str]:
        _, said = self._ask("show", NAME, "--property=ActiveState,MainPID")
        pairs = [line.partition("=") for line in said.splitlines()]
        return {name: value for name, _, value in pairs}

    @staticmethod
    def _ask(*words: str, patience: float = LONG) -> Tuple[int, str]:
        environment = dict(os.environ)
        environment.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
        return _output(["systemctl", "--user", *words], environment, patience)

    @staticmethod
    def _journal() -> str:
        if shutil.which("journalctl") is None:
            return ""
        _, said = _output(["journalctl", "--user", "-u", NAME, "-n", "3", "-o", "cat", "--no-pager"], dict(os.environ))
        return " ({})".format(" | ".join(said.splitlines())[:600]) if said else ""


def explain(error: Exception) -> str:
    """In a line for a person, as far as it was foreseen."""
    if isinstance(error, Failure):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        return "{}: {}".format(error.filename or "the disk", error.strerror or error)
    return repr(error)[:300]


def _output(command: List[str], environment: Dict[str, str], patience: float = LONG) -> Tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=patience,
        )
    except OSError as error:
        return 127, f"{command[0]}: {error.strerror}"
    except subprocess.SubprocessError as error:
        return TIMED_OUT, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _lingers() -> bool:
    return os.path.exists("/var/lib/systemd/linger/" + _user())


def _streams_of(wrong: List[str]) -> Set[str]:
    """The streams that lines of what is wrong begin with: when, and why, may be another each time."""
    return {line.partition(":")[0] for line in wrong}


def _page(url: Optional[str]) -> Tuple[bool, List[str]]:
    """Whether a service answers there, and what it says to be wrong."""
    if url is None:
        return False, []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            with opener.open(url, timeout=5) as answer:
                text = answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            text = error.read(1 << 16)
        return True, [str(line) for line in json.loads(text.decode())["wrong"]]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):  # of a service that is only starting
        return False, []

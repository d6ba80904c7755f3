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
from edgecvar.deploy.device.unit import NAME, Unit

STEADY = 2.0
"""Seconds for which one process must be well: one that falls and is started again is well now and then."""
LONG = 120.0
"""Seconds at least until a service must call itself ready, and what ran before be well again."""
TIMED_OUT = 124
PLAIN = re.compile(r"[A-Za-z0-9/._+~-]+")
"""A path that stands in a unit as it is."""


class Service:
    """`edgecvar serve` of whatever release is the current one, under `systemctl --user`."""

    def __init__(self, place: Place, home: Path) -> None:
        self._place = place
        self._unit = Unit(home, place.root)
        self._variables = home / ".config" / "edgecvar" / "service.env"

    def facts(self) -> Dict[str, Any]:
        """Whether there is a systemd of the user's, whether it starts with the device, and what runs."""
        code, said = self._ask("show-environment")
        state = self._state() if code == 0 else {}
        active = state.get("ActiveState") == "active"
        return {
            "systemd": code == 0,
            "why_not": None if code == 0 else said,
            "linger": _lingers(),
            "active": active,
            "runs_current": active and self._place.is_well(_number(state.get("MainPID"))),
            "stranger": self._unit.stranger(state.get("FragmentPath", "")),
            "held": self._unit.lock.held_by(),
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

    def claim(self, who: str) -> None:
        """The unit is this deploy's alone, of all of this user's; raises Failure where it is not to be had."""
        self._unit.lock.take(who)
        stranger = self._unit.stranger(self._state().get("FragmentPath", ""))
        if stranger is not None:
            raise Failure(stranger)

    def resolve(self, peer: Peer) -> None:
        """What a deploy that was cut off in its switch left goes back to what was there before it; raises Failure."""
        if not self._place.unjudged:
            self._place.forget()
            return
        peer.say(step="going back from a switch that was cut off")
        if self._unit.stranger() is not None:
            self._place.go_back()
            return
        ran = self._unit.ran
        troubles = self._go_back()
        if troubles:
            raise Failure("; ".join(troubles))
        if not ran:
            self._ask("stop", NAME)
        else:
            try:
                self._restart(LONG)
            except Failure as error:  # what is deployed now may mend it
                peer.say(line=explain(error))

    def activate(self, number: int, page: Optional[str], wait: float, peer: Peer) -> List[str]:
        """Switch to a release, start it, see it well; what is not well with its streams, as before, is returned.

        Raises Failure, with the release and the unit of before running again, where it does not become well.
        """
        before, state = self._place.current(), self._state()
        ill = _streams_of(_page(before["page"])[1]) if before else set()
        # What cannot be told is taken to run, and to be enabled: better that than no service.
        self._unit.remember(state.get("ActiveState") != "inactive", state.get("UnitFileState") != "disabled")
        self._place.remember()
        try:
            self._place.switch(number)
            self._unit.write()
            self._must("daemon-reload")
            self._must("enable", NAME)
            self._restart(max(wait, LONG))
            wrong = self._wait(page, wait, ill, peer)
        except Exception as error:  # whatever it is: what ran before is to run again
            told = explain(error)
        else:
            self._place.settle()
            self._unit.forget()
            return wrong
        peer.say(step="rolling back")
        ran = self._unit.ran
        troubles = self._go_back()
        self._place.drop(number)  # before the start: it may be what fills the disk
        raise Failure(told + self._after(ran, max(wait, LONG), peer) + "".join(f"; {each}" for each in troubles))

    def _go_back(self) -> List[str]:
        """Link and unit are what they were; what of it could not be done, in words, keeps nothing else from it."""
        troubles = []
        if not self._unit.remembered:
            self._ask("disable", "--now", NAME)
        elif not self._unit.enabled:
            self._ask("disable", NAME)
        try:
            self._place.go_back()
            self._unit.go_back()  # not where that failed: the next try is to know that there was a unit
        except OSError as error:
            troubles.append("going back: " + explain(error))
        self._ask("daemon-reload")
        return troubles

    def _after(self, ran: bool, patience: float, peer: Peer) -> str:
        """What ran before the switch is started again; in words, what runs now."""
        if not ran:
            self._ask("stop", NAME)
            return "; no service ran before it, and none does now"
        now = self._place.current()
        name = "release {}".format(now["number"]) if now else "what was there"
        try:
            self._restart(patience)
            self._wait(now["page"] if now else None, patience, None, peer)
        except Exception as error:
            return f"; back at {name}, which is not well either: {explain(error)}"
        if not self._place.unjudged:
            self._place.settle()
        return f"; {name} runs again"

    def _must(self, *words: str) -> None:
        code, said = self._ask(*words)
        if code:
            raise Failure("systemctl --user {}: {}{}".format(" ".join(words), said, self._journal()))

    def _restart(self, patience: float) -> None:
        """Ready within so many seconds: one that hangs is not waited for as long as its unit allows."""
        code, said = self._ask("restart", NAME, patience=patience)
        if code == TIMED_OUT:
            late = f"the service did not call itself ready within {patience:g} s; --wait gives it longer"
            raise Failure(late + self._journal())
        if code:
            raise Failure(f"systemctl --user restart {NAME}: {said}{self._journal()}")

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
        _, said = self._ask("show", NAME, "--property=ActiveState,MainPID,FragmentPath,UnitFileState")
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


def _number(text: Optional[str]) -> int:
    return int(text) if text and text.isdigit() else 0


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

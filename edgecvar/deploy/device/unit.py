"""The unit of the service: one a user, whatever folder it is deployed into."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Optional

from edgecvar.deploy.device.lock import Lock
from edgecvar.deploy.device.place import document, put, remove, write_record

NAME = "edgecvar.service"
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
OURS = "# Written by `edgecvar deploy`"
ROOT = re.compile(r"^WorkingDirectory=(.+)/state$", re.MULTILINE)


class Unit:
    """`file`, and beside it, while a switch is not judged, what it and its service were. `lock`: one deploy a user."""

    def __init__(self, home: Path, root: Path) -> None:
        self.file = home / ".config" / "systemd" / "user" / NAME
        self.lock = Lock(self.file.with_name("." + NAME + ".lock"))
        self._root = root
        self._before = self.file.with_name("." + NAME + ".before")
        self._was = self.file.with_name("." + NAME + ".was")

    def stranger(self, loaded: str = "") -> Optional[str]:
        """What stands against writing it: it is another's, or of another root. `loaded`: where systemd has it from."""
        if loaded and os.path.exists(loaded) and os.path.realpath(loaded) != os.path.realpath(str(self.file)):
            return _foreign(loaded)
        text = self._text()
        if text is None:
            return None
        of = ROOT.search(text)
        if not text.startswith(OURS) or of is None:
            return _foreign(str(self.file))
        if os.path.realpath(of.group(1)) != os.path.realpath(str(self._root)):
            return (
                f"{self.file} is of another deploy, into {of.group(1)}: name that with --root, or end it by "
                f"systemctl --user disable --now edgecvar, and remove that file"
            )
        return None

    def remember(self, ran: bool, enabled: bool) -> None:
        """It can go back to what it is now, without any room on the disk."""
        remove(self._before)
        if self.file.exists():
            write_record(self._was, {"ran": ran, "enabled": enabled})
            put(self.file, self._before)

    @property
    def remembered(self) -> bool:
        return self._before.exists()

    @property
    def ran(self) -> bool:
        """Whether the service did before the switch; where that cannot be read, it did."""
        return self.remembered and bool((document(self._was) or {}).get("ran", True))

    @property
    def enabled(self) -> bool:
        """As `ran`, of whether it started with the device."""
        return self.remembered and bool((document(self._was) or {}).get("enabled", True))

    def write(self) -> None:
        """Where it is another: a disk that is full lets one be that stays as it is."""
        text = UNIT.format(root=self._root)
        if self._text() != text:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.file.with_name("." + NAME)
            draft.write_text(text, encoding="utf-8")
            os.replace(str(draft), str(self.file))

    def go_back(self) -> None:
        """As it was remembered: a rename, or none where there was none."""
        if self.remembered:
            os.replace(str(self._before), str(self.file))
        else:
            remove(self.file)
        self.forget()

    def forget(self) -> None:
        with suppress(OSError):  # the next switch remembers anew
            remove(self._before)
            remove(self._was)

    def _text(self) -> Optional[str]:
        """None where there is none; empty where it cannot be read."""
        try:
            return self.file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "" if os.path.lexists(str(self.file)) else None


def _foreign(file: str) -> str:
    return (
        f"{file} is a unit of that name which edgecvar deploy did not write: give it another name, or "
        "--no-service leaves the service to you"
    )

"""Whom ssh is to reach, as the user's own ssh reaches them: its configuration, agents and jump hosts count."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from edgecvar.errors import ConfigError

BEGIN = "import sys;r=sys.stdin.buffer.raw;n=int(r.readline());exec(bytes().join(r.read(1) for i in range(n)))"
RUN = f"exec python3 -c '{BEGIN}'"
"""All that is ever asked of a device's shell; what it runs comes by standard input, and what that is told, too."""
OURS = ("ServerAliveInterval=15", "ServerAliveCountMax=4", "ConnectTimeout=20", "ClearAllForwardings=yes")
_HOST = re.compile(r"((?!-)[\w.+\\-]+@)?(?!-)[\w.:%\[\]-]+", re.ASCII)
"""Nothing that a ProxyCommand of the user's, which a shell reads, could take for more than a name."""


@dataclass(frozen=True)
class Target:
    """A host, or user@host, and what is handed to ssh with it: -p, -i, -F and -o."""

    host: str
    port: Optional[int] = None
    identity: Optional[Path] = None
    ssh_config: Optional[Path] = None
    ssh_option: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ConfigError(f"{self.host!r} is no device: expected USER@HOST, or a host that ssh's configuration has")

    @property
    def options(self) -> List[str]:
        """What the user gave, as ssh takes it."""
        given = [("-p", self.port), ("-i", self.identity), ("-F", self.ssh_config)]
        flags = [part for flag, value in given if value is not None for part in (flag, str(value))]
        return [*flags, *(part for option in self.ssh_option for part in ("-o", option))]

    def command(self, may_ask: bool) -> List[str]:
        """The program that connects; raises ConfigError where ssh is not installed. `may_ask`: for a password."""
        ssh = shutil.which("ssh")
        if ssh is None:
            raise ConfigError("ssh is not installed here: sudo apt-get install openssh-client")
        # The first value counts, so that the user's come first.
        ours = [part for option in (*OURS, *(() if may_ask else ("BatchMode=yes",))) for part in ("-o", option)]
        return [ssh, *self.options, *ours, "-T", "-a", "-x", "--", self.host, RUN]

    def tunnel(self, host: str, port: int) -> str:
        """The command that makes a port of the device's loopback one of this machine."""
        inside = f"[{host}]" if ":" in host else host
        return " ".join(map(shlex.quote, ["ssh", *self.options, "-L", f"{port}:{inside}:{port}", self.host]))

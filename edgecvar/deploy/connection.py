"""One connection to a device: our half of it is sent there, run, and talked with over its standard streams."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Callable, Deque, Dict, List, Optional, Sequence, Union

from edgecvar.deploy.target import Target
from edgecvar.errors import DeviceError

SENT = ("peer", "lock", "processes", "place", "unit", "service", "look", "environment", "main")
"""The modules of `device`, each after those that it imports."""
PACKAGE = "edgecvar.deploy.device"
LONGEST_LINE = 1 << 24
MOST_NOISE = 200
"""Lines that a login may print before our half says hello."""
CHUNK = 1 << 18
ALONE = ("switching", "rolling back")
"""Steps that the device carries out to their end, whoever listens, once it has heard that it may."""

Heard = Callable[[str, str], None]
"""Told what kind of news there is, "step" or "line", and its text."""


class Connection:
    """From entering to leaving; raises DeviceError where there is none, or none any more."""

    def __init__(self, target: Target, hear: Heard) -> None:
        self._target, self._hear = target, hear
        self._errors: Deque[str] = deque(maxlen=20)
        self.step = "connecting"

    def __enter__(self) -> Connection:
        command = self._target.command(may_ask=sys.stdin is not None and sys.stdin.isatty())
        self._ssh = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._ssh.stdin is not None and self._ssh.stdout is not None and self._ssh.stderr is not None
        self._to: BinaryIO = self._ssh.stdin  # type: ignore[assignment]
        self._from: BinaryIO = self._ssh.stdout  # type: ignore[assignment]
        self._listener = threading.Thread(target=self._listen, args=(self._ssh.stderr,), name="ssh", daemon=True)
        self._listener.start()
        try:
            program = device_program()
            self._write(b"%d\n" % len(program) + program)
            self._until_hello()
        except BaseException:
            self.__exit__()
            raise
        self.step = "looking"
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):  # of what could not be sent any more
            self._to.close()
        try:
            # The device's half ends when nobody listens; one that works on is left to it.
            self._ssh.wait(timeout=0.2 if exc and exc[0] is not None else 5)
        except subprocess.TimeoutExpired:
            self._ssh.terminate()
            self._ssh.wait()
        self._listener.join(1)
        self._from.close()

    def ask(self, **request: Any) -> Any:
        """What the device's half answers; raises DeviceError with what it says, where it could not do it."""
        self._write(json.dumps(request).encode() + b"\n")
        return self.reply()

    def reply(self) -> Any:
        """The answer to what was asked; what is told meanwhile goes to `hear`."""
        while True:
            message = self._message(self._line())
            if "done" in message:
                return message["done"]
            if "failed" in message:
                raise DeviceError(f"{self._target.host}: {message['failed']}")
            if "ready" in message:  # it waits for this, and switches nothing where nobody is there to answer
                self.step = ALONE[0]
                self._write(json.dumps({"do": "switch"}).encode() + b"\n")
            for kind in ("step", "line"):
                if kind in message:
                    self.step = str(message[kind]) if kind == "step" else self.step
                    self._hear(kind, str(message[kind]))

    def send(self, content: Union[Path, bytes], size: int, sent: Callable[[int], None]) -> None:
        """`size` bytes, as they were announced; a file that is shorter by now is filled up, and its hash refused."""
        if isinstance(content, bytes):
            self._write(content)
            sent(size)
            return
        with content.open("rb") as file:
            left = size
            while left:
                some = file.read(min(CHUNK, left)) or bytes(min(CHUNK, left))
                self._write(some)
                left -= len(some)
                sent(len(some))

    def _until_hello(self) -> None:
        for _ in range(MOST_NOISE):
            if self._message(self._line()).get("hello"):
                return
        raise DeviceError(f"{self._target.host}: its login prints so much that nothing can be said; keep it quiet")

    @staticmethod
    def _message(line: bytes) -> Dict[str, Any]:
        try:
            message = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
        return message if isinstance(message, dict) else {}

    def _write(self, content: bytes) -> None:
        try:
            self._to.write(content)
            self._to.flush()
        except OSError:
            self.reply()  # why it does not listen any more: it says so, or the connection is lost
            raise self._lost() from None

    def _line(self) -> bytes:
        line = self._from.readline(LONGEST_LINE)
        if not line:
            raise self._lost()
        return line

    def _lost(self) -> DeviceError:
        try:
            code: Optional[int] = self._ssh.wait(timeout=2)
        except subprocess.TimeoutExpired:
            code = None
        self._listener.join(1)
        return DeviceError(f"{self._target.host}: {why_lost(code, list(self._errors), self.step, self._target)}")

    def _listen(self, errors: Sequence[bytes]) -> None:
        for line in errors:
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._errors.append(text)


def device_program() -> bytes:
    """The source of the device's half as one program: its modules are put where they import each other from."""
    folder = Path(__file__).parent / "device"
    modules = [(f"{PACKAGE}.{name}", (folder / f"{name}.py").read_text(encoding="utf-8")) for name in SENT]
    begin = (
        "import sys, types\n"
        f"for name, source in {modules!r}:\n"
        "    module = sys.modules[name] = types.ModuleType(name)\n"
        "    exec(compile(source, name, 'exec'), module.__dict__)\n"
        "module.main()\n"
    )
    return begin.encode()


def why_lost(code: Optional[int], errors: List[str], step: str, target: Target) -> str:
    """Why there is no connection, in a line, with what to do."""
    text, last = "\n".join(errors), errors[-1] if errors else f"ssh ended with {code}"
    if step == "connecting":
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in text or "differs from the key" in text:
            return (
                "its host key is not the one that ssh knows: if the device was set up anew, ssh-keygen -R its name; "
                "if not, somebody stands between"
            )
        if "host key is known" in text or "Host key verification failed" in text:
            return "its host key is unknown here: connect once with ssh, compare the fingerprint, and accept it"
        if "Permission denied" in text:
            return f"the login was refused ({last}): ssh-copy-id puts your key there"
        if "python3" in text and code != 255:
            return f"it has no python3 that runs ({last}): sudo apt-get install python3"
        return f"no connection ({last})"
    if step in ALONE:
        return (
            f"the connection was lost while {step}: the device finishes that by itself, or what ran before runs on; "
            f"edgecvar deploy --dry-run {target.host} ... shows what runs"
        )
    return (
        f"the connection was lost while {step} ({last}): what ran there runs as before, and the next deploy goes on "
        "with what has come"
    )

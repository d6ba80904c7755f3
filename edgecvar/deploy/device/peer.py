"""How the device's half talks with whoever sent it: a line of JSON each way, and bytes of files that are announced."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

PATIENCE = 120.0
"""Seconds for which a request, or more bytes of a file, are waited for: a cable that is pulled says nothing."""
ANSWER = 60.0
"""Seconds for which the other end's word that it still listens is waited for."""
LONGEST = 500
CHUNK = 1 << 16


class Failure(Exception):
    """What ends a deploy, in a line for a person."""


class Gone(Exception):
    """Nobody is there any more to hear of it, or somebody wants this process to end."""


class Peer:
    """The other end. `alone`: from now on the work goes on without anybody who listens."""

    def __init__(self) -> None:
        self.alone = False
        self._read = bytearray()

    def say(self, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:
                line = line[os.write(1, line) :]
        except OSError:
            if not self.alone:
                raise Gone() from None

    def request(self) -> Dict[str, Any]:
        while b"\n" not in self._read:
            self._more()
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        return dict(json.loads(line.decode()))

    def take(self, size: int) -> bytes:
        """Some of the bytes that come, at least one and at most `size`."""
        if not self._read:
            self._more()
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    def may_switch(self) -> None:
        """Asks; raises Gone without an answer, as over a cable that is pulled, which takes what is said for long."""
        self.say(ready=True)
        while b"\n" not in self._read:
            self._more(ANSWER)
        if self.request().get("do") != "switch":
            raise Gone()

    def _more(self, patience: float = PATIENCE) -> None:
        ready, _, _ = select.select([0], [], [], patience)
        more = os.read(0, CHUNK) if ready else b""
        if not more:
            raise Gone()
        self._read += more

    def run(
        self, command: List[str], environment: Optional[Dict[str, str]] = None, folder: Optional[str] = None
    ) -> Tuple[int, str, List[str]]:
        """Exit code, standard output and last lines of standard error of a program, whose lines are passed on.

        It ends when nobody listens any more, unless the work goes on `alone`. Raises Failure where it is not there.
        """
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(f"{command[0]}: {error.strerror}") from error
        try:
            out, said = self._listen(child)
            return child.wait(), out, said
        finally:
            _end(child)

    def _listen(self, child: "subprocess.Popen[bytes]") -> Tuple[str, List[str]]:
        assert child.stdout is not None and child.stderr is not None
        out, partial, said = bytearray(), b"", []  # type: Tuple[bytearray, bytes, List[str]]
        pipes = [child.stdout.fileno(), child.stderr.fileno()]
        while pipes:
            ready, _, _ = select.select(pipes + ([] if self.alone else [0]), [], [])
            if 0 in ready:  # half duplex: nothing is asked while something is done, so this is the end
                raise Gone()
            for pipe in ready:
                more = os.read(pipe, CHUNK)
                if not more:
                    pipes.remove(pipe)
                elif pipe == child.stdout.fileno():
                    out += more
                else:
                    *lines, partial = (partial + more).replace(b"\r", b"\n").split(b"\n")
                    texts = [line.decode("utf-8", "replace").strip()[:LONGEST] for line in lines]
                    texts = [text for text in texts if text]
                    said = (said + texts)[-20:]
                    if texts:
                        self.say(line=texts[-1])
        last = partial.decode("utf-8", "replace").strip()[:LONGEST]
        return out.decode("utf-8", "replace"), [*said, last] if last else said


def listen_for_the_end() -> None:
    """Signals that end a program raise Gone, so that what it has begun is ended, too."""

    def leave(number: int, frame: object) -> None:
        raise Gone()

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)


def stay() -> None:
    """From here on nothing but what was begun ends this process; what it starts listens as ever."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """The program and what it has started; first in kindness."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            break
        try:
            os.killpg(child.pid, number)
        except OSError:
            break
        end = time.monotonic() + 5
        while child.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))

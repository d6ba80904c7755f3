"""An RTSP server of GStreamer's, where Debian's packages are: started, killed, started again at the same port."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

import pytest

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).parent / "sources" / "rtsp_server.py"
_ASKS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def need_server() -> None:
    """Skips where there is none."""
    there = shutil.which(PYTHON) and subprocess.run([PYTHON, "-c", _ASKS], capture_output=True, check=False)
    if not there or there.returncode:
        pytest.skip("no GStreamer RTSP server: apt install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-libav")


class Server:
    """A server of /live at 60 pictures a second; `words` are those of `rtsp_server.py`."""

    def __init__(self, *words: str) -> None:
        self.port = 0
        self._process: List[subprocess.Popen] = []
        self.start(*words)

    def start(self, *words: str) -> None:
        command = [PYTHON, str(SCRIPT), str(self.port), "fast", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        self.port = int(process.stdout.readline())
        self._process = [process]

    def kill(self) -> None:
        for process in self._process:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._process = []

    def uri(self, path: str = "live", user: str = "") -> str:
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"


@contextmanager
def serving(*words: str) -> Iterator[Server]:
    """One that is killed at the end."""
    need_server()
    server = Server(*words)
    try:
        yield server
    finally:
        server.kill()

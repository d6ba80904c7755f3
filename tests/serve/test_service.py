"""The service as a whole: a process that is told by a file and by signals, and says what it does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import ConfigError
from edgecvar.serve.configuration.loading import load_config
from edgecvar.serve.log import Log
from edgecvar.serve.service import Service

LONG = 60.0
"""Seconds after which a test gives up; nothing takes so long."""


class Running:
    """`edgecvar serve` in a process of its own, its log, and what it tells systemd."""

    def __init__(self, config: Path, notified: socket.socket) -> None:
        self.config = config
        self._notified = notified
        self._log = config.with_suffix(".log")
        environment = {**os.environ, "NOTIFY_SOCKET": str(notified.getsockname()), "WATCHDOG_USEC": "2000000"}
        environment.pop("JOURNAL_STREAM", None)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edgecvar", "serve", str(config)], stderr=log, env=environment
            )

    @property
    def log(self) -> List[Dict[str, Any]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait(self, event: str, number: int = 1, **values: Any) -> Dict[str, Any]:
        """The log's line so often, with these values."""
        end = time.monotonic() + LONG
        while True:
            lines = [line for line in self.log if line["event"] == event and values.items() <= line.items()]
            if len(lines) >= number:
                return lines[number - 1]
            assert time.monotonic() < end and self.process.poll() is None, self._log.read_text(encoding="utf-8")
            time.sleep(0.05)

    def told(self, beginning: str) -> str:
        """The next that systemd is told which begins so."""
        while True:
            text = self._notified.recv(4096).decode()
            if text.startswith(beginning):
                return text

    def reload(self, text: str) -> None:
        self.config.write_text(text, encoding="utf-8")
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def running(folder: Path, text: str) -> Iterator[Running]:
    config = folder / "edge.yaml"
    config.write_text(text, encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        notified.settimeout(LONG)
        service = Running(config, notified)
        try:
            yield service
        finally:
            service.process.kill()
            service.process.wait(LONG)


def configuration(*sources: str, more: str = "") -> str:
    lines = [f"  {name}: {{uri: '{default_clip()}', again: true}}" for name in sources]
    return "\n".join(["log: json", "page: false", "sources:", *lines, more, ""])


def test_a_reload_leaves_what_did_not_change_and_an_end_is_clean(tmp_path: Path) -> None:
    with running(tmp_path, configuration("door", "yard")) as service:
        assert "STATUS=2 streams" in service.told("READY=1")
        service.wait("stream running", stream="door")
        service.wait("stream running", stream="yard")
        assert "streams running" in service.told("WATCHDOG=1")

        service.reload(configuration("door", "gate", more=f"to: ['sqlite:{tmp_path / 'log.db'}']"))
        assert "MONOTONIC_USEC=" in service.told("RELOADING=1")
        assert "STATUS=2 streams" in service.told("READY=1")
        service.wait("stream running", stream="gate")
        service.wait("reloaded", streams=2)
        assert [line["stream"] for line in service.log if line["event"] == "stream removed"] == ["yard"]
        service.wait("event begins", stream="door")

        service.reload(configuration("door", "yard", more="precision: int8"))  # another engine: all begin anew
        service.wait("reloaded", 2)
        service.wait("stream running", 2, stream="door")
        service.wait("stream running", 2, stream="yard")
        service.reload(configuration("door", "gate", more="precision: int8"))
        service.wait("reloaded", 3)
        service.reload("sauces: {}\nlog: jason\n")
        service.wait("reload refused", 2)
        refused = [line["why"] for line in service.log if line["event"] == "reload refused"]
        assert any("did you mean 'sources'?" in why for why in refused) and any("log: " in why for why in refused)
        service.reload(configuration("door", "gate", more="precision: int8\nclips: {folder: /proc/nothing}"))
        assert "clips.folder: " in service.wait("reload refused", 3)["why"]
        removed = [line["stream"] for line in service.log if line["event"] == "stream removed"]
        assert removed == ["yard", "door", "gate", "yard"]

        service.process.send_signal(signal.SIGTERM)
        service.told("STOPPING=1")
        assert service.process.wait(LONG) == 0
        assert [line["event"] for line in service.log][-1] == "end"
        assert (tmp_path / "log.db").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_a_camera_is_away(tmp_path: Path, number: signal.Signals) -> None:
    with socket.socket() as silent:  # listens, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        away = f"rtsp://viewer:hunter2@127.0.0.1:{silent.getsockname()[1]}/stream"
        text = f"log: json\npage: false\nsources: {{silent: '{away}', gone: 'rtsp://127.0.0.1:9/x'}}\n"
        with running(tmp_path, text) as service:
            service.told("READY=1")
            service.wait("stream away", stream="gone")
            service.process.send_signal(number)
            assert service.process.wait(LONG) == 0
            assert "hunter2" not in json.dumps(service.log) and service.log[-1]["event"] == "end"


def service(folder: Path, text: str) -> Service:
    file = folder / "edge.yaml"
    file.write_text(text, encoding="utf-8")
    return Service(file, load_config(file, {}), open_bundle(default_bundle()), Log("json"))


def test_what_is_added_on_the_page_is_kept_and_what_the_file_names_is_not_removed(tmp_path: Path) -> None:
    text = f"page: false\nsources: {{door: '{default_clip()}'}}\n"
    first = service(tmp_path, text)
    try:
        first._settle()
        assert first.add_source("yard", str(default_clip()), again=True) == ""
        for name, said in (("yard", "there is a source 'yard' already"), ("a/b", "no slash")):
            with pytest.raises(ConfigError, match=said):
                first.add_source(name, str(default_clip()), again=False)
        with pytest.raises(ConfigError, match=r"uri: String should have at least 1 character$"):
            first.add_source("empty", "", again=False)
        with pytest.raises(ConfigError, match=r"is in edge\.yaml: take it out there"):
            first.remove_source("door")
        with pytest.raises(ConfigError, match="unknown source 'yrd': did you mean 'yard'"):
            first.remove_source("yrd")
    finally:
        first._end()
    kept = tmp_path / "edge.added.json"
    assert kept.stat().st_mode & 0o777 == 0o600 and json.loads(kept.read_text())["sources"]["yard"]["again"] is True
    second = service(tmp_path, text)
    try:
        second._settle()
        assert [(lane.name, lane.added) for lane in second.board.lanes] == [("door", False), ("yard", True)]
        second.remove_source("yard")
        assert [lane.name for lane in second.board.lanes] == ["door"]
    finally:
        second._end()
    assert json.loads(kept.read_text()) == {"sources": {}}


def test_where_nothing_can_be_kept_that_is_said(tmp_path: Path) -> None:
    kept = service(tmp_path, f"page: false\nstate: /proc/nothing\nsources: {{door: '{default_clip()}'}}\n")
    try:
        assert "known until the next start only" in kept.add_source("yard", str(default_clip()), again=False)
        assert [lane.name for lane in kept.board.lanes] == ["door", "yard"]
    finally:
        kept._end()


def test_what_was_kept_and_is_none_is_refused(tmp_path: Path) -> None:
    for text in ("{", '{"sources": {"a": {"uri": 3}}}', '{"sauces": {}}'):
        (tmp_path / "edge.added.json").write_text(text)
        with pytest.raises(ConfigError, match=r"edge\.added\.json: .*delete it"):
            service(tmp_path, "")


def test_a_folder_of_clips_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    for folder in ('"a\\0b"', tmp_path / "edge.yaml" / "clips"):
        with pytest.raises(ConfigError, match=r"clips\.folder: .* cannot be made"):
            service(tmp_path, f"page: false\nclips: {folder}\n")

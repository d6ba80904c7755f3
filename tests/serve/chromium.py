"""Headless Chromium by its DevTools protocol: opens a page, asks its scripts, notes what it requests."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-port=0",
    "--hide-scrollbars",
    "--mute-audio",
]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


class Chromium:
    """One tab; `requested` is every address that it asked for, of WebSockets too."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self.requested: List[str] = []
        self.errors: List[str] = []
        self._loop = asyncio.new_event_loop()
        self._profile = tempfile.mkdtemp(prefix="chromium")
        self._stderr = Path(self._profile) / "stderr"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [CHROMIUM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
                stderr=stderr,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._answers: Dict[int, asyncio.Future[Dict[str, Any]]] = {}
        self._number = 0

    def __enter__(self) -> Chromium:
        self._run(self._connect())
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(Exception):
            self._run(self._disconnect())
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._loop.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def show(self, width: int, height: int, dark: bool = False, ratio: float = 1, calm: bool = False) -> None:
        """The size of the window, and what its user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"})
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def forget(self) -> None:
        """Leave the page, and all that was noted."""
        self.open("about:blank")
        self.requested.clear()
        self.errors.clear()

    def ask(self, script: str) -> Any:
        """The value of an expression in the page, awaited."""
        got = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, script: str, seconds: float = 20) -> None:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not self.ask(f"!!({script})"):
            assert time.monotonic() < end, f"not within {seconds} s: {script}\n{self.ask('document.body.innerText')}"
            self.pause(0.1)

    def pause(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    def type(self, selector: str, text: str) -> None:
        self.ask(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, selector: str) -> None:
        self.ask(f"document.querySelector({selector!r}).click()")

    def screenshot(self, file: Path, whole: bool = False) -> None:
        """A .png or a .jpg of what is seen, or of the whole page."""
        form: Dict[str, Any] = {"format": "jpeg", "quality": 85} if file.suffix == ".jpg" else {"format": "png"}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **form)
        file.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **params: Any) -> Dict[str, Any]:
        return self._run(self._call(method, params))  # type: ignore[no-any-return]

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def _logged(self, entry: Dict[str, Any]) -> None:
        if entry["level"] == "error" and entry["source"] != "rendering":
            self.errors.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")

    async def _connect(self) -> None:
        end = time.monotonic() + 60
        found: Optional[re.Match[str]] = None
        while found is None:
            found = re.search(r"DevTools listening on ws://([^/]+)/", self._stderr.read_text(errors="replace"))
            assert time.monotonic() < end and self._process.poll() is None, self._stderr.read_text(errors="replace")
            await asyncio.sleep(0.1)
        self._client = aiohttp.ClientSession()
        async with self._client.get(f"http://{found.group(1)}/json/list") as answer:
            (tab,) = [each for each in await answer.json() if each["type"] == "page"]
        self._socket = await self._client.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0)
        self._listener = asyncio.ensure_future(self._listen())
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self._call(f"{domain}.enable", {})

    async def _disconnect(self) -> None:
        self._listener.cancel()
        await self._socket.close()
        await self._client.close()

    async def _call(self, method: str, params: Dict[str, Any]) -> Dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = self._loop.create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        got = await asyncio.wait_for(answer, 60)
        assert "error" not in got, got
        result: Dict[str, Any] = got["result"]
        return result

    async def _listen(self) -> None:
        heard: Dict[str, Callable[[Dict[str, Any]], None]] = {
            "Network.requestWillBeSent": lambda told: self.requested.append(told["request"]["url"]),
            "Network.webSocketCreated": lambda told: self.requested.append(told["url"]),
            "Runtime.exceptionThrown": lambda told: self.errors.append(str(told["exceptionDetails"])),
            "Log.entryAdded": lambda told: self._logged(told["entry"]),
        }
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] in heard:
                heard[told["method"]](told["params"])

"""The page in a browser: a source is added and seen, an event appears, nothing is asked of another machine."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from edgecvar.bundle.default import default_clip
from edgecvar.run.decisions import Decision
from edgecvar.run.events import Event
from edgecvar.serve.configuration.loading import check_config, load_config
from edgecvar.serve.lane import Lane
from edgecvar.serve.log import Log
from edgecvar.serve.service import Service
from tests.serve.chromium import CHROMIUM, Chromium
from tests.serve.page.served import TOKEN, Played, served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="wants Chromium (Debian's package chromium)")

HOSTILE = "<img src=x onerror=window.stolen=1>"
DRAWN = """[...document.querySelectorAll('.card .layer')].every(
    (each) => each.getContext('2d').getImageData(0, 0, each.width, each.height).data.some(Boolean)
)"""
"""Picture and arrows have something on them."""
BUTTONS = "[...document.querySelectorAll('#detail button')]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a service without sources."""
    file = folder / "edge.yaml"
    file.write_text(f"page: {{port: 0}}\nevents: {{shortest: 0}}\nclips: '{folder / 'clips'}'\n", encoding="utf-8")
    config = load_config(file, {})
    service = Service(file, config, check_config(file, config), Log("json", (folder / "log").open("w")))
    service._start()
    thread = threading.Thread(target=service._serve)
    thread.start()
    try:
        yield service.url
    finally:
        service.stop()
        thread.join()
        service._end()


def test_a_source_is_added_and_seen_and_an_event_appears(browser: Chromium, tmp_path: Path) -> None:
    shutil.copy(default_clip(), tmp_path / "door.mp4")
    with serving(tmp_path) as url:
        browser.forget()
        browser.show(1280, 800)
        browser.open(url)
        browser.wait("document.getElementById('first') && !document.getElementById('first').hidden")
        browser.type("#first-form input", str(tmp_path / "door.mp4"))
        assert browser.ask("document.querySelectorAll('#first-form input')[1].value") == "door"
        browser.press("#first-form .check input")
        browser.press("#first-form .actions button")
        browser.wait("document.querySelector('#first-form .tried canvas')")
        assert "h264" in browser.ask("document.querySelector('#first-form .tried').textContent")
        browser.press("#first-form .actions .primary")
        browser.wait("document.querySelector('.card[data-state=running]')")
        browser.wait(DRAWN)
        browser.wait("document.querySelector('.card .share').textContent.endsWith('%')")
        browser.wait("document.querySelector('.card .strip').getAttribute('aria-label').includes('newest last')")
        browser.wait("document.querySelector('.event')", 40)
        browser.wait("document.querySelector('.event .play')", 40)
        browser.press(".event .play")
        browser.wait(
            "document.querySelector('#clip video').readyState >= 2 && document.querySelector('#clip video').videoWidth"
        )
        browser.ask("document.getElementById('clip').close()")
        browser.press(".card .title")
        browser.wait("document.querySelectorAll('#detail .top li').length === 5")
        browser.show(390, 844)
        assert browser.ask("document.documentElement.scrollWidth") <= 390
        assert browser.ask(f"{BUTTONS}.pop().textContent") == "Remove this source"
        browser.ask(f"{BUTTONS}.pop().click()")
        browser.wait("!document.querySelector('.card') && !document.getElementById('first').hidden")
        assert browser.errors == []
        asked = {urlsplit(each).netloc for each in browser.requested if not each.startswith("data:")}
        assert asked == {urlsplit(url).netloc}
        browser.forget()  # before the service ends, for which the page would look again and again


def test_names_and_labels_are_text_and_nothing_else(browser: Chromium) -> None:
    behind = Played()
    lane = Lane(HOSTILE, f"rtsp://{HOSTILE}/", added=True)
    behind.board.add(lane)
    lane.tell("away", f"no route to {HOSTILE}")
    lane.decision(Decision(0.0, 0, 0, HOSTILE, 0.9, ((HOSTILE, 0.9),), 1.0, np.zeros(1, np.float32)))
    behind.board.event(HOSTILE, Event(0, HOSTILE, 1.0, 2.0, 0.9, 1.5))
    behind.said = [f"{HOSTILE}: away"]
    with served(behind) as page:
        browser.forget()
        browser.show(390, 844, dark=True, calm=True)
        browser.open(f"http://127.0.0.1:{page.port}/")
        browser.wait("document.querySelector('.card .label')?.textContent.includes('onerror')")
        browser.press(".card .title")
        browser.wait("document.querySelector('#detail .top li')")
        shown = browser.ask("document.body.textContent")
        assert shown.count(HOSTILE) >= 7
        assert browser.ask("document.querySelectorAll('img').length") == 1  # ours
        assert browser.ask("window.stolen") is None
        assert [error for error in browser.errors if str(page.port) in error or "://" not in error] == []
        assert not browser.ask("document.getElementById('overlay').checked")  # of who wants no motion


def test_the_token_is_asked_for_and_then_remembered(browser: Chromium) -> None:
    with served(Played(), token=TOKEN) as page:
        browser.open(f"http://localhost:{page.port}/")
        browser.wait("document.getElementById('token')")
        browser.type("#token", TOKEN)
        browser.press("#login button")
        browser.wait("document.getElementById('first') && !document.getElementById('first').hidden")
        assert browser.ask("document.cookie") == "" and TOKEN not in browser.ask("location.href")
        browser.open(f"http://localhost:{page.port}/")
        browser.wait("document.getElementById('first') && !document.getElementById('first').hidden")


def test_a_connection_that_is_lost_is_said_and_comes_back(browser: Chromium) -> None:
    with served(Played()) as page:
        browser.open(f"http://127.0.0.1:{page.port}/")
        browser.wait("document.getElementById('health-word')?.textContent === 'No source yet'")
    browser.wait("document.getElementById('health-word')?.textContent.startsWith('Connection lost')")
    with served(Played(), at=page.port):
        browser.wait("document.getElementById('health-word')?.textContent === 'No source yet'")

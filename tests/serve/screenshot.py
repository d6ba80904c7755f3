"""The page's screenshots: `python -m tests.serve.screenshot FOLDER`, of clips that `edgecvar synth` makes.

docs/page.jpg is its wide.jpg.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

from edgecvar.serve.configuration.loading import check_config, load_config
from edgecvar.serve.log import Log
from edgecvar.serve.service import Service
from edgecvar.synth.dataset import Fixed, write_sequence
from tests.serve.chromium import Chromium

CLIPS = {
    "front door": ("left,right,still,up,zoom_in,rotate_cw,shake,down", 3, 25),
    "yard": ("zoom_out,left,meet,part,right,still,rotate_ccw", 8, 15),
    "loading bay": ("up,down,left,right,zoom_in", 5, 15),
    "corridor": ("still,right,left,still,part,meet", 13, 20),
    "stairs": ("up,still,down,zoom_out,shake", 21, 15),
}
SECONDS = 40.0
"""After which strips and events have something to show."""


def main(folder: Path) -> None:
    """wide, wide-dark, narrow, narrow-dark and first, .jpg each, at 1280 and 390 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, Chromium() as browser:
        here = Path(made)
        service = _service(here)
        thread = threading.Thread(target=service._serve)
        thread.start()
        try:
            browser.show(1280, 860)
            browser.open(service.url)
            browser.wait("!document.getElementById('first').hidden")
            browser.screenshot(folder / "first.jpg")
            for name, (classes, seed, fps) in CLIPS.items():
                clip = here / f"{name}.mp4"
                fixed = Fixed(size=(640, 360), fps=Fraction(fps), gop_length=fps, b_pictures=0, crf=None)
                write_sequence(clip, classes.split(","), 3 * fps, seed, fixed)
                service.add_source(name, str(clip), again=True)
            service.add_source("roof", "rtsp://viewer:secret@127.0.0.1:9/stream1", again=False)
            browser.pause(SECONDS)
            _shoot(browser, service.url, folder)
        finally:
            service.stop()
            thread.join()
            service._end()


def _service(folder: Path) -> Service:
    file = folder / "edge.yaml"
    file.write_text(f"page: {{port: 0}}\nclips: '{folder / 'clips'}'\n", encoding="utf-8")
    config = load_config(file)
    service = Service(file, config, check_config(file, config), Log(out=(folder / "log").open("w", encoding="utf-8")))
    service._start()
    return service


def _shoot(browser: Chromium, url: str, folder: Path) -> None:
    for name, width, height in (("wide", 1280, 860), ("narrow", 390, 844)):
        for dark in (False, True):
            browser.show(width, height, dark=dark, ratio=1 if width > 600 else 2)
            browser.open(url)
            browser.pause(4)
            browser.screenshot(folder / f"{name}{'-dark' if dark else ''}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

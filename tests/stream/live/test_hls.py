"""HLS over HTTP: a playlist that ends is a recording, which is not begun again."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import av

from edgecvar.stream.live import LiveStream, Patience
from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip

PICTURES = 50


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        return None


@contextmanager
def web(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def playlist(folder: Path) -> None:
    clip = moving_clip(folder / "clip.mp4", pictures=PICTURES)
    options = {"hls_time": "1", "hls_list_size": "0"}
    with av.open(str(clip)) as source, av.open(str(folder / "live.m3u8"), "w", format="hls", options=options) as made:
        template = source.streams.video[0]
        add = getattr(made, "add_stream_from_template", lambda like: made.add_stream(template=like))
        stream = add(template)
        for packet in source.demux(template):
            if packet.size:
                packet.stream = stream
                made.mux(packet)


def test_a_playlist_that_ends_is_read_once(tmp_path: Path) -> None:
    playlist(tmp_path)
    assert len(list(tmp_path.glob("*.ts"))) > 1
    opening = partial(open_stream, timeout=20, on_demand=True)
    with web(tmp_path) as address, LiveStream(f"{address}/live.m3u8", opening, Patience(first=0.05)) as stream:
        pictures, counts = len(list(stream)), stream.summary
        assert counts.live is not None
        assert (counts.live.failures, counts.breaks, counts.reasons, pictures) == ({}, {}, {}, PICTURES)

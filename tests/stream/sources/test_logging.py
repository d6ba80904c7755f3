"""What FFmpeg logs waits for nobody: who frees a threaded decoder holds the interpreter, and waits for its threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av.logging

from edgecvar.stream.reader import open_stream
from tests.moving_clip import moving_clip

FREED_WHILE_IT_COMPLAINS = """
import sys
from contextlib import suppress
import av
from edgecvar.errors import StreamError
from edgecvar.stream.decoders import decode, threaded_decoder
from edgecvar.stream.reader import open_stream

open_stream(sys.argv[1]).close()
for _ in range(60):
    with av.open(sys.argv[1]) as container:
        stream = container.streams.video[0]
        decoder = threaded_decoder(stream.codec_context, 4)
        for packet in container.demux(stream):
            if not packet.size:  # the end, at which a decoder is emptied and complains no more
                break
            with suppress(StreamError):
                decode(decoder, packet)
        del decoder
"""


def test_a_threaded_decoder_is_freed_while_it_complains(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.h264", pictures=40)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 4, len(data), 40):
        data[place] ^= 0xA5
    clip.write_bytes(data)
    command = [sys.executable, "-c", FREED_WHILE_IT_COMPLAINS, str(clip)]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0


def test_opening_a_stream_leaves_the_logs_as_they_are(tmp_path: Path) -> None:
    before = av.logging.get_level()
    open_stream(moving_clip(tmp_path / "clip.mp4")).close()
    assert av.logging.get_level() == before

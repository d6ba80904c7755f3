"""`python -m tests.fuzz.ffmpeg_alone FILE`: FFmpeg opens, demuxes and decodes it, and nothing of this project does."""

from __future__ import annotations

import sys
from contextlib import suppress

import av

with suppress(av.FFmpegError, ValueError), av.open(sys.argv[1]) as container:
    for packet in container.demux(container.streams.video):
        with suppress(av.FFmpegError):
            packet.decode()

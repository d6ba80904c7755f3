"""`python -m tests.fuzz.ffmpeg_alone FILE`: FFmpeg opens, demuxes and decodes it, and nothing of this project does."""

from __future__ import annotations

import sys
from contextlib import suppress

import av

from tests.fuzz.targets import MOST_MIB, peak_mib

TOO_MUCH = 3
"""Exit status where it takes more memory than a fault of ours may."""


def main(path: str) -> int:
    before = peak_mib()
    with suppress(av.FFmpegError, ValueError), av.open(path) as container:
        for packet in container.demux(container.streams.video):
            with suppress(av.FFmpegError):
                packet.decode()
    return TOO_MUCH if peak_mib() > before + MOST_MIB else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

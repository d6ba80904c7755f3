"""A stream that comes to light while another is read ends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import av

from edgecvar.stream.sources.demuxing import demuxed
from tests.moving_clip import moving_clip


class Forgetful:
    """A container that looks for a stream at the end which it has not seen, as PyAV's may."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def demux(self, stream: Any) -> Iterator[Any]:
        yield from self._container.demux(stream)
        raise IndexError("list index out of range")


def test_the_end_is_the_end(tmp_path: Path) -> None:
    with av.open(str(moving_clip(tmp_path / "clip.ts", pictures=20))) as container:
        packets: List[Any] = list(demuxed(Forgetful(container), container.streams.video[0]))  # type: ignore[arg-type]
    assert len(packets) == 21 and [packet.size > 0 for packet in packets] == 20 * [True] + [False]

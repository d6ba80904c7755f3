"""Who looks at a stream's packets as they are read: all of them, as they came, each with its picture's time."""

from __future__ import annotations

import av
import pytest

from edgecvar.stream.reader import Stream
from tests.moving_clip import moving_clip
from tests.stream.transport import Clockwork


class Noting:
    """A tap that notes all it is told."""

    def __init__(self):
        self.codec, self.packets, self.times, self.moments, self.breaks = "", [], [], {}, []

    def opened(self, video):
        assert self.packets == []
        self.codec = video.codec

    def packet(self, number, packet):
        assert number == len(self.packets)
        self.packets.append(bytes(packet))
        self.times.append((packet.pts, packet.dts))

    def shown(self, number, moment):
        assert number < len(self.packets) and number not in self.moments
        self.moments[number] = moment.pts_seconds

    def broke(self, pts_seconds):
        self.breaks.append(pts_seconds)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
@pytest.mark.parametrize("frames", [False, True])
def test_a_tap_sees_every_packet_as_the_container_gave_it(tmp_path, extraction, frames):
    source, tap = moving_clip(tmp_path / "clip.mp4", pictures=40, bf="2"), Noting()
    with Stream(source, extraction, frames, tap=tap) as stream:
        pictures = list(stream)
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert tap.codec == "h264" and tap.packets == [bytes(packet) for packet in packets]
    assert tap.times == [(packet.pts, packet.dts) for packet in packets]
    assert tap.moments == {picture.decode_index: picture.pts_seconds for picture in pictures} and tap.breaks == []


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_it_is_told_where_the_stream_breaks(tmp_path, extraction):
    again = Clockwork(moving_clip(tmp_path / "clip.ts", pictures=20).read_bytes())
    source, tap = tmp_path / "twice.ts", Noting()
    source.write_bytes(again.at(lambda ticks: ticks) + again.at(lambda ticks: ticks))
    with Stream(source, extraction, tap=tap) as stream:
        opening = [picture.pts_seconds for picture in stream if picture.opens is not None]
    assert tap.breaks == opening and len(opening) == 1

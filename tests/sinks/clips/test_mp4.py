"""Decode and display times of a clip's packets."""

from __future__ import annotations

from types import SimpleNamespace

import av
import pytest

from edgecvar.sinks.clips.mp4 import ticks, track_form, write_mp4
from edgecvar.stream.container import open_video
from tests.moving_clip import moving_clip


@pytest.mark.parametrize(
    "shown, expected",
    [
        ([5.0, 5.1, 5.2], [(0, 0), (9000, 9000), (18000, 18000)]),
        ([0.0, 0.3, 0.1, 0.2], [(0, -9000), (27000, 0), (9000, 9000), (18000, 18000)]),
        ([0.0, 0.4, 0.2, 0.1, 0.3], [(0, -18000), (36000, -9000), (18000, 0), (9000, 9000), (27000, 18000)]),
        ([1.0], [(0, 0)]),
        ([1.0, 1.0, 1.0], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_each_is_decoded_before_it_is_shown_and_one_after_the_other(shown, expected):
    assert ticks(shown) == expected


@pytest.mark.parametrize("sizes, tag", [([(96, 64), (96, 64)], "hvc1"), ([(96, 64), (64, 96)], "hev1")])
def test_parameter_sets_that_change_on_the_way_stay_in_the_packets(tmp_path, sizes, tag):
    paths = [moving_clip(tmp_path / f"{n}.hevc", 5, codec="hevc", size=size) for n, size in enumerate(sizes)]
    packets = []
    for path in paths:
        with av.open(str(path)) as container:
            found = [packet for packet in container.demux(video=0) if packet.size]
        for packet in found:
            packets.append(SimpleNamespace(data=bytes(packet), keyframe=packet.is_keyframe, seconds=len(packets) / 25))
    with open_video(paths[0]) as video:
        form = track_form(video)
    write_mp4(tmp_path / "clip.mp4", form, packets)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag
        shown = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shown == [size for size in sizes for _ in range(5)]

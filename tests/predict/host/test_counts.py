"""What is counted of clips whose pictures, vectors and coding are known."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.predict.host.counts import CAMERAS, StreamCounts, counts_of
from tests.moving_clip import moving_clip


def packet_bits(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(8 * packet.size for packet in container.demux(video=0))


def test_pictures_and_bits_are_those_of_the_file(tmp_path):
    path = moving_clip(tmp_path / "clip.mp4", pictures=36, bf="2", b_strategy="0")
    counts = counts_of(path)
    assert (counts.width, counts.height, counts.fps, counts.macroblocks) == (96, 64, 25.0, 24)
    assert counts.pictures["I"] == 3 and counts.pictures["B"] > counts.pictures["P"] > 0
    assert (counts.total, counts.gop) == (36, 12.0)
    assert sum(counts.bits.values()) == packet_bits(path)
    assert counts.bits_each("I") > counts.bits_each("P") > counts.bits_each("B") > 0
    shape = counts.shape(4)
    assert (shape.name, shape.gop, shape.every) == ("clip.mp4", 12.0, 4)
    assert shape.megabits_per_second == pytest.approx(packet_bits(path) / 36 * 25 / 1e6)


def test_what_moves_has_vectors(tmp_path):
    moving = counts_of(moving_clip(tmp_path / "moving.mp4", shift=4))
    still = counts_of(moving_clip(tmp_path / "still.mp4", shift=0))
    assert moving.moved > 0.7 > 0.05 > still.moved
    assert moving.coded > still.coded
    assert 0 <= moving.intra < 0.3


@pytest.mark.parametrize("cabac", [True, False])
def test_the_entropy_coding_is_read_from_the_picture_set(tmp_path, cabac):
    path = moving_clip(tmp_path / "clip.mp4", profile="main", coder="1" if cabac else "0")
    assert counts_of(path).cabac is cabac
    stream = tmp_path / "clip.264"
    with av.open(str(path)) as source, av.open(str(stream), "w", format="h264") as target:
        add = getattr(target, "add_stream_from_template", lambda like: target.add_stream(template=like))
        out = add(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = out
                target.mux(packet)
    assert counts_of(stream).cabac is cabac


@pytest.mark.parametrize("size", [(96, 64), (104, 56)])
def test_hevc_is_counted_as_h264_with_cabac_is(tmp_path, size):
    path = moving_clip(tmp_path / "clip.mp4", shift=4, codec="hevc", size=size)
    counts = counts_of(path)
    assert (counts.codec, counts.cabac, counts.width, counts.height) == ("hevc", True, *size)
    assert counts.pictures == {"I": 3, "P": 27, "B": 0}
    assert sum(counts.bits.values()) == packet_bits(path)
    assert counts.moved > 0.7 and counts.coded > 0


def test_of_a_long_file_the_first_pictures_are_read(tmp_path):
    path = moving_clip(tmp_path / "clip.mp4", pictures=36)
    assert counts_of(path, 13).pictures == {"I": 2, "P": 11, "B": 0}


def test_a_stream_that_the_core_does_not_read_is_refused(tmp_path):
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(StreamError, match=r"reads H\.264 and HEVC"):
        counts_of(path)


@pytest.mark.parametrize(("name", "megabits"), [("480p camera", 1.5), ("720p camera", 2.0), ("1080p camera", 4.0)])
def test_typical_cameras_have_the_rates_that_they_are_said_to_have(name, megabits):
    camera = CAMERAS[name]
    assert camera.megabits_per_second == pytest.approx(megabits)
    assert (camera.fps, camera.gop) == (25.0, 50.0)
    assert camera.bits_each("I") == pytest.approx(10 * camera.bits_each("P"))


def test_a_network_sees_the_middle_of_a_wide_picture():
    camera = CAMERAS["720p camera"]
    assert camera.shown(InputSpec(crop=1.0)) == pytest.approx(720 / 1280)
    assert camera.shown(InputSpec(crop=0.5, squash=True)) == pytest.approx(0.25)


def test_a_stream_without_an_i_picture_is_none():
    with pytest.raises(ValueError, match="nothing"):
        StreamCounts("nothing", 640, 480, 25.0, {"P": 3}, {"P": 3.0}, 0, 0, 0, True)

"""Interlaced H.264 with a packet for each field: both fields of a frame are one picture."""

from __future__ import annotations

from pathlib import Path
from typing import List

import av
import numpy as np
import pytest

from edgecvar.stream.h264.field_pairs import FieldPairs
from edgecvar.stream.motion import velocity
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from tests.stream.field_stream import HEIGHT, WIDTH, field_stream, moved_field, skipped_field
from tests.stream.known_clips import encode, translation

FRAMES = 24


@pytest.fixture
def units() -> List[bytes]:
    return field_stream(FRAMES)[0]


def written(folder: Path, units: List[bytes]) -> Path:
    path = folder / "fields.h264"
    path.write_bytes(b"".join(units))
    return path


def test_both_fields_of_a_frame_are_one_picture(tmp_path: Path, units: List[bytes]) -> None:
    path = written(tmp_path, units)
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 2 * FRAMES
    with open_stream(path, frames=True) as stream:
        pictures = list(stream)
        assert (stream.info.width, stream.info.height) == (WIDTH, HEIGHT)
        assert stream.summary.pictures == FRAMES and stream.summary.skipped == 0
    assert "".join(picture.kind for picture in pictures) == "I" + "P" * (FRAMES - 1)
    assert [picture.display_index for picture in pictures] == list(range(FRAMES))
    assert np.diff([picture.pts_seconds for picture in pictures]).min() > 0
    first = field_stream(1)[1].repeat(2, axis=0)
    for picture in pictures:
        assert np.array_equal(picture.decoded.planes().y, first)  # type: ignore[union-attr]
    assert pictures[0].image is not None and pictures[0].image.shape == (HEIGHT, WIDTH, 3)
    assert all(not picture.motion.exact for picture in pictures if picture.motion is not None)
    assert len(list(decoded_pictures(path))) == FRAMES


def test_vectors_of_fields_are_in_lines_of_the_frame(tmp_path: Path, units: List[bytes]) -> None:
    moved = [moved_field(1, bottom, (-8, 4)) for bottom in (False, True)]
    path = written(tmp_path, [*units[:2], *moved, *(skipped_field(2, bottom) for bottom in (False, True))])
    with open_stream(path, frames=True) as stream:
        pictures = list(stream)
    motion = pictures[1].motion
    assert motion is not None and not motion.intra.any() and not motion.exact
    assert (motion.mv_qpel[0] == (-8, 8)).all()
    whole, shown = (picture.decoded.planes().y for picture in pictures[:2])  # type: ignore[union-attr]
    assert np.array_equal(shown[:-2, 2:], whole[2:, :-2])
    assert np.array_equal(velocity(motion), np.broadcast_to(np.float32([2, -2]), (*motion.intra.shape, 2)))


def test_a_field_that_is_lost_takes_no_other_picture_along(tmp_path: Path, units: List[bytes]) -> None:
    path = written(tmp_path, [*units[:9], *units[10:]])
    with open_stream(path) as stream:
        pictures = list(stream)
    assert stream.summary.pictures == len(pictures) == FRAMES - 1
    assert stream.summary.reasons == {"packet that gave no picture": 1}


@pytest.mark.parametrize("lost", [0, 1, 6, 7, 2 * FRAMES - 1])
def test_what_has_no_other_field_stays_as_it_is(units: List[bytes], lost: int) -> None:
    packets = [av.Packet(unit) for place, unit in enumerate(units) if place != lost]
    for place, packet in enumerate(packets):
        packet.pts = packet.dts = place
    joined = list(FieldPairs(None).joined(packets))
    assert b"".join(map(bytes, joined)) == b"".join(map(bytes, packets))
    assert len(joined) == FRAMES or lost == 0  # without the first field there are no parameter sets either
    assert [packet.pts for packet in joined] == sorted(packet.pts for packet in joined)


def test_progressive_packets_are_passed_on_untouched(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.ts", translation(9, (48, 64), (1, 0)), "libx264")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        joined = list(FieldPairs(container.streams.video[0].codec_context.extradata).joined(packets))
    assert all(one is other for one, other in zip(packets, joined)) and len(joined) == len(packets)


@pytest.mark.real_media
def test_a_camera_that_writes_a_field_a_packet(media: Path) -> None:
    with open_stream(media / "odd" / "sony_a7m3_interlaced_field_pairs.mts") as stream:
        pictures = list(stream)
    assert "".join(picture.kind for picture in pictures) == "IBBPBPBPBPBPB"
    assert stream.summary.pictures == 13 and stream.summary.skipped == 0
    image = pictures[0].image
    assert image is not None and image.shape == (1080, 1920, 3) and image.std() > 10
    shown = sorted(picture.pts_seconds for picture in pictures)
    assert np.allclose(np.diff(shown), 0.04)

"""Times that jump, step back or stand still, and pictures that change their size: one timeline, and counted breaks."""

from __future__ import annotations

import io
import itertools
import operator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import List, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.container import open_video
from edgecvar.stream.packets import coded_packets
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, StreamSummary
from tests.stream.known_clips import encode_x264, stream_like, translation
from tests.stream.test_containers import edited
from tests.stream.transport import TURN, Clockwork, shifted, slow_clip

HOURS = 5 * 3600 * 90_000
BACK, AHEAD, SIZE = "timestamps went back", "timestamps jumped ahead", "picture size changed"
PATHS = pytest.mark.parametrize("extraction", ["native", "ffmpeg"])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of 25 pictures each, GOPs of 12, two B-pictures between P-pictures."""
    path = tmp_path_factory.mktemp("ts") / "clip.ts"
    return encode_x264(path, translation(50, (48, 64), (1, 0)), 30, b_pictures=2).read_bytes()


def read(data: bytes, extraction: str) -> Tuple[List[CodedPicture], StreamSummary]:
    with open_stream(io.BytesIO(data), extraction) as stream:
        return list(stream), stream.summary


def steps(pictures: List[CodedPicture]) -> np.ndarray:
    """Seconds from one picture to the next, in display order."""
    return np.diff([p.pts_seconds for p in sorted(pictures, key=lambda p: p.display_index)])


@PATHS
@pytest.mark.parametrize(
    "parts, breaks",
    [
        ([0, 0, 0], {BACK: 2}),
        ([0, HOURS], {AHEAD: 1}),
        ([HOURS, 0], {BACK: 1}),
        ([0, HOURS, 180_000], {AHEAD: 1, BACK: 1}),
        ([0, 180_000, 360_000], {}),
        ([TURN - 270_000, TURN - 90_000], {}),
    ],
    ids=["one again and again", "hours ahead", "hours back", "hours ahead and back", "going on", "a turn of the clock"],
)
def test_one_timeline_whatever_the_times_do(recording: bytes, extraction: str, parts: List[int], breaks: dict) -> None:
    data = b"".join(shifted(recording, ticks) for ticks in parts)
    pictures, summary = read(data, extraction)
    assert len(pictures) == 50 * len(parts) and summary.damaged == summary.skipped == 0
    assert np.allclose(steps(pictures), 0.04, atol=1e-4)
    assert summary.breaks == breaks
    opens = {p.decode_index: p.opens.reason for p in pictures if p.opens}
    assert sorted(opens.values()) == sorted(reason for reason, count in breaks.items() for _ in range(count))
    assert all(index % 50 == 0 for index in opens)
    assert extraction == "ffmpeg" or all(p.motion.exact for p in pictures if p.motion)


@PATHS
def test_a_turn_of_the_clock_is_none_of_the_timelines(extraction: str, slow: bytes) -> None:
    """Ten minutes of the same packets through a pipe, over a turn of their clock."""
    clockwork = Clockwork(slow)
    starts = range(TURN - 300 * 90_000, TURN + 300 * 90_000, 20 * 90_000)
    source = io.BytesIO(b"".join(clockwork.at(partial(operator.add, start)) for start in starts))
    source.seekable = lambda: False  # type: ignore[method-assign]
    with open_stream(source, extraction) as stream:
        times = [p.pts_seconds for p in sorted(stream, key=lambda p: p.display_index)]
        assert stream.summary.breaks == {} and stream.summary.damaged == stream.summary.skipped == 0
    assert np.allclose(np.diff(times), 0.5) and len(times) == 1200


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return slow_clip(tmp_path_factory.mktemp("ts") / "slow.ts")


@PATHS
def test_times_that_stand_still_are_those_of_the_rate(recording: bytes, extraction: str) -> None:
    pictures, summary = read(Clockwork(recording).at(lambda time: 0), extraction)
    assert np.allclose(steps(pictures), 0.04, atol=1e-4) and len(pictures) == 50
    assert summary.breaks == {}


@PATHS
def test_a_gap_inside_a_gop_breaks_once_and_a_short_one_is_kept(recording: bytes, extraction: str) -> None:
    """Where a display gap lies between pictures that are decoded in another order."""
    at = 90_000
    gaps = [(3600, {AHEAD: 1}), (3, {})]
    for (gap, breaks), place in itertools.product(gaps, range(at, at + 12 * 3600, 3600)):
        data = Clockwork(recording).at(partial(delayed, place, gap * 90_000))
        pictures, summary = read(data, extraction)
        assert summary.breaks == breaks and summary.damaged == 0
        assert (steps(pictures) > 0).all() and (steps(pictures) > 0.05).sum() == (0 if breaks else 1)
        assert steps(pictures).max() == pytest.approx(0.04 if breaks else 3.04, abs=1e-3)


def delayed(since: int, gap: int, time: int) -> int:
    return time + gap * (time >= since)


def test_a_second_decoding_has_the_same_timeline(recording: bytes) -> None:
    data = b"".join(shifted(recording, ticks) for ticks in (0, HOURS, 0, 900_000))
    for extraction in ("native", "ffmpeg"):
        read_times = sorted((p.display_index, p.pts_seconds) for p in read(data, extraction)[0])
        shown = [(p.display_index, p.pts_seconds) for p in decoded_pictures(io.BytesIO(data), extraction)]
        assert shown == read_times


@PATHS
def test_a_splice_at_an_open_gop_keeps_the_order_and_the_times(tmp_path: Path, extraction: str) -> None:
    """A recording cut at an I-picture that is no IDR, put after another: order counts say nothing across the splice."""
    clip = encode_x264(tmp_path / "clip.ts", translation(50, (48, 64), (1, 0)), 30, 2, "open-gop=1").read_bytes()
    with open_stream(io.BytesIO(clip), extraction) as stream:
        packets = [p.kind for p in stream]
    cut = io.BytesIO()
    with av.open(io.BytesIO(clip)) as given, av.open(cut, "w", format="mpegts") as made:
        stream = stream_like(made, given.streams.video[0])
        for number, packet in enumerate(p for p in given.demux(video=0) if p.size):
            if number >= 10:
                packet.stream = stream
                made.mux(packet)
    assert packets[10] == "I"
    pictures, summary = read(clip + cut.getvalue(), extraction)
    assert summary.breaks == {BACK: 1}
    assert [p.decode_index for p in pictures if p.opens] == [50]
    order = [p.kind for p in sorted(pictures, key=lambda p: p.display_index)]
    assert order[50:] == order[50 - len(order[50:]) : 50] if extraction == "native" else True
    assert (steps(pictures) > 0).all() and steps(pictures).max() < 0.15


SMALL, LARGE = (48, 64), (90, 120)


@PATHS
def test_a_size_change_goes_on(tmp_path: Path, extraction: str) -> None:
    parts = [
        encode_x264(tmp_path / f"{number}.h264", translation(14, size, (1, 0)), 30, b_pictures=2)
        for number, size in enumerate((SMALL, LARGE, SMALL))
    ]
    alone = [read(part.read_bytes(), extraction)[0] for part in parts]
    pictures, summary = read(b"".join(part.read_bytes() for part in parts), extraction)
    assert summary.breaks == {SIZE: 2} and summary.damaged == summary.skipped == 0
    opens = {p.decode_index: p.opens for p in pictures if p.opens}
    assert [(index, (b.info.height, b.info.width, b.reason)) for index, b in opens.items()] == [
        (14, (*LARGE, SIZE)),
        (28, (*SMALL, SIZE)),
    ]
    assert (opens[14].info.coded_height, opens[14].info.coded_width) == (96, 128)
    for found, given in zip(pictures, itertools.chain(*alone)):
        assert found.kind == given.kind and found.display_index % 14 == given.display_index
        for name in ("image", "residual"):
            one, other = getattr(found, name), getattr(given, name)
            assert one is other is None or np.array_equal(getattr(one, "y", one), getattr(other, "y", other))
        assert found.motion is None or np.array_equal(found.motion.mv_qpel, given.motion.mv_qpel)
    assert np.allclose(steps(pictures), 0.04)


def flv(path: Path) -> Tuple[bytes, List[bytes]]:
    """An FLV file's header, and its tags."""
    data, at, tags = path.read_bytes(), 13, []
    while at < len(data):
        size = 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
        tags.append(data[at : at + size])
        at += size
    return data[:13], tags


def switched(folder: Path) -> bytes:
    """What an encoder sends over RTMP when it is set to another size: parameter sets in a tag of their own."""
    head, first = flv(encode_x264(folder / "a.flv", translation(14, SMALL, (1, 0)), 30, b_pictures=2))
    _, second = flv(encode_x264(folder / "b.flv", translation(14, LARGE, (1, 0)), 30, b_pictures=2))
    later = [tag[:4] + (int.from_bytes(tag[4:7], "big") + 560).to_bytes(3, "big") + tag[7:] for tag in second]
    return head + b"".join(first + [tag for tag in later if tag[0] == 9])


BESIDE = pytest.mark.skipif(
    not hasattr(av.Packet, "has_sidedata"), reason="this PyAV does not tell what is beside a packet"
)


@BESIDE
@PATHS
def test_a_size_change_that_only_the_container_tells(tmp_path: Path, extraction: str) -> None:
    pictures, summary = read(switched(tmp_path), extraction)
    assert summary.breaks == {SIZE: 1} and summary.damaged == summary.skipped == 0
    assert len(pictures) == 28 and [p.opens.info.width for p in pictures if p.opens] == [120]
    assert [p.image.shape[:2] for p in pictures if p.kind == "I"] == [SMALL] * 2 + [LARGE] * 2


@BESIDE
def test_a_hidden_packet_stays_hidden_behind_new_parameter_sets(tmp_path: Path) -> None:
    """MP4 may have both; what is beside the packet here is taken from an FLV."""
    with av.open(io.BytesIO(switched(tmp_path))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.has_sidedata("new_extradata")]
        beside = packets[0].get_sidedata("new_extradata")
    path = encode_x264(tmp_path / "clip.mp4", translation(20, SMALL, (1, 0)), 30)
    edited(path, 7)
    with open_video(path) as video:
        given = list(video.input.packets(video.stream))
        given[5].set_sidedata(beside)
        times = [(packet.pts, packet.dts) for packet in given]
        fed = SimpleNamespace(container=video.container, packets=lambda stream: given)
        led = list(coded_packets(replace(video, input=fed), pytest.fail))
    assert bytes(led[5]).endswith(bytes(given[5])) and len(bytes(led[5])) > given[5].size
    assert [(packet.pts, packet.dts) for packet in led] == times[: len(led)]
    assert [packet.is_discard for packet in led] == [True] * 7 + [False] * 13

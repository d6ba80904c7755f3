"""Streams of HEVC: every container, open GOPs, cuts, seeks, sizes; what is not read is refused by name."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any, Dict, List, Optional

import av
import numpy as np
import pytest

from edgecvar.errors import StreamError, UnsupportedCodecError
from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.native import choice
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import X265, encode, encode_x265, stream_like, translation

SIZE = (72, 104)
COUNT = 27
OPEN_GOP = "keyint=9:min-keyint=9:open-gop=1"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Open GOPs of 9 with two B-pictures, Annex B."""
    pictures = translation(COUNT, SIZE, (1.5, -0.5), patch=True)
    return encode_x265(tmp_path_factory.mktemp("hevc") / "clip.hevc", pictures, 28, 2, OPEN_GOP)


def read(path: Any, **settings: Any) -> List[CodedPicture]:
    with open_stream(path, **settings) as stream:
        pictures = list(stream)
        assert (stream.info.codec, stream.info.extraction) == ("hevc", "native")
        assert (stream.summary.skipped, stream.summary.damaged, stream.summary.breaks) == (0, 0, {})
    return pictures


def packets_of(path: Path) -> List[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def same(one: CodedPicture, other: CodedPicture) -> bool:
    """All but the times."""
    if (one.kind, one.display_index, one.keyframe) != (other.kind, other.display_index, other.keyframe):
        return False
    if one.kind == "I":
        return one.image is not None and np.array_equal(one.image, other.image)  # type: ignore[arg-type]
    pairs = [(getattr(one.motion, name), getattr(other.motion, name)) for name in ("mv_qpel", "ref_offset", "intra")]
    pairs += [(getattr(one.residual, name), getattr(other.residual, name)) for name in ("y", "cb", "cr")]
    return all(np.array_equal(mine, its) for mine, its in pairs)


def test_pictures_come_in_decode_order_with_their_display_order(clip: Path) -> None:
    with open_stream(clip) as stream:
        info, pictures = stream.info, list(stream)
    assert (info.codec, info.width, info.height, info.coded_width, info.coded_height) == ("hevc", 104, 72, 104, 72)
    assert info.fps == 25 and info.has_b_pictures and info.extraction == "native"
    assert [picture.decode_index for picture in pictures] == list(range(COUNT))
    assert sorted(picture.display_index for picture in pictures) == list(range(COUNT))
    assert "".join(picture.kind for picture in sorted(pictures, key=lambda each: each.display_index)) == "IBBPBBPBB" * 3
    assert [picture.keyframe for picture in pictures] == [picture.kind == "I" for picture in pictures]
    assert [picture.has_image for picture in pictures] == [picture.kind == "I" for picture in pictures]
    assert all(picture.motion.exact for picture in pictures if picture.motion is not None)
    for picture in pictures:
        assert picture.pts_seconds == pytest.approx(picture.display_index / 25, abs=1e-3)


def test_images_and_frames_are_those_of_a_viewer(clip: Path) -> None:
    with av.open(str(clip)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with open_stream(clip, frames=True) as stream:
        for picture in stream:
            assert picture.frame is not None and picture.frame.shape == (*SIZE, 3)
            assert np.abs(picture.frame.astype(int) - shown[picture.display_index]).mean() < 3
            if picture.kind == "I":
                assert np.array_equal(picture.image, picture.frame)  # type: ignore[arg-type]
    assert [each.display_index for each in decoded_pictures(clip)] == list(range(COUNT))


@pytest.mark.parametrize("threads, on_demand", [(2, False), (1, True), (2, True)])
def test_threads_and_demand_change_nothing(clip: Path, threads: int, on_demand: bool) -> None:
    expected, found = read(clip, threads=1), read(clip, threads=threads, on_demand=on_demand)
    assert len(found) == COUNT and all(map(same, expected, found))


CONTAINERS: Dict[str, Dict[str, Any]] = {
    "hev1.mp4": {},
    "hvc1.mp4": {"tag": "hvc1"},
    "fragmented.mp4": {"options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "clip.mov": {"tag": "hvc1"},
    "clip.mkv": {},
    "clip.ts": {},
    "clip.flv": {},
    "clip.265": {"format": "hevc"},
    "clip.h265": {"format": "hevc"},
}


def remuxed(source: Path, target: Path, tag: str = "", options: Any = None, format: Optional[str] = None) -> Path:
    """The packets of an MP4 file in another container."""
    with av.open(str(source)) as container, av.open(str(target), "w", format=format, options=options or {}) as made:
        stream = stream_like(made, container.streams.video[0])
        if tag:
            stream.codec_context.codec_tag = tag
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    return target


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clip as MP4, whose packets have times."""
    pictures = translation(COUNT, SIZE, (1.5, -0.5), patch=True)
    return encode_x265(tmp_path_factory.mktemp("hevc") / "timed.mp4", pictures, 28, 2, OPEN_GOP)


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same(clip: Path, timed: Path, tmp_path: Path, name: str) -> None:
    path = remuxed(timed, tmp_path / name, **CONTAINERS[name])
    if "tag" in CONTAINERS[name]:
        assert CONTAINERS[name]["tag"].encode() in path.read_bytes()
    found = read(path)
    assert len(found) == COUNT and all(map(same, read(clip), found))
    for picture in found:
        assert picture.pts_seconds - found[0].pts_seconds == pytest.approx(picture.display_index / 25, abs=2e-3)


def test_an_avi_has_the_times_and_the_rate_of_its_pictures(clip: Path, timed: Path, tmp_path: Path) -> None:
    found = read(remuxed(timed, tmp_path / "clip.avi"))
    assert len(found) == COUNT and all(map(same, read(clip), found))
    for picture in found:
        assert picture.pts_seconds == pytest.approx(picture.display_index / 25, abs=1e-3)


class Piped(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_pipes(clip: Path, timed: Path, tmp_path: Path) -> None:
    expected = read(clip)
    for path in (clip, remuxed(timed, tmp_path / "clip.ts"), remuxed(timed, tmp_path / "clip.mkv")):
        assert all(map(same, expected, read(Piped(path.read_bytes()))))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    writer.start()
    found = read(pipe)
    writer.join(5)
    assert len(found) == COUNT and all(map(same, expected, found))


def cut(path: Path, made: Path, first: int, sets: bool = True) -> Path:
    """The pictures from one on, behind the parameter sets."""
    packets = packets_of(path)
    units = [unit for unit in split_units(packets[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    made.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units if sets) + b"".join(packets[first:]))
    return made


def key_places(path: Path) -> List[int]:
    kinds = [[kind_of(unit, "hevc") for unit in split_units(packet, None)] for packet in packets_of(path)]
    return [place for place, each in enumerate(kinds) if any(16 <= kind <= 21 for kind in each)]


def test_a_stream_that_begins_with_an_open_gop(clip: Path, tmp_path: Path) -> None:
    """The pictures before its I-picture refer to what was cut off: given, and not exact; the others are as before."""
    place = key_places(clip)[1]
    whole, found = read(clip)[place:], read(cut(clip, tmp_path / "cut.hevc", place))
    assert [picture.kind for picture in found] == [picture.kind for picture in whole]
    first = min(picture.display_index for picture in whole)
    assert found[0].kind == "I" and found[0].display_index == 2
    for mine, true in zip(found, whole):
        assert mine.display_index == true.display_index - first
        leading = mine.display_index < found[0].display_index
        if mine.motion is not None:
            assert mine.motion.exact == (not leading)
            assert np.array_equal(mine.motion.mv_qpel, true.motion.mv_qpel) or leading  # type: ignore[union-attr]
            assert np.array_equal(mine.motion.ref_offset, true.motion.ref_offset) or leading  # type: ignore[union-attr]
        else:
            assert np.array_equal(mine.image, true.image)  # type: ignore[arg-type]


def test_a_stream_that_begins_in_the_middle_of_a_gop(clip: Path, tmp_path: Path) -> None:
    place = key_places(clip)[1]
    with open_stream(cut(clip, tmp_path / "cut.hevc", place - 3)) as stream:
        found = list(stream)
    assert len(found) == COUNT - place + 3
    start = next(number for number, picture in enumerate(found) if picture.kind == "I")
    for picture in found:
        if picture.motion is not None:
            after = picture.decode_index > start and picture.display_index > found[start].display_index
            assert picture.motion.exact == after
    assert found[start].image is not None


def test_leading_pictures_of_a_closed_gop(tmp_path: Path) -> None:
    """RADL pictures: displayed before an IDR picture that no earlier one announces."""
    pictures = translation(36, SIZE, (1, 0))
    path = encode_x265(tmp_path / "clip.hevc", pictures, 30, 2, "keyint=12:min-keyint=12:radl=2:b-adapt=0")
    kinds = {kind_of(unit, "hevc") for packet in packets_of(path) for unit in split_units(packet, None)}
    assert kinds & {6, 7} and 19 in kinds  # the premise
    with av.open(str(path)) as container:
        shown = [int(frame.pict_type) for frame in container.decode(video=0)]
    found = sorted(read(path), key=lambda picture: picture.display_index)
    assert [picture.kind for picture in found] == ["?IPB"[kind] for kind in shown]
    assert all(picture.motion.exact for picture in found if picture.motion is not None)


def test_without_reordering_every_picture_is_given_at_once(tmp_path: Path) -> None:
    path = encode_x265(tmp_path / "clip.hevc", translation(20, SIZE, (1, 0)), 30, 0, "keyint=8")
    fed: List[int] = []

    class Noted(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with open_stream(Noted(path.read_bytes()), threads=1) as stream:
        assert not stream.info.has_b_pictures
        for picture in stream:
            fed.append(stream._reading._fed)  # type: ignore[union-attr]
            assert picture.display_index == picture.decode_index
    # Annex B: the parser knows where a packet ends when the next one begins, the reading waits for nothing.
    assert fed == list(range(1, 21))


@pytest.mark.parametrize("size", [(1080 // 8, 136), (70, 90), (40, 88), (66, 66)])
@pytest.mark.parametrize("smallest", [8, 16])
def test_coded_sizes_are_multiples_of_the_smallest_coding_block(tmp_path: Path, size: Any, smallest: int) -> None:
    extra = f"min-cu-size={smallest}:ctu=32"
    path = encode_x265(tmp_path / "clip.mp4", translation(6, size, (1, 0)), 30, 2, extra)
    height, width = size
    coded = tuple(-(-side // smallest) * smallest for side in size)
    with open_stream(path, frames=True) as stream:
        info = stream.info
        assert (info.height, info.width) == (height, width) and (info.coded_height, info.coded_width) == coded
        for picture in stream:
            assert picture.frame is not None and picture.frame.shape == (height, width, 3)
            if picture.kind == "I":
                assert np.array_equal(picture.image, picture.frame)  # type: ignore[arg-type]
                continue
            assert picture.motion is not None and picture.residual is not None
            assert picture.motion.intra.shape == (coded[0] // 4, coded[1] // 4)
            assert picture.residual.y.shape == coded and picture.residual.cb.shape == (coded[0] // 2, coded[1] // 2)


@pytest.mark.parametrize("pixels", ["yuv420p10le", "gray", "gray10le"])
def test_ten_bits_and_luma_alone(tmp_path: Path, pixels: str) -> None:
    options = {"x265-params": f"{X265}:keyint=6:bframes=2:qp=24"}
    path = encode(tmp_path / "clip.mp4", translation(9, SIZE, (1, 0)), "libx265", options, 2, None, None, pixels)
    with open_stream(path, frames=True) as stream:
        pictures = list(stream)
    assert len(pictures) == 9 and stream.summary.damaged == 0
    for picture in pictures:
        assert picture.frame is not None and picture.frame.dtype == np.uint8
        if picture.kind == "I":
            assert np.array_equal(picture.image, picture.frame)  # type: ignore[arg-type]
        elif pixels.startswith("gray"):
            assert picture.residual is not None and not picture.residual.cb.any() and picture.residual.y.any()


@pytest.mark.parametrize("pixels, why", [("yuv422p", "4:2:2"), ("yuv444p10le", "4:4:4"), ("yuv420p12le", "12")])
@pytest.mark.parametrize("extraction", ["auto", "native", "ffmpeg"])
def test_what_the_core_does_not_read_is_refused_by_name(tmp_path: Path, pixels: str, why: str, extraction: str) -> None:
    options = {"x265-params": X265}
    path = encode(tmp_path / "clip.mp4", translation(3, SIZE, (1, 0)), "libx265", options, 0, None, None, pixels)
    with pytest.raises(UnsupportedCodecError, match=rf"native core.*{why}.*re-encode it to 4:2:0 of 8 or 10") as caught:
        open_stream(path, extraction)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_nothing_else_reads_it(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCodecError, match=r"FFmpeg gives no vectors of HEVC, .*use extraction='auto'"):
        open_stream(clip, "ffmpeg")
    monkeypatch.setattr(choice, "MODULE", "edgecvar.stream.native._absent")
    with pytest.raises(UnsupportedCodecError, match="not installed here, and nothing else reads HEVC; install"):
        open_stream(clip)


def test_without_a_picture_the_error_says_so(clip: Path, tmp_path: Path) -> None:
    sets = [unit for unit in split_units(packets_of(clip)[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    path = tmp_path / "sets.hevc"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in sets) * 20)
    with pytest.raises(StreamError, match=r"no picture|not a video"):
        open_stream(path)


def test_a_size_may_change_in_midstream(tmp_path: Path) -> None:
    sizes = [(70, 90), (64, 128), (70, 90)]
    parts = [encode_x265(tmp_path / f"{n}.hevc", translation(9, size, (1, 0)), 30) for n, size in enumerate(sizes)]
    path = tmp_path / "all.hevc"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_stream(path) as stream:
        pictures = list(stream)
        assert stream.summary.breaks == {"picture size changed": 2} and stream.summary.damaged == 0
    images = [picture.image for picture in pictures if picture.kind == "I"]
    assert [image.shape[:2] for image in images if image is not None] == sizes
    assert [picture.display_index for picture in pictures] == list(range(27))


def with_an_i_picture(path: Path, place: int) -> Path:
    """A stream whose picture at `place` is one of I slices, and no random access point."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.options = {"x265-params": f"{X265}:keyint=250:bframes=0:open-gop=0"}
        for index, picture in enumerate(translation(12, SIZE, (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.pict_type = index, 1 if index == place else 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_an_i_picture_that_a_decoder_would_drop_has_an_image(tmp_path: Path) -> None:
    """One that begins with a leading picture (RASL) drops it, as what it may refer to is missing."""
    path = with_an_i_picture(tmp_path / "clip.hevc", 5)
    true = read(path)[5]
    packets = packets_of(path)
    assert true.kind == "I" and not true.keyframe and kind_of(next(split_units(packets[5], None)), "hevc") == 1
    units = [bytes([unit[0] & 0x81 | 9 << 1]) + unit[1:] for unit in split_units(packets[5], None)]
    path.write_bytes(b"".join([*packets[:5], *(b"\0\0\0\1" + unit for unit in units), *packets[6:]]))
    with open_stream(path) as stream:
        found = list(stream)
    assert len(found) == 12 and np.array_equal(found[5].image, true.image)  # type: ignore[arg-type]


def test_frames_are_counted_by_a_rate_of_fractions(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.options = {"x265-params": f"{X265}:bframes=2"}
        for index, picture in enumerate(translation(10, (64, 96), (1, 0))):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_stream(path) as opened:
        pictures = sorted(opened, key=lambda picture: picture.display_index)
        assert opened.info.fps == Fraction(30000, 1001)
    times = [picture.pts_seconds for picture in pictures]
    assert times == pytest.approx([index * 1001 / 30000 for index in range(10)], abs=1e-3)

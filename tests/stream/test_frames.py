"""Decoded frames beside coded pictures: those of a plain decoding, bit for bit, each with its own picture."""

from __future__ import annotations

import gc
import io
import itertools
import struct
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import av
import numpy as np
import pytest

import edgecvar.stream.reader as reader
from edgecvar.errors import EdgecvarError, StreamError
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.planes import SampleFormat, sample_format
from edgecvar.stream.reader import open_stream
from edgecvar.stream.sources.demuxing import LENIENT_METADATA
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import encode, encode_x264, translation

Planes = Tuple[np.ndarray, ...]

X264 = {
    "p": ("mp4", 0, ""),
    "b": ("mp4", 2, ""),
    "pyramid": ("mkv", 5, "b-pyramid=normal:ref=4:keyint=40"),
    "open_gop": ("mp4", 2, "open-gop=1"),
    "open_gop_annex_b": ("h264", 3, "open-gop=1"),
    "avi": ("avi", 2, ""),
    "transport": ("ts", 2, "open-gop=1"),
    "intra_refresh": ("mp4", 0, "intra-refresh=1"),
    "several_references": ("mp4", 3, "ref=8:weightp=2:weightb=1:keyint=60"),
    "interlaced": ("mp4", 2, "interlaced=1"),
}
OTHERS = {
    "mpeg4": ("avi", 2),
    "mpeg2video": ("mpg", 2),
    "mpeg1video": ("mpg", 1),
    "flv": ("flv", 0),
    "h263": ("3gp", 0),
}
PICTURES = 40


def made(folder: Path, name: str) -> Path:
    """A clip of 90 x 70, coarse enough for the loop filter to work."""
    suffix, b_pictures, extra = X264[name]
    moving = translation(PICTURES, (72 if name == "interlaced" else 70, 90), (1.5, -0.5), patch=True)
    return encode_x264(folder / f"clip.{suffix}", moving, 34, b_pictures, extra)


def plain(source: Any, count: int = 10_000, **options: str) -> List[Planes]:
    """y, cb and cr of the displayed pictures in display order, by PyAV alone."""
    found = []
    file = source if isinstance(source, io.BytesIO) else str(source)
    with av.open(file, **LENIENT_METADATA) as container:
        video = max(container.streams.video, key=lambda each: each.frames or 0)
        video.codec_context.thread_count = 1
        # Without it a crop is moved for speed.
        video.codec_context.options = {"flags": "+unaligned", **options}
        for frame in itertools.islice(decoded(container, video), count):
            half = (frame.height + 1) // 2, (frame.width + 1) // 2
            shapes = (frame.height, frame.width), half, half
            planes = []
            for plane, (height, width) in zip(frame.planes, shapes):
                planes.append(np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width])
            found.append(tuple(planes))
    return found


def decoded(container: Any, video: Any) -> Iterator[Any]:
    for packet in container.demux(video):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue  # a damaged packet; the next one may be sound


def planes(picture: CodedPicture) -> Planes:
    assert picture.decoded is not None
    found = picture.decoded.planes()
    return found.y, found.cb, found.cr


def same(one: Planes, other: Planes) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other))


def read(source: Any, extraction: str = "auto") -> List[CodedPicture]:
    with open_stream(source, extraction, frames=True) as stream:
        pictures = list(stream)
        assert stream.summary.pictures + stream.summary.hidden == len(pictures)
    assert [picture.decode_index for picture in pictures] == list(range(len(pictures)))
    return pictures


def assert_plain(pictures: List[CodedPicture], truth: List[Planes]) -> None:
    assert sorted(picture.display_index for picture in pictures) == list(range(len(truth)))
    for picture in pictures:
        assert same(planes(picture), truth[picture.display_index]), picture


@pytest.mark.parametrize("name", X264)
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_frames_are_those_of_a_plain_decoding(tmp_path: Path, name: str, extraction: str) -> None:
    path = made(tmp_path, name)
    if (name, extraction) == ("interlaced", "native"):
        pytest.skip("the native core does not read it")
    truth = plain(path)
    assert len(truth) == PICTURES
    assert len({planes[0].tobytes() for planes in truth}) == PICTURES  # none could stand for another
    assert_plain(read(path, extraction), truth)


def test_the_loop_filter_is_on(tmp_path: Path) -> None:
    path = made(tmp_path, "b")
    unfiltered = plain(path, skip_loop_filter="nointra")
    kinds = {same(planes(picture), unfiltered[picture.display_index]) for picture in read(path) if picture.kind != "I"}
    assert kinds == {False}


@pytest.mark.parametrize("codec", OTHERS)
def test_frames_of_other_codecs(tmp_path: Path, codec: str) -> None:
    suffix, b_pictures = OTHERS[codec]
    size = (144, 176) if codec == "h263" else (70, 90)
    path = encode(tmp_path / f"clip.{suffix}", translation(20, size, (1.5, -0.5), patch=True), codec, {}, b_pictures, 6)
    pictures = read(path)
    assert (b_pictures > 0) == any(picture.kind == "B" for picture in pictures)
    assert_plain(pictures, plain(path))


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_the_frame_of_an_i_picture_is_its_image(tmp_path: Path, extraction: str) -> None:
    intra = [picture for picture in read(made(tmp_path, "open_gop"), extraction) if picture.kind == "I"]
    assert len(intra) > 2
    for picture in intra:
        assert picture.frame is not None and picture.image is not None
        assert picture.frame.shape == (70, 90, 3) and picture.frame.dtype == np.uint8
        assert np.array_equal(picture.frame, picture.image)


def test_frames_look_as_swscale_shows_them(tmp_path: Path) -> None:
    path = made(tmp_path, "b")
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for picture in read(path):
        assert picture.frame is not None
        # swscale interpolates chroma across pixels, this repeats it: alike on average, not sample for sample
        assert np.abs(picture.frame.astype(int) - shown[picture.display_index]).mean() < 3


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_all_else_is_as_without_frames(tmp_path: Path, extraction: str) -> None:
    path = made(tmp_path, "b")
    with open_stream(path, extraction) as stream:
        bare, info = list(stream), stream.info
    with open_stream(path, extraction, frames=True) as stream:
        assert stream.info == info
        for one, other in itertools.zip_longest(bare, stream):
            assert one == other and one.frame is None
            for name in ("motion", "residual"):
                values = [vars(getattr(each, name) or each) for each in (one, other)]
                assert one.kind == "I" or all(np.array_equal(values[0][key], values[1][key]) for key in values[0])


def test_nothing_is_decoded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "FrameDecoder", None)
    with open_stream(made(tmp_path, "b")) as stream:
        assert all(picture.frame is None for picture in stream)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_pictures_that_an_edit_list_hides_have_frames(tmp_path: Path, extraction: str) -> None:
    path = made(tmp_path, "b")
    truth = plain(path)
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    media_time = struct.unpack(">i", data[entry + 4 : entry + 8])[0]
    timescale_at = data.index(b"mdhd") + 16
    timescale = struct.unpack(">I", data[timescale_at : timescale_at + 4])[0]
    data[entry + 4 : entry + 8] = struct.pack(">i", media_time + 7 * timescale // 25)
    path.write_bytes(bytes(data))
    assert len(plain(path)) == PICTURES - 7
    assert_plain(read(path, extraction), truth)


class ReadOnce:
    """A source that can be read and nothing else."""

    name = "a pipe"

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


@pytest.mark.parametrize("name", ["open_gop_annex_b", "transport"])
def test_a_source_that_can_be_read_once(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name)
    assert_plain(read(ReadOnce(path.read_bytes())), plain(path))


def cut_at_the_second_i_picture(path: Path) -> bytes:
    """A stream as a receiver gets it who comes late: B-pictures follow that refer to what was before."""
    units = list(split_units(path.read_bytes(), None))
    heads = [unit for unit in units if unit[0] & 31 in (7, 8)]
    slices = [place for place, unit in enumerate(units) if unit[0] & 31 in (1, 5)]
    second = next(place for place in slices[1:] if units[place][1] == units[slices[0]][1] and units[place][0] >> 5 & 3)
    return b"".join(b"\0\0\0\1" + unit for unit in [*heads[:2], *units[second:]])


def test_what_cannot_be_decoded_has_no_frame_and_says_so(tmp_path: Path) -> None:
    data = cut_at_the_second_i_picture(made(tmp_path, "open_gop_annex_b"))
    truth = plain(io.BytesIO(data))
    pictures = read(io.BytesIO(data), "native")
    pictures.sort(key=lambda picture: picture.display_index)
    found: List[Planes] = []
    missing: List[CodedPicture] = []
    for picture in pictures:
        try:
            found.append(planes(picture))
        except StreamError as error:
            assert f"picture {picture.decode_index} ({picture.kind}) cannot be decoded" in str(error)
            missing.append(picture)
    assert len(found) == len(truth) and all(same(one, other) for one, other in zip(found, truth))
    leading = next(place for place, picture in enumerate(pictures) if picture.kind == "I")
    assert missing[:leading] == pictures[:leading] and leading == 3
    assert all(picture.motion is not None for picture in missing)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
@pytest.mark.parametrize("seed", range(3))
def test_damage_costs_its_own_pictures_alone(tmp_path: Path, extraction: str, seed: int) -> None:
    """Every frame is one of a plain decoding's, in its order, and pictures without one raise."""
    path = made(tmp_path, "open_gop_annex_b")
    data = bytearray(path.read_bytes())
    rng = np.random.RandomState(seed)
    for place in rng.randint(len(data) // 4, len(data), 12):
        data[place] = rng.randint(256)
    truth = iter(plain(io.BytesIO(bytes(data))))
    shown = sorted(read(io.BytesIO(bytes(data)), extraction), key=lambda picture: picture.display_index)
    frames = 0
    for picture in shown:
        try:
            found = planes(picture)
        except StreamError:
            continue
        assert any(same(found, each) for each in truth)
        frames += 1
    assert frames > PICTURES // 2


def test_frames_follow_a_size_change(tmp_path: Path) -> None:
    small = encode_x264(tmp_path / "small.h264", translation(10, (64, 80), (1, 0)), 26, b_pictures=2)
    large = encode_x264(tmp_path / "large.h264", translation(10, (90, 80), (1, 0)), 26, b_pictures=2)
    joined = small.read_bytes() + large.read_bytes()
    pictures = read(io.BytesIO(joined))
    assert [picture.frame.shape[:2] for picture in pictures if picture.frame is not None] == [(64, 80)] * 10 + [
        (90, 80)
    ] * 10
    assert_plain(pictures, plain(small) + plain(large))


@pytest.mark.parametrize(("name", "delay"), [("p", 0), ("b", 5)])
def test_a_picture_waits_for_its_frame_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, delay: int
) -> None:
    fed: List[int] = []

    def counting(*arguments: Any) -> Iterator[Any]:
        for packet in right(*arguments):
            fed.append(1)
            yield packet

    right = reader.coded_packets
    monkeypatch.setattr(reader, "coded_packets", counting)
    with open_stream(made(tmp_path, name), "native", frames=True) as stream:
        waited = [len(fed) - 1 - picture.decode_index for picture in stream]
    assert max(waited) <= delay


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_frames_die_with_their_pictures(tmp_path: Path, extraction: str) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(120, (48, 64), (1, 0)), 30, b_pictures=2)
    alive = set()

    def frames() -> int:
        return sum(type(thing).__name__ == "VideoFrame" for thing in gc.get_objects())

    gc.collect()
    before = frames()
    gc.disable()
    try:
        with open_stream(path, extraction, frames=True) as stream:
            for picture in stream:
                assert picture.decoded is not None
                alive.add(frames() - before)
        del picture
        assert frames() - before <= 2  # the empty frames that decoders keep ready
    finally:
        gc.enable()
    assert max(alive) <= 45


MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
NAMES: Dict[str, str] = {
    "clips": "*",
    "h264": "*",
    "odd": "*.m*",
}
FILES = sorted(path for folder, pattern in NAMES.items() for path in (MEDIA / folder).glob(pattern) if path.is_file())
SHOWN = 40
REORDERED = 17


@pytest.mark.real_media
@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])
def test_real_frames_are_those_of_a_plain_decoding(media: Path, path: Path) -> None:
    try:
        with open_stream(path, frames=True) as stream:
            pictures = list(itertools.islice(stream, SHOWN + REORDERED))
        truth = plain(path, SHOWN)
        if sample_format(pictures[0].decoded.frame) != SampleFormat():
            pytest.skip("not 4:2:0: converted, so not sample for sample")
    except EdgecvarError as error:
        pytest.skip(str(error))
    except av.error.FFmpegError as error:
        pytest.skip(f"plainly it cannot be decoded at all: {error}")
    assert len(truth) == min(SHOWN, len(pictures))
    for picture in pictures:
        if picture.display_index < len(truth):
            assert same(planes(picture), truth[picture.display_index]), picture

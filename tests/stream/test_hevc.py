"""Streams of HEVC: order, images, cuts, sizes, depths."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, List

import av
import numpy as np
import pytest

from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from tests.stream.hevc_clips import COUNT, SIZE, cut, key_places, packets_of, read, same, whole_clip
from tests.stream.known_clips import X265, encode, encode_x265, translation


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_clip(tmp_path_factory.mktemp("hevc") / "clip.hevc")


def test_pictures_come_in_decode_order_with_their_display_order(clip: Path) -> None:
    with open_stream(clip) as stream:
        info, pictures = stream.info, list(stream)
    assert (info.codec, info.width, info.height, info.coded_width, info.coded_height) == ("hevc", 104, 72, 104, 72)
    assert info.fps == 25 and info.has_b_pictures and info.extraction == "native"
    assert [picture.decode_index for picture in pictures] == list(range(COUNT))
    assert sorted(picture.display_index for picture in pictures) == list(range(COUNT))
    assert (
        "".join(picture.kind for picture in sorted(pictures, key=lambda each: each.display_index))
        == "IBBPBBPBB" * 2 + "IBBPBBPBP"
    )
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


def test_a_stream_that_begins_with_an_open_gop(clip: Path, tmp_path: Path) -> None:
    """The pictures before its I-picture refer to what was cut off: given, and not exact; the others are as before."""
    place = key_places(clip)[1]
    path = tmp_path / "cut.hevc"
    whole, found = read(clip)[place:], read(cut(clip, path, place))
    assert [picture.kind for picture in found] == [picture.kind for picture in whole]
    first = min(picture.display_index for picture in whole)
    assert found[0].kind == "I" and found[0].display_index == 2
    drawn = {each.display_index: each.image for each in decoded_pictures(cut(clip, path, place), "native")}
    assert sorted(drawn) == list(range(len(whole)))
    assert np.abs(drawn[2].astype(int) - found[0].image).mean() < 3
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


@pytest.mark.parametrize("size", [(72, 136), (70, 90), (40, 88), (66, 66)])
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

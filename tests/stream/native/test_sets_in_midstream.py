"""What damage does to parameter sets and NAL unit types once a stream runs: it is counted, and ends nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import List, Tuple

import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.native import _core, choice
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, StreamSummary
from tests.stream.known_clips import encode_x264, translation

SPS, PPS, IDR = 7, 8, 5
PICTURES = 36


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> List[bytes]:
    """The NAL units of three GOPs of 12, each with its parameter sets."""
    return coded(tmp_path_factory.mktemp("clip"), "repeat-headers=1:no-info=1")


def coded(folder: Path, extra: str, size: Tuple[int, int] = (48, 64), pictures: int = PICTURES) -> List[bytes]:
    path = encode_x264(folder / "clip.h264", translation(pictures, size, (1.5, -0.5), patch=True), 26, 2, extra)
    return list(split_units(path.read_bytes(), None))


def read(units: List[bytes], extraction: str = "native") -> Tuple[List[CodedPicture], StreamSummary]:
    with open_stream(annex_b(units), extraction) as stream:
        return list(stream), stream.summary


def annex_b(units: List[bytes]) -> io.BytesIO:
    return io.BytesIO(b"".join(b"\0\0\0\1" + unit for unit in units))


def decoded(units: List[bytes], access: str) -> List[np.ndarray]:
    """All frames as FFmpeg decodes them, in display order."""
    if access == "overlay":
        return [picture.image for picture in decoded_pictures(annex_b(units), "native")]
    with open_stream(annex_b(units), access, frames=True) as stream:
        pictures = sorted(stream, key=lambda picture: picture.display_index)
        assert stream.summary.breaks == {}
        return [frame for picture in pictures if (frame := picture.frame) is not None]


def places(units: List[bytes], kind: int) -> List[int]:
    return [place for place, unit in enumerate(units) if unit[0] & 31 == kind]


def flipped(units: List[bytes], place: int, bit: int) -> List[bytes]:
    unit = bytearray(units[place])
    unit[bit // 8] ^= 1 << bit % 8
    return [*units[:place], bytes(unit), *units[place + 1 :]]


@pytest.mark.parametrize("kind", [SPS, PPS])
def test_no_bit_of_a_repeated_set_ends_the_stream_or_takes_a_picture(clip: List[bytes], kind: int) -> None:
    place = places(clip, kind)[1]
    counted = 0
    for bit in range(8, 8 * len(clip[place])):
        pictures, summary = read(flipped(clip, place, bit))
        assert len(pictures) == PICTURES, f"bit {bit}"
        assert {picture.image.shape for picture in pictures if picture.image is not None} == {(48, 64, 3)}, f"bit {bit}"
        counted += summary.damaged + len(summary.breaks) > 0
    assert counted > 10  # the rest is what the pictures do not contradict: levels, most of the VUI


def test_what_a_refused_set_stands_with_is_read_by_the_one_that_holds(clip: List[bytes]) -> None:
    expected, _ = read(clip)
    place = places(clip, PPS)[1]
    for bit in (8, 13, 15):  # weighted_pred_flag, entropy_coding_mode_flag, the id
        pictures, summary = read(flipped(clip, place, bit))
        assert summary.damaged == 1 and summary.skipped == 0
        for picture, whole in zip(pictures, expected):
            assert picture.kind == whole.kind
            if picture.motion is not None and whole.motion is not None:
                assert picture.motion.exact and np.array_equal(picture.motion.mv_qpel, whole.motion.mv_qpel)
            if picture.image is not None:
                assert np.array_equal(picture.image, whole.image)


def test_no_bit_of_a_unit_type_ends_the_stream(clip: List[bytes]) -> None:
    first = places(clip, 1)[3]
    for place in range(first, len(clip), 2):
        for bit in range(8):
            pictures, summary = read(flipped(clip, place, bit))
            assert len(pictures) >= PICTURES - 1
            assert len(pictures) + summary.skipped >= PICTURES - 1


def test_a_new_set_that_an_idr_picture_proves_holds_at_once(clip: List[bytes], tmp_path: Path) -> None:
    other = coded(tmp_path, "repeat-headers=1:no-info=1:level=40:cabac=0:no-8x8dct=1")
    pictures, summary = read(clip + other)
    assert len(pictures) == 2 * PICTURES and summary.damaged == 0
    assert all(picture.motion.exact for picture in pictures if picture.motion is not None)


def test_a_set_of_an_id_of_its_own_holds_with_the_damaged_picture_that_names_it(
    clip: List[bytes], tmp_path: Path
) -> None:
    other = coded(tmp_path, "repeat-headers=1:no-info=1:sps-id=3")
    idr = places(other, IDR)[0]
    other[idr] = other[idr][: len(other[idr]) // 2]
    pictures, summary = read(clip + other)
    assert len(pictures) == 2 * PICTURES and summary.skipped == 0 and summary.damaged == 1


def levels(parser: _core.Parser, packets: List[List[bytes]]) -> List[int]:
    found = []
    for number, units in enumerate(packets):
        for picture in parser.parse(b"".join(b"\0\0\0\1" + unit for unit in units), number):
            found.append(picture.sequence.level_idc)
    return found


def test_a_new_set_without_an_idr_picture_holds_when_it_persists(clip: List[bytes]) -> None:
    slices = [unit for unit in clip if unit[0] & 31 in (1, IDR)]
    sps, pps = clip[places(clip, SPS)[0]], clip[places(clip, PPS)[0]]
    level = sps[3]
    newer = sps[:3] + bytes([level + 1]) + sps[4:]
    start = [[sps, pps, slices[0]], [slices[1]]]
    once = [*start, [newer, slices[2]], [slices[3]], [sps, slices[4]], [newer, slices[5]], [slices[6]]]
    assert levels(_core.Parser("h264", b""), once) == [level] * 7
    twice = [*start, [newer, slices[2]], [slices[3]], [newer, slices[4]], [slices[5]]]
    assert levels(_core.Parser("h264", b""), twice) == [level] * 4 + [level + 1] * 2


def test_what_is_not_parsed_ends_the_stream_when_it_persists(clip: List[bytes], tmp_path: Path) -> None:
    interlaced = coded(tmp_path, "repeat-headers=1:interlaced=1", pictures=30)
    with pytest.raises(StreamError, match=r"interlaced coding.*extraction='ffmpeg'"):
        read(clip + interlaced)
    layer = bytes([0x74, 0x80, 0x40])
    second = places(clip, IDR)[1]
    pictures, summary = read([*clip[:second], layer, *clip[second:]])
    assert len(pictures) == PICTURES and summary.damaged + summary.skipped >= 1
    every = [unit for each in clip for unit in ([each, layer] if each[0] & 31 in (1, IDR) else [each])]
    with pytest.raises(StreamError, match="SVC or MVC layers"):
        read(clip + every)


@pytest.mark.parametrize("access", ["ffmpeg", "native", "overlay"])
@pytest.mark.parametrize("kind", [SPS, PPS])
def test_no_decoder_follows_a_damaged_set(clip: List[bytes], kind: int, access: str) -> None:
    units = clip[: places(clip, SPS)[2]]
    place = places(units, kind)[1]
    for bit in range(8, 8 * len(units[place]), 5 if kind == SPS else 2):
        frames = decoded(flipped(units, place, bit), access)
        assert [frame.shape for frame in frames] == [(48, 64, 3)] * 24, f"bit {bit}"


def test_a_set_withheld_from_a_decoder_is_counted_and_takes_nothing(clip: List[bytes]) -> None:
    place = places(clip, PPS)[1]
    for bit in (8, 13, 15):  # weighted_pred_flag, entropy_coding_mode_flag, the id
        damaged = flipped(clip, place, bit)
        for access in ("ffmpeg", "native", "overlay"):
            assert np.array_equal(decoded(damaged, access), decoded(clip, access))
    _, summary = read(flipped(clip, place, 13), "ffmpeg")
    assert summary.damage == {"parameter set that its pictures do not follow": 1} and summary.skipped == 0


def test_decoders_follow_what_the_core_does_not_read_at_once(clip: List[bytes], tmp_path: Path) -> None:
    interlaced = coded(tmp_path, "repeat-headers=1:interlaced=1", pictures=30)
    pictures, summary = read(clip + interlaced + clip, "ffmpeg")
    assert len(pictures) == 2 * PICTURES + 30 and summary.skipped == summary.damaged == 0


def test_nothing_is_parsed_for_a_decoder_but_where_a_set_differs(
    clip: List[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []

    class Counted(_core.Parser):
        def parse(self, packet: bytes, number: int) -> List[_core.Picture]:
            parsed.append(number)
            return super().parse(packet, number)

    monkeypatch.setattr(_core, "Parser", Counted)
    assert choice.native_core().Parser is Counted
    read(clip, "ffmpeg")
    assert len(parsed) == 1
    read(flipped(clip, places(clip, SPS)[1], 13), "ffmpeg")
    assert len(parsed) == 2 + 12 + 1  # the GOP that it stands before, and the packet that settles it

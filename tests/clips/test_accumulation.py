"""Accumulation by the core against its plain statement, sample by sample, however a stream refers to its pictures."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecvar.clips.motion_source import MotionSource
from edgecvar.errors import StreamError
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, MotionField, Residual
from tests.clips.plain_accumulation import PlainAccumulation
from tests.clips.test_motion_source import ACCUMULATE, GRID, INFO, SIDE, picture
from tests.stream.images.test_recovery import cut, refreshed
from tests.stream.known_clips import X265, encode, encode_x264, stream_like, translation
from tests.stream.test_breaks import HOURS
from tests.stream.transport import shifted
from tests.stream.x264_matrix import CASES, encode_case
from tests.stream.x265_matrix import IS_OLDER

NAMES = ["baseline_slices", "main_cabac", "ref_16_cabac", "bframes_5_normal_temporal", "bframes_4_normal_spatial"]
NAMES += ["weightp_2_weightb", "weightb_temporal", "partitions_all_cabac_1", "partitions_all_cavlc_0", "scene_cut"]
NAMES += ["constrained_intra", "slices_by_macroblocks", "open_gop_pyramid", "intra_refresh_b_cavlc", "lossless_8x8dct"]
NAMES += ["qp_1", "grey", "ten_bit_weights", "size_130x36", "mixed_3", "mixed_16"]

MEDIA = {
    "h264/BA_MW_D.264": 40,
    "h264/CVFC1_Sony_C.jsv": 20,
    "h264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264": 9,
    "h264/Error_I_P.264": 6,
    "h264/MPS_MW_A.264": 40,
    "h264/MR2_MW_A.264": 40,
    "h264/QCIF_2P_I_allIPCM.264": 2,
    "h264/SVA_FM1_E.264": 17,
    "h264/VID_1920x1080_cabac_temporal_direct.264": 4,
    "hevc/akiyo.turing.qp_30.265": 12,
    "hevc/akiyo.x265.qp_30.265": 12,
    "hevc/cars_320x240.h265": 20,
    "hevc/h265_10bits.mp4": 20,
    "clips/R6llTwEh07w.mp4": 30,
    "clips/cova_traffic_720p_60s.mp4": 8,
    "clips/intel_one_by_one_person.mp4": 20,
    "clips/mmaction2_test_asp.avi": 20,
    "clips/v_SoccerJuggling_g23_c01.avi": 20,
}


def compared(source: Any, extraction: str = "auto", most: int = 10_000) -> List[CodedPicture]:
    """The stream's pictures; what is added up of each has been compared."""
    pictures = []
    with open_stream(source, extraction) as stream:
        info = stream.info
        traced, plain = MotionSource(info, ACCUMULATE), PlainAccumulation(info)
        for shown, _ in zip(stream, range(most)):
            if shown.opens is not None and shown.opens.info != info:
                info = shown.opens.info
                traced, plain = MotionSource(info, ACCUMULATE), PlainAccumulation(info)
            traced.push(shown)
            compare(traced, shown, plain)
            pictures.append(shown)
    return pictures


def compare(traced: MotionSource, shown: CodedPicture, plain: PlainAccumulation) -> None:
    expected, residual = plain.push(shown), traced.residual(shown)
    np.testing.assert_array_equal(traced.motion(shown), expected.displacement, str(shown))
    for plane, values in zip((residual.y, residual.cb, residual.cr), expected.planes):
        np.testing.assert_array_equal(plane, values, str(shown))


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_of_every_tool(tmp_path: Path, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    pictures = compared(encode_case(tmp_path, case), "native")
    kinds = Counter(shown.kind for shown in pictures)
    assert len(pictures) == 14 and kinds["P"] > 0 and (kinds["B"] > 0) == case.b_pictures


HEVC = {
    "open GOPs": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-pyramid=1:ref=4",
    "temporal layers": "temporal-layers=3:bframes=3:b-pyramid=1:ref=3",
    "leading pictures": "open-gop=0:radl=2:keyint=8:min-keyint=8:bframes=2",
    "partitions and weights": "rect=1:amp=1:weightp=1:weightb=1:bframes=2:ref=4:ctu=32",
    "losslessly": "lossless=1:bframes=1",
    "refreshed": "intra-refresh=1:keyint=8:bframes=0",
}


@pytest.mark.parametrize("name", HEVC)
@pytest.mark.parametrize("size", [(44, 68), (64, 96)])
def test_a_stream_of_hevc(tmp_path: Path, name: str, size: Any) -> None:
    options = {"x265-params": f"{X265}:b-adapt=0:scenecut=0:{HEVC[name]}"}
    clip = encode(tmp_path / "clip.mkv", translation(20, size, (2.5, -1), patch=True), "libx265", options, -1)
    pictures = compared(clip, "native")
    assert len(pictures) == 20 and all(shown.motion.exact for shown in pictures if shown.motion is not None)
    # What others refer to is said to be referred to.
    places = {shown.display_index: shown for shown in pictures}
    for shown in pictures:
        if shown.motion is not None:
            offsets = set(np.unique(shown.motion.ref_offset).tolist()) - {0}
            assert all(places[shown.display_index + offset].reference for offset in offsets)


@pytest.mark.skipif(IS_OLDER, reason="the x265 of this PyAV writes no sub-layers")
def test_pictures_that_higher_sub_layers_alone_refer_to(tmp_path: Path) -> None:
    """HEVC calls them sub-layer non-reference pictures."""
    options = {"x265-params": f"{X265}:b-adapt=0:scenecut=0:{HEVC['temporal layers']}"}
    clip = encode(tmp_path / "clip.hevc", translation(20, (64, 96), (2.5, -1), patch=True), "libx265", options, -1)
    units = [bytearray(unit) for unit in split_units(clip.read_bytes(), None)]
    changed = [unit for unit in units if unit[0] >> 1 in (1, 3, 5) and unit[1] & 7 == 2]
    for unit in changed:
        unit[0] -= 2  # TRAIL_R to TRAIL_N, TSA_R to TSA_N, STSA_R to STSA_N
    clip.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    assert len(changed) >= 3 and len(compared(clip, "native")) == 20


@pytest.mark.parametrize("first", [0, 17])
def test_a_stream_that_is_refreshed_part_by_part(tmp_path: Path, first: int) -> None:
    """Whole, and cut so that its first pictures refer to what is not there."""
    whole = refreshed(tmp_path / "whole.h264", "bframes=2:b-adapt=0", 2)
    pictures = compared(cut(tmp_path, whole, first), "native")
    assert any(shown.recovered for shown in pictures) and (pictures[0].kind == "I") == (first == 0)


@pytest.mark.parametrize("codec, suffix, b_pictures", [("libx264", "mp4", 2), ("mpeg4", "avi", 0), ("mpeg4", "mp4", 2)])
def test_what_ffmpeg_reads(tmp_path: Path, codec: str, suffix: str, b_pictures: int) -> None:
    clip = encode(tmp_path / f"clip.{suffix}", translation(15, (48, 64), (3, -2), patch=True), codec, {}, b_pictures)
    kinds = Counter(shown.kind for shown in compared(clip, "ffmpeg"))
    assert kinds["P"] > 0 and (kinds["B"] > 0) == (b_pictures > 0)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_over_breaks_and_changes_of_size(tmp_path: Path, extraction: str) -> None:
    first, second = (
        encode_x264(tmp_path / f"{width}.ts", translation(20, (48, width), (2, 1)), 30, b_pictures=2).read_bytes()
        for width in (64, 96)
    )
    pictures = compared(io.BytesIO(first + shifted(first, HOURS) + shifted(second, HOURS + 180_000)), extraction)
    assert sum(shown.opens is not None for shown in pictures) == 2


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_where_references_are_lost(tmp_path: Path, lost: int) -> None:
    whole = encode_case(tmp_path, next(case for case in CASES if case.name == "bframes_3_normal_temporal"))
    with av.open(str(whole)) as container, av.open(str(tmp_path / "lost.mp4"), "w") as torn:
        stream = stream_like(torn, container.streams.video[0])
        for index, packet in enumerate(container.demux(container.streams.video[0])):
            if packet.size and index != lost:
                packet.stream = stream
                torn.mux(packet)
    assert any(shown.motion is not None and not shown.motion.exact for shown in compared(tmp_path / "lost.mp4"))


@pytest.mark.real_media
@pytest.mark.parametrize("name", list(MEDIA))
def test_real_streams(media: Path, name: str) -> None:
    pictures = compared(media / name, most=MEDIA[name])
    assert len(pictures) == MEDIA[name]


class Drawn:
    """The content of a picture drawn at random: macroblocks that stand still, that move as one, or in parts."""

    parsed = None
    reference = True

    def __init__(self, random: np.random.RandomState, offsets: List[int]) -> None:
        self._motion = _drawn_motion(random, offsets)
        magnitude = int(random.choice([3, 30_000]))
        planes = []
        for side in (SIDE, SIDE // 2, SIDE // 2):
            coded = (random.rand(4, 4) < 0.5).repeat(side // 4, 0).repeat(side // 4, 1)
            planes.append((random.randint(-magnitude, magnitude + 1, (side, side)) * coded).astype(np.int16))
        self._residual = Residual(*planes)

    def motion(self) -> MotionField:
        return self._motion

    def residual(self) -> Residual:
        return self._residual


def _drawn_motion(random: np.random.RandomState, offsets: List[int]) -> MotionField:
    reach = int(random.choice([9, 90, 32_767]))
    mv, offset = np.zeros((2, *GRID, 2), np.int16), np.zeros((2, *GRID), np.int16)
    for row in range(0, GRID[0], 4):
        for column in range(0, GRID[1], 4):
            step = int(random.choice([1, 2, 4]))  # 4 x 4, 8 x 8, 16 x 16
            for y in range(row, row + 4, step):
                for x in range(column, column + 4, step):
                    block = (slice(None), slice(y, y + step), slice(x, x + step))
                    mv[block] = random.randint(-reach, reach + 1, (2, 1, 1, 2)) * random.randint(2)
                    offset[block] = random.choice([0, *offsets], (2, 1, 1))
    intra = (random.rand(*GRID) < 0.1) & (random.rand() < 0.5)
    return MotionField(mv, offset, intra, np.zeros(GRID, bool), True)


def _drawn_pictures(seed: int) -> Iterator[CodedPicture]:
    """Two GOPs whose pictures refer to any that came before, those of the second to the first GOP too."""
    random = np.random.RandomState(seed)
    places = [int(place) for place in random.permutation(12)]
    for index, place in enumerate(places):
        if index in (0, 6):
            yield picture(index, place, "I")
            continue
        before = [earlier - place for earlier in places[:index]]
        yield replace(picture(index, place, str(random.choice(["P", "B"]))), content=Drawn(random, before[-3:]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_blocks_any_references(seed: int) -> None:
    traced, plain = MotionSource(INFO, ACCUMULATE), PlainAccumulation(INFO)
    for shown in _drawn_pictures(seed):
        traced.push(shown)
        compare(traced, shown, plain)


def test_what_nothing_refers_to_is_kept_until_the_next_picture(tmp_path: Path) -> None:
    clip = encode_x264(tmp_path / "clip.mp4", translation(9, (48, 64), (2, 0)), 30, b_pictures=2)
    with open_stream(clip, "native") as stream:
        traced = MotionSource(stream.info, ACCUMULATE)
        before = None
        for shown in stream:
            traced.push(shown)
            if before is not None and before.kind == "B":
                with pytest.raises(StreamError, match=f"picture {before.decode_index} is not among"):
                    traced.motion(before)
            elif before is not None:
                traced.motion(before)
            before = shown


def test_without_the_core_nothing_is_accumulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecvar.clips.accumulation.native_core", lambda: "its compiled module is not installed here")
    with pytest.raises(StreamError, match="cannot be accumulated: its compiled module is not installed here"):
        MotionSource(INFO, ACCUMULATE)

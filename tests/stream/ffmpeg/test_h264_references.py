"""Reference lists, marking, order counts and weights, against cases worked by hand and x264's own choices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from edgecvar.stream.ffmpeg.h264_model import H264Model
from edgecvar.stream.ffmpeg.h264_references import DecodedPictures, OrderCount
from edgecvar.stream.h264.headers import HeaderParser, SliceHeader
from edgecvar.stream.h264.parameter_sets import PictureSet, SequenceSet
from edgecvar.stream.nal.bits import BitReader, HeaderEnded
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.reader import open_stream
from tests.stream.known_clips import encode, translation

SEQUENCE = SequenceSet(
    baseline=False,
    chroma_format=1,
    bit_depth=8,
    separate_planes=False,
    frame_num_bits=4,
    poc_type=0,
    poc_lsb_bits=4,
    delta_pic_order_always_zero=False,
    offset_for_non_ref=0,
    offsets_for_ref_frame=(),
    max_ref_frames=3,
    gaps_allowed=False,
    width=64,
    height=48,
    frame_mbs_only=True,
    mbaff=False,
    direct_8x8_inference=True,
    crop=(0, 0, 0, 0),
)
PICTURE = PictureSet(0, False, (1, 1), False, 0, False)
SLICE = SliceHeader(
    kind="P",
    picture_set=PICTURE,
    sequence=SEQUENCE,
    idr=False,
    ref_idc=1,
    first_mb=0,
    redundant=False,
    frame_num=0,
    field=False,
    bottom=False,
    poc_lsb=0,
    delta_bottom=0,
    delta_poc=(0, 0),
    direct_spatial=True,
    active=(8, 0),
    modifications=((), ()),
    weights=((), ()),
    marking=(),
    adaptive_marking=False,
    long_term_reference=False,
)
Plan = List[Tuple[str, int, int, int]]


class Dpb:
    """Feeds pictures given as (kind, frame_num, poc, reference) and tells the lists by picture number."""

    def __init__(self) -> None:
        self.pictures = DecodedPictures()
        self.count = 0

    def push(
        self, kind: str, frame_num: int, poc: int, ref: int = 1, **more: object
    ) -> Tuple[List[Optional[int]], List[Optional[int]]]:
        active = {"I": (0, 0), "P": (8, 0), "B": (8, 8)}[kind]
        header = replace(SLICE, kind=kind, frame_num=frame_num, ref_idc=ref, active=active)
        header = replace(header, idr=kind == "I" and frame_num == 0, **more)  # type: ignore[arg-type]
        self.pictures.enter(header)
        lists = self.pictures.lists(header, poc) if kind != "I" else ([], [])
        self.pictures.mark(header, self.count, poc)
        self.count += 1
        return [frame.number for frame in lists[0]], [frame.number for frame in lists[1]]


def test_p_list_is_newest_first_and_slides() -> None:
    dpb = Dpb()
    dpb.push("I", 0, 0)
    assert dpb.push("P", 1, 2) == ([0], [])
    assert dpb.push("P", 2, 4) == ([1, 0], [])
    assert dpb.push("P", 3, 6) == ([2, 1, 0], [])
    assert dpb.push("P", 4, 8) == ([3, 2, 1], [])


def test_p_list_across_the_wrap_of_frame_num() -> None:
    dpb = Dpb()
    dpb.push("I", 0, 0)
    for number in range(1, 16):
        dpb.push("P", number, 2 * number)
    assert dpb.push("P", 0, 32)[0] == [15, 14, 13]
    assert dpb.push("P", 1, 34)[0] == [16, 15, 14]


def test_b_lists_by_display_order_and_the_swap() -> None:
    dpb = Dpb()
    dpb.push("I", 0, 0)
    dpb.push("P", 1, 8)
    assert dpb.push("B", 2, 4) == ([0, 1], [1, 0])
    assert dpb.push("B", 3, 2, 0) == ([0, 2, 1], [2, 1, 0])
    assert dpb.push("B", 3, 10, 0) == ([1, 2, 0], [2, 1, 0])


def test_modification_reorders_and_may_repeat() -> None:
    dpb = Dpb()
    for frame_num, kind in enumerate("IPP"):
        dpb.push(kind, frame_num, 2 * frame_num)
    oldest_first = ((0, 2),), ()
    assert dpb.push("P", 3, 6, 0, modifications=oldest_first)[0] == [0, 2, 1]
    twice = ((0, 0), (1, 15)), ()
    assert dpb.push("P", 3, 6, 0, modifications=twice, active=(3, 0))[0] == [2, 2, 1]


def test_marking_operations() -> None:
    dpb = Dpb()
    for frame_num, kind in enumerate("IPP"):
        dpb.push(kind, frame_num, 2 * frame_num)
    dpb.push("P", 3, 6, adaptive_marking=True, marking=((1, 1, 0),))
    assert dpb.push("P", 4, 8, 0)[0] == [3, 2, 0]
    dpb.push("P", 4, 8, adaptive_marking=True, marking=((3, 3, 0), (1, 1, 0)))
    assert dpb.push("P", 5, 10, 0)[0] == [5, 3, 0]  # 0 is long-term now, after the short-term ones
    dpb.push("P", 5, 10, adaptive_marking=True, marking=((2, 0, 0),))
    assert dpb.push("P", 6, 12, 0)[0] == [7, 5, 3]
    dpb.push("P", 6, 12, adaptive_marking=True, marking=((5, 0, 0),))
    assert dpb.push("P", 1, 2, 0)[0] == [9]


def test_missing_frames_are_noticed() -> None:
    pictures = DecodedPictures()
    pictures.mark(replace(SLICE, idr=True), 0, 0)
    assert pictures.enter(replace(SLICE, frame_num=1))
    assert not pictures.enter(replace(SLICE, frame_num=3))
    gaps = replace(SLICE, frame_num=3, sequence=replace(SEQUENCE, gaps_allowed=True))
    assert pictures.enter(gaps)


def test_order_count_type_0_wraps() -> None:
    order = OrderCount()
    counts = [
        order.of(replace(SLICE, idr=lsb == 0 and step == 0, poc_lsb=lsb))
        for step, lsb in enumerate((0, 6, 12, 2, 8, 14, 4))
    ]
    assert counts == [0, 6, 12, 18, 24, 30, 36]


def test_order_count_type_2_follows_decoding() -> None:
    order = OrderCount()
    sequence = replace(SEQUENCE, poc_type=2)
    steps = [(0, 1), (1, 1), (2, 0), (2, 1)]
    counts = [order.of(replace(SLICE, sequence=sequence, frame_num=n, ref_idc=r)) for n, r in steps]
    assert counts == [0, 2, 3, 4]


def test_order_count_type_1_follows_the_cycle() -> None:
    order = OrderCount()
    sequence = replace(SEQUENCE, poc_type=1, offsets_for_ref_frame=(4, 6), offset_for_non_ref=-2)
    steps = [(0, 1), (1, 1), (2, 0), (2, 1), (3, 1)]
    counts = [order.of(replace(SLICE, sequence=sequence, frame_num=n, ref_idc=r)) for n, r in steps]
    assert counts == [0, 4, 2, 10, 14]


def test_exponential_golomb() -> None:
    reader = BitReader(bytes([0b1_010_011_0, 0b0100_0010, 0b1_0000000]))
    assert [reader.unsigned() for _ in range(4)] == [0, 1, 2, 3]
    assert reader.signed() == -2
    with pytest.raises(HeaderEnded):
        reader.bits(9)


def plans(path: Path) -> Dict[str, List[bool]]:
    found: Dict[str, List[bool]] = {"P": [], "B": []}
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            if picture.motion is not None:
                found[picture.kind].append(picture.motion.exact)
    return found


@pytest.mark.parametrize(("extra", "exact"), [("ref=1", True), ("ref=1:weightp=2", True), ("ref=4:weightp=0", False)])
def test_exact_only_where_one_reference_is_possible(tmp_path: Path, extra: str, exact: bool) -> None:
    options = {"x264-params": f"scenecut=0:{extra}"}
    path = encode(tmp_path / "clip.mp4", translation(10, (48, 64), (1.5, 0)), "libx264", options)
    found = plans(path)["P"]
    assert found[0]  # the first P picture has one picture to refer to, whatever its header allows
    assert all(found[1:]) == exact and any(found[4:]) == exact


@pytest.mark.parametrize("container", ["h264", "mp4"])
@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_every_list_names_the_picture_x264_means(tmp_path: Path, extraction: str, container: str) -> None:
    options = {"x264-params": "ref=1:weightp=0:b-pyramid=none:b-adapt=0:scenecut=0:keyint=30"}
    path = encode(tmp_path / f"clip.{container}", translation(14, (48, 64), (1.5, 0)), "libx264", options, 3)
    with open_stream(path, extraction) as stream:
        for picture in stream:
            if picture.motion is None or picture.display_index == 13:
                continue
            past, future = picture.display_index % 4, 4 - picture.display_index % 4
            expected = {"P": ({0, -4}, {0}), "B": ({0, -past}, {0, future})}[picture.kind]
            for which in (0, 1):
                assert set(picture.motion.ref_offset[which].ravel().tolist()) <= expected[which]


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_weighted_blocks_are_marked(tmp_path: Path, extraction: str) -> None:
    fading = [
        (picture * (1 - 0.04 * index)).astype("uint8")
        for index, picture in enumerate(translation(10, (48, 64), (0, 0)))
    ]
    options = {"x264-params": "ref=1:weightp=1:scenecut=0:keyint=30"}
    path = encode(tmp_path / "fade.mp4", fading, "libx264", options)
    plain = encode(tmp_path / "plain.mp4", fading, "libx264", {"x264-params": "ref=1:weightp=0:scenecut=0"})

    def marked(source: Path) -> int:
        with open_stream(source, extraction) as stream:
            return sum(int(p.motion.weighted.sum()) for p in stream if p.motion is not None)

    assert marked(path) > 0 and marked(plain) == 0


def test_headers_of_a_damaged_stream_raise_nothing_else(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.h264", translation(6, (48, 64), (1, 0)), "libx264")
    data = path.read_bytes()
    for cut in range(4, 200, 3):
        parser = HeaderParser(data[:cut])
        model = H264Model(parser)
        model.feed(0, data[cut : cut + 90])
        assert model.plan(0, "P", {0: 0}).references == (None, None)


def test_both_ways_to_split_units() -> None:
    annex_b = b"\x00\x00\x00\x01\x67abc\x00\x00\x01\x68de"
    assert [unit.rstrip(b"\x00") for unit in split_units(annex_b, None)] == [b"\x67abc", b"\x68de"]
    assert list(split_units(b"\x00\x00\x00\x04\x67abc\x00\x00\x00\x03\x68de", 4)) == [b"\x67abc", b"\x68de"]

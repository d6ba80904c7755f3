"""The core's HEVC is bit-exact: clip(prediction + residual) == picture on every inter sample."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Iterable, List, Set

import av
import pytest

from tests.stream.hevc_prediction import TrueHevcPicture
from tests.stream.hevc_truth import check_hevc, nal_units, slice_types
from tests.stream.known_clips import encode, texture
from tests.stream.x264_matrix import moving_content
from tests.stream.x265_matrix import CASES, MIXED, PICTURES, QUIET, SINGLE, Case, encode_case, mixed

MORE_DRAWS = int(os.environ.get("EDGECVAR_X265_DRAWS", "0"))
"""So many draws beyond those of every run: each is named by its seed."""
RADL_N, RADL_R, RASL_N, RASL_R, BLA_W_LP, IDR_W_RADL, CRA = 6, 7, 8, 9, 16, 19, 21
RASL = (RASL_N, RASL_R)
BY_NAME = {case.name: case for case in CASES}
# What is looked at here is a sample: pictures a file.
MEDIA = {
    "hevc/akiyo.kvazaar.qp_30.265": 60,
    "hevc/akiyo.turing.qp_30.265": 60,
    "hevc/akiyo.x265.qp_30.265": 60,
    "hevc/cars_320x240.h265": 60,
    "hevc/h265_10bits.mp4": 30,
    "hevc/h265_video.mp4": 30,
    "odd/dolbyVision-hdr.MOV": 6,
    "odd/sample_unrecognized_hevc_sei.mp4": 10,
    "odd/sample_with_color_info.mp4": 10,
}


@pytest.mark.real_media
@pytest.mark.parametrize("name", list(MEDIA))
def test_real_streams(media: Path, name: str) -> None:
    report = check_hevc(media / name, pictures=MEDIA[name])
    assert report.extraction == "native", report.note
    assert report.whole, report


@pytest.mark.parametrize("case", SINGLE, ids=lambda case: case.name)
def test_x265(tmp_path: Path, case: Case) -> None:
    report = check_hevc(encode_case(tmp_path, case))
    assert report.extraction == "native", report.note
    assert report.pictures == PICTURES
    assert report.whole, report
    assert (report.b_pictures > 0) == case.b_pictures
    assert report.weighted_blocks > 0 or not case.weights
    assert -min(report.offsets) >= case.farther


@pytest.mark.parametrize("case", MIXED + [mixed(1000 + seed) for seed in range(MORE_DRAWS)], ids=lambda case: case.name)
def test_draws(tmp_path: Path, case: Case) -> None:
    report = check_hevc(encode_case(tmp_path, case))
    assert report.extraction == "native", report.note
    assert report.pictures == PICTURES
    assert report.whole, (case.parameters, report)


@pytest.mark.parametrize("case", [case for case in CASES if case.slices > 1], ids=lambda case: case.name)
def test_slices_are_really_there(tmp_path: Path, case: Case) -> None:
    with av.open(str(encode_case(tmp_path, case))) as container:
        counts = [
            len(slice_types(bytes(packet), 0)) for packet in container.demux(container.streams.video[0]) if packet.size
        ]
    assert min(counts) >= case.slices


@pytest.mark.parametrize("name, kinds", [("open_gop", {RASL_N, CRA}), ("radl", {RADL_N, RADL_R, IDR_W_RADL})])
def test_leading_pictures_are_really_there(tmp_path: Path, name: str, kinds: Set[int]) -> None:
    assert kinds <= {kind_of(unit) for unit in units_of(encode_case(tmp_path, BY_NAME[name]))}


def test_weights_are_not_there_where_none_are_used(tmp_path: Path) -> None:
    report = check_hevc(encode_case(tmp_path, Case("plain", "weightp=0:weightb=0:bframes=3", fade=True)))
    assert report.whole and report.weighted_blocks == 0


def test_partitions_of_four_samples_are_met(tmp_path: Path) -> None:
    report = check_hevc(encode_case(tmp_path, BY_NAME["rect_full"]))
    assert report.whole and report.small_blocks > 0


def test_vectors_far_outside(tmp_path: Path) -> None:
    """Content that runs out of the picture: vectors beyond what is padded, at all borders."""
    ground = texture(400, 500, 3)
    path = [(20 * n % 160, 31 * n % 210) for n in range(8)]
    pictures = [ground[y : y + 96, x : x + 128, None].clip(0, 255).repeat(3, axis=2).astype("uint8") for y, x in path]
    parameters = f"{QUIET}:merange=400:me=star:bframes=2:b-adapt=0:scenecut=0:ref=4:rd=4:qp=20"
    report = check_hevc(encode(tmp_path / "clip.hevc", pictures, "libx265", {"x265-params": parameters}))
    assert report.whole, report


def test_a_wrong_vector_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "clip.hevc", moving_content(count=4), "libx265", {"x265-params": f"{QUIET}:bframes=0"})
    taken = TrueHevcPicture.blocks
    monkeypatch.setattr(TrueHevcPicture, "blocks", lambda self, plane, x, y, mv: taken(self, plane, x, y, mv + 1))
    report = check_hevc(path)
    assert report.wrong_samples > 0 and "plane y" in report.first_wrong and report.wrong_blocks and not report.whole


def units_of(path: Path) -> List[bytes]:
    """The NAL units of an Annex B stream."""
    return list(nal_units(path.read_bytes(), 0))


def kind_of(unit: bytes) -> int:
    return unit[0] >> 1 & 63


def write_units(path: Path, units: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    return path


def open_gops(folder: Path) -> List[bytes]:
    return units_of(encode_case(folder, Case("open_gops", "open-gop=1:keyint=5:bframes=2:b-adapt=0:scenecut=0")))


def test_a_stream_that_begins_with_an_open_gop(tmp_path: Path) -> None:
    """The leading pictures of its first picture refer to what is not there: FFmpeg drops them."""
    units = open_gops(tmp_path)
    first = next(k for k, unit in enumerate(units) if kind_of(unit) == CRA)
    sets = [unit for unit in units[:first] if kind_of(unit) in (32, 33, 34)][:3]
    report = check_hevc(write_units(tmp_path / "cut.hevc", sets + [u for u in units[first:] if kind_of(u) < 32]))
    leading = sum(kind_of(unit) in RASL for unit in units[first : first + 5])
    assert leading > 0 and report.inter_samples > 0 and report.wrong_samples == 0, report
    # those after the second CRA are sound
    assert report.without_truth + report.skipped <= leading and report.exempt_pictures <= leading, report


@pytest.mark.parametrize("leading", [True, False], ids=["with its leading pictures", "without"])
def test_a_broken_link_in_midstream(tmp_path: Path, leading: bool) -> None:
    """A CRA picture that is made a BLA picture begins a sequence: what leads it and refers further back is dropped."""
    units = open_gops(tmp_path)
    links = [bytes([BLA_W_LP << 1, unit[1]]) + unit[2:] if kind_of(unit) == CRA else unit for unit in units]
    links = [unit for unit in links if leading or kind_of(unit) not in RASL]
    report = check_hevc(write_units(tmp_path / "links.hevc", links))
    assert report.inter_samples > 0 and report.wrong_samples == report.order_breaks == 0, report
    assert report.without_truth + report.skipped == sum(kind_of(unit) in RASL for unit in links), report


@pytest.mark.parametrize("name", ["b_ref_4", "bframes_5_pyramid", "open_gop_pyramid", "temporal_layers_3", "weightp_b"])
def test_what_is_called_exact_is_right_where_pictures_are_lost(tmp_path: Path, name: str) -> None:
    """Vectors that rest on a lost picture, as merged ones of its place do, are not exact: all others are right."""
    units = units_of(encode_case(tmp_path, replace(BY_NAME[name], suffix="hevc")))
    slices = [k for k, unit in enumerate(units) if kind_of(unit) < 32]
    told = 0
    for lost in slices[1:-1]:
        report = check_hevc(write_units(tmp_path / "lost.hevc", units[:lost] + units[lost + 1 :]))
        assert report.wrong_samples == 0, report
        told += report.exempt_pictures
    assert told > 0


def test_layers_above_are_left_out(tmp_path: Path) -> None:
    """What a layer above the base adds comes in the same packets, and changes nothing."""
    units = units_of(encode_case(tmp_path, BY_NAME["annex_b"]))
    doubled: List[bytes] = []
    for unit in units:
        doubled.append(unit)
        if kind_of(unit) < 32:
            doubled.append(bytes([unit[0], unit[1] | 8]) + unit[2:])
    report = check_hevc(write_units(tmp_path / "layers.hevc", doubled))
    assert report.pictures == PICTURES and report.whole, report

"""The native core is bit-exact: clip(prediction + residual) == picture on every inter sample."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import av
import pytest

from edgecvar.stream.reader import open_stream
from tests.stream.h264_truth import check_identity, unit_types
from tests.stream.known_clips import encode, texture
from tests.stream.x264_matrix import CASES, Case, encode_case

# What is looked at here is a sample: pictures a file. Streams with losses, or of I-pictures alone, are not in it.
MEDIA = {
    "h264/BA_MW_D.264": 30,
    "h264/CI_MW_D.264": 30,
    "h264/CVFC1_Sony_C.jsv": 15,
    "h264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264": 9,
    "h264/LS_SVA_D.264": 40,
    "h264/MPS_MW_A.264": 30,
    "h264/MR1_BT_A.h264": 40,
    "h264/MR2_MW_A.264": 40,
    "h264/NRF_MW_E.264": 40,
    "h264/SVA_FM1_E.264": 17,
    "h264/Static.264": 10,
    "h264/VID_1920x1080_cabac_temporal_direct.264": 6,
    "h264/cars_320x240.h264": 30,
    "h264/test_qcif_cabac.264": 30,
    "h264/test_scalinglist_jm.264": 5,
    "clips/mmaction2_demo.mp4": 30,
    "clips/intel_one_by_one_person.mp4": 12,
    "clips/nasa_13013.mp4": 30,
    "clips/cova_traffic_720p_60s.mp4": 8,
    "original_encodings/testvideo_carret_11.mp4": 15,
}


@pytest.mark.real_media
@pytest.mark.parametrize("name", list(MEDIA))
def test_real_streams(media: Path, name: str) -> None:
    report = check_identity(media / name, pictures=MEDIA[name])
    assert report.extraction == "native", report.note
    assert report.whole, report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_x264(tmp_path: Path, case: Case) -> None:
    report = check_identity(encode_case(tmp_path, case))
    assert report.extraction == "native", report.note
    assert report.pictures == 14
    assert report.whole, report
    assert (report.b_pictures > 0) == case.b_pictures
    assert report.p_pictures > 0
    assert report.weighted_blocks > 0 or not case.weights
    assert -min(report.offsets) >= case.farther
    if "partitions=all" in case.parameters and not case.name.startswith("mixed"):
        assert report.small_blocks > 0


@pytest.mark.parametrize("case", [case for case in CASES if case.slices > 1], ids=lambda case: case.name)
def test_slices_are_really_there(tmp_path: Path, case: Case) -> None:
    with av.open(str(encode_case(tmp_path, case))) as container:
        counts = [
            sum(1 <= kind <= 5 for kind in unit_types(bytes(packet), 0 if case.suffix == "h264" else 4))
            for packet in container.demux(container.streams.video[0])
            if packet.size
        ]
    assert max(counts) >= case.slices


def test_weights_are_not_there_where_none_are_used(tmp_path: Path) -> None:
    report = check_identity(encode_case(tmp_path, Case("plain", "weightp=0:weightb=0:bframes=3", fade=True)))
    assert report.whole and report.weighted_blocks == 0


@pytest.mark.parametrize("scenes", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("cabac", [0, 1])
def test_the_reference_is_the_picture_that_was_meant(tmp_path: Path, scenes: int, cabac: int) -> None:
    """Scenes in turn: whatever is predicted at all is predicted from the last picture of the same scene."""
    size, turns = (64, 96), 6 if scenes < 7 else 2
    grounds = [texture(size[0], size[1] + 64, 20 + scene) for scene in range(scenes)]
    pictures = []
    for index in range(turns * scenes):
        moved = grounds[index % scenes][:, 2 * index : 2 * index + size[1]]
        pictures.append(moved.clip(0, 255).astype("uint8")[..., None].repeat(3, axis=-1))
    options = {"x264-params": f"ref={scenes}:bframes=0:scenecut=0:weightp=0:keyint=250:qp=20:cabac={cabac}:threads=1"}
    path = encode(tmp_path / "scenes.mp4", pictures, "libx264", options)
    assert check_identity(path).whole
    meant = blocks = 0
    with open_stream(path, extraction="native") as stream:
        for picture in stream:
            if picture.motion is None or picture.display_index < scenes:
                continue
            used = picture.motion.ref_offset[0] != 0
            meant += int((picture.motion.ref_offset[0] == -scenes).sum())
            blocks += int(used.sum())
            assert not picture.motion.ref_offset[1].any()
    assert blocks > 0 and meant > 0.85 * blocks


@pytest.mark.parametrize("container", ["h264", "mp4"])
def test_every_list_names_the_picture_x264_means(tmp_path: Path, container: str) -> None:
    """One reference a list and three B pictures between anchors: the offsets follow from the place alone."""
    parameters = "ref=1:weightp=0:b-pyramid=none:b-adapt=0:scenecut=0:keyint=30:threads=1"
    case = Case("lists", f"{parameters}:bframes=3", suffix=container)
    both = 0
    with open_stream(encode_case(tmp_path, case), extraction="native") as stream:
        for picture in stream:
            if picture.motion is None or picture.display_index == 13:
                continue
            expected = _neighbours(picture.display_index, picture.kind)
            for which in (0, 1):
                assert set(picture.motion.ref_offset[which].ravel().tolist()) <= {0, expected[which]}
            both += int((picture.motion.ref_offset != 0).all(axis=0).sum())
    assert both > 0


def _neighbours(display_index: int, kind: str) -> Tuple[int, int]:
    past, future = display_index % 4, 4 - display_index % 4
    return {"P": (-4, 0), "B": (-past, future)}[kind]

"""The native core's vectors are those that FFmpeg exports on one thread, wherever it exports one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pytest

from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import MotionField
from tests.stream.h264_truth import H264
from tests.stream.true_decoder import TrueDecoder
from tests.stream.x264_matrix import MIXED, SINGLE, Case, encode_case

# Cases that differ in what vectors are made of; the identity looks at all.
CASES = [case for case in SINGLE if case.name.startswith(("p_alone", "high_", "main_", "ref_3", "ref_16", "bframes"))]
CASES += [
    case for case in SINGLE if case.name.startswith(("slices", "weightp_2", "partitions_all", "open_gop", "intra"))
]
CASES += MIXED[:10]
MEDIA = {
    "h264/BA_MW_D.264": 40,
    "h264/LS_SVA_D.264": 60,
    "h264/MR1_BT_A.h264": 40,
    "h264/MR2_MW_A.264": 40,
    "h264/NRF_MW_E.264": 40,
    "h264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264": 9,
    "h264/VID_1920x1080_cabac_temporal_direct.264": 12,
    "h264/cars_320x240.h264": 30,
    "clips/mmaction2_demo.mp4": 60,
    "clips/mvextractor_h264.mp4": 15,
    "clips/cova_traffic_720p_60s.mp4": 15,
    "clips/intel_one_by_one_person.mp4": 30,
    "original_encodings/testvideo_carret_11.mp4": 30,
    "egogestures/up/up_08.mp4": 40,
}


@dataclass
class Agreement:
    """Exported vectors that agree, that differ, and 8x8 cells whose list is in use and for which none was exported."""

    same: int = 0
    different: int = 0
    not_exported: int = 0
    in_intra: int = 0
    first: str = ""

    @property
    def whole(self) -> bool:
        return self.same > 0 and self.different == self.not_exported == self.in_intra == 0


def compare_vectors(source: Union[str, Path], pictures: Optional[int] = None, extraction: str = "native") -> Agreement:
    """Compares every vector that FFmpeg exports; raises nothing of its own."""
    found = Agreement()
    truth = TrueDecoder(H264, source, export=True)
    try:
        with open_stream(source, extraction=extraction) as stream:
            for picture in stream:
                number = truth.packet_of(picture)
                frame = None if number is None else truth.frame(number)
                if picture.motion is not None and frame is not None and picture.motion.exact:
                    before = found.different + found.not_exported + found.in_intra
                    compare_picture(found, picture.motion, exported(frame))
                    if found.different + found.not_exported + found.in_intra > before and not found.first:
                        found.first = f"picture {picture.decode_index} (shown {picture.display_index}, {picture.kind})"
                if picture.decode_index + 1 == pictures:
                    break
    finally:
        truth.close()
    return found


def exported(frame: Any) -> Optional[np.ndarray]:
    """FFmpeg's own records of a frame."""
    entry = frame.side_data.get("MOTION_VECTORS")
    return None if entry is None else entry.to_ndarray()


def compare_picture(found: Agreement, motion: MotionField, records: Optional[np.ndarray]) -> None:
    """Adds one picture.

    A record gives the vector of the partition's first 4x4 block. In a macroblock of several partitions it is there,
    and zero, for a partition that does not use the list, if another one does.
    """
    rows, columns = motion.intra.shape
    used = motion.ref_offset != 0
    covered = np.zeros((2, rows // 2, columns // 2), bool)
    if records is not None and len(records):
        scale = records["motion_scale"].astype(np.int64)
        vector = np.stack([records["motion_x"], records["motion_y"]], axis=-1).astype(np.int64)
        assert (scale == 4).all()
        lists = (records["source"] > 0).astype(np.int64)
        width, height = records["w"].astype(np.int64), records["h"].astype(np.int64)
        left, top = ((records[f"dst_{axis}"] - size // 2) // 4 for axis, size in (("x", width), ("y", height)))
        for n in range(len(records)):
            down, across = int(height[n]) // 4, int(width[n]) // 4
            covered[lists[n], top[n] // 2 : (top[n] + down) // 2, left[n] // 2 : (left[n] + across) // 2] = True
        expected = np.where(used[lists, top, left][:, None], motion.mv_qpel[lists, top, left], 0)
        same = (expected == vector).all(axis=1)
        # partitions of 16 in either direction have one vector
        for n in np.nonzero((width > 8) | (height > 8))[0]:
            part = (lists[n], slice(top[n], top[n] + height[n] // 4), slice(left[n], left[n] + width[n] // 4))
            whole = np.where(used[part][..., None], motion.mv_qpel[part], 0)
            same[n] &= bool((whole == vector[n]).all())
        found.same += int(same.sum())
        found.different += int((~same).sum())
        found.in_intra += int(motion.intra[top, left].sum())
    cells = used.reshape(2, rows // 2, 2, columns // 2, 2).any(axis=(2, 4))
    found.not_exported += int((cells & ~covered).sum())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_exported(tmp_path: Path, case: Case) -> None:
    found = compare_vectors(encode_case(tmp_path, case))
    assert found.whole, found


@pytest.mark.real_media
@pytest.mark.parametrize("name", list(MEDIA))
def test_as_exported_of_real_streams(media: Path, name: str) -> None:
    found = compare_vectors(media / name, MEDIA[name])
    assert found.whole, found

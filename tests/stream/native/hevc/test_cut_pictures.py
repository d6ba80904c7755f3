"""Tiles, wavefronts and dependent slice segments, which x265 writes little or nothing of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stream.hevc_truth import check_hevc
from tests.stream.native.hevc.cut_pictures import CUTS, stream

# FFmpeg takes a row of the picture for a row of the tile, and reads other pictures: no profile allows both together.
BEYOND_FFMPEG = {"wavefronts_in_tiles"}


@pytest.mark.parametrize("name", CUTS)
def test_every_inter_sample_is_right(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cut.hevc"
    path.write_bytes(stream(CUTS[name]))
    report = check_hevc(path, ctb=16)
    assert (report.intra_pictures, report.p_pictures, report.damaged, report.exempt_pictures) == (1, 3, 0, 0)
    assert report.inter_samples > 10000 and report.without_truth == 0
    assert report.wrong_samples == 0 or name in BEYOND_FFMPEG, report.first_wrong

"""What x265 never writes is exact, too: long-term references, modified lists, merge levels, all weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stream.hevc_headers import Rewriter
from tests.stream.hevc_truth import check_hevc, nal_units
from tests.stream.x265_matrix import PICTURES, Case, encode_case

PLAIN = "weightp=0:limit-refs=0:scenecut=0"
CASES = {
    "p": Case("p", f"bframes=0:ref=3:{PLAIN}"),
    "b": Case("b", f"bframes=3:b-adapt=0:ref=4:rect=1:amp=1:{PLAIN}"),
    "ctu_16": Case("ctu_16", f"bframes=3:b-adapt=0:ref=3:ctu=16:max-merge=5:{PLAIN}", size=(104, 184)),
    "many": Case("many", f"bframes=5:b-adapt=0:ref=6:qp=20:ctu=32:{PLAIN}"),
    "ten_bit": Case("ten_bit", f"bframes=2:b-adapt=0:ref=3:ctu=32:{PLAIN}", pixel_format="yuv420p10le"),
    "grey": Case("grey", f"bframes=2:b-adapt=0:ref=3:{PLAIN}", pixel_format="gray"),
}


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("seed", range(4))
def test_headers_drawn_at_random(tmp_path: Path, name: str, seed: int) -> None:
    case = CASES[name]
    rewriter = Rewriter(seed, 2 + seed % 3, weights=seed % 2 == 1, chroma=case.pixel_format != "gray")
    units = rewriter.units(nal_units(encode_case(tmp_path, case).read_bytes(), 0))
    path = tmp_path / "rewritten.hevc"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    report = check_hevc(path)
    assert report.pictures == PICTURES and report.whole, report
    assert rewriter.made["long"] > 0 and rewriter.made["lists"] > 0
    assert (rewriter.made["weights"] > 0) == (report.weighted_blocks > 0) == rewriter.weights

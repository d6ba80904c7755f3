"""HEVC's residual in intra blocks is exact: some intra prediction and it give the picture, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Set, Tuple

import numpy as np
import pytest

from edgecvar.stream.reader import open_stream
from tests.stream.h264_truth import decoding_order
from tests.stream.hevc_intra import explained
from tests.stream.hevc_truth import HEVC
from tests.stream.true_decoder import TrueDecoder
from tests.stream.x265_matrix import Case, encode_case

Change = Callable[[np.ndarray], np.ndarray]
TEN = "yuv420p10le"
# By coding tree block, options, format, and sides of luma blocks that must be met; those of 4 have the sine transform.
CASES = {
    "ctu_64": (64, "rd=6:tu-intra-depth=4:qp=8", "yuv420p", {4, 8, 16, 32}),
    "ctu_64_coarse": (64, "bframes=0:qp=40", "yuv420p", {8, 16, 32}),
    "ctu_16": (16, "qp=16:tskip=1:bframes=2", "yuv420p", {8, 16}),
    "transforms_4": (16, "max-tu-size=4:qp=20", "yuv420p", {4}),
    "transforms_4_lists": (32, "max-tu-size=4:qp=24:tskip=1:scaling-list=default", TEN, {4}),
    "lists": (32, "qp=24:scaling-list=default:tu-intra-depth=3", TEN, {8, 16, 32}),
    "lossless": (32, "cu-lossless=1:qp=4", "yuv420p", {8, 16}),
}


def unexplained(path: Path, ctb: int, change: Change = lambda residual: residual) -> Tuple[int, int, Set[int]]:
    """Samples in intra blocks that nothing explains, all of them, and the sides of luma blocks that explain some."""
    truth = TrueDecoder(HEVC, path)
    wrong = total = 0
    sides: Set[int] = set()
    with open_stream(path) as stream:
        for picture in stream:
            number = truth.packet_of(picture)
            own = None if picture.motion is None or number is None else truth.picture(number)
            if own is None:
                continue
            assert picture.motion is not None
            intra, planes = picture.motion.intra, picture.content.coded_residual()  # type: ignore[attr-defined]
            order = decoding_order(intra.shape, ctb)
            for plane, samples in enumerate(own.planes):
                found = explained(samples, change(planes[plane]), intra, order, own.depth, plane == 0)
                side = 4 if plane == 0 else 2
                inside = intra.repeat(side, 0).repeat(side, 1)
                wrong += int((inside & (found == 0)).sum())
                total += int(inside.sum())
                if plane == 0:
                    sides.update(np.unique(found[inside]).tolist())
    truth.close()
    return wrong, total, sides - {0}


@pytest.mark.parametrize("name", list(CASES))
def test_intra_blocks_are_a_prediction_and_the_residual(tmp_path: Path, name: str) -> None:
    ctb, parameters, pixel_format, sides = CASES[name]
    case = Case(f"intra_{name}", f"scenecut=0:ctu={ctb}:{parameters}", (f"ctu={ctb}",), pixel_format)
    wrong, total, found = unexplained(encode_case(tmp_path, case), ctb)
    assert wrong == 0 and total > 20_000
    assert sides <= found


def test_another_residual_is_not_explained(tmp_path: Path) -> None:
    ctb, parameters, pixel_format, _ = CASES["transforms_4"]
    path = encode_case(tmp_path, Case("intra", f"scenecut=0:ctu={ctb}:{parameters}", (), pixel_format))

    def transposed(residual: np.ndarray) -> np.ndarray:
        rows, columns = residual.shape
        return residual.reshape(rows // 4, 4, columns // 4, 4).swapaxes(1, 3).reshape(rows, columns)

    wrong, total, _ = unexplained(path, ctb, transposed)
    assert wrong > total / 2

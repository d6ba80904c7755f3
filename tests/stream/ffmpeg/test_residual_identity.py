"""prediction(previous pictures) + residual is the picture: against a second, slow H.264 interpolation."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import numpy as np
import pytest

from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import decoded_planes, encode_x264, translation
from tests.stream.slow_h264 import SlowReference

CASES = [
    ("p", (48, 64), 0, ""),
    ("p_8x8dct", (48, 64), 0, "8x8dct=1:cabac=0"),
    ("b1", (48, 64), 1, "direct=spatial"),
    ("b2_temporal", (48, 64), 2, "direct=temporal"),
    ("b3_spatial", (48, 64), 3, "direct=spatial:8x8dct=1"),
    ("odd_size", (46, 50), 2, ""),
    ("wide", (34, 90), 3, "direct=temporal"),
]


def predicted(picture: CodedPicture, references: Dict[int, SlowReference], plane: int, x: int, y: int) -> int:
    """The slow prediction of one sample of one plane, both lists averaged."""
    motion = picture.motion
    assert motion is not None
    block = (y // 4, x // 4) if plane == 0 else (y // 2, x // 2)
    samples = []
    for which in (0, 1):
        offset = int(motion.ref_offset[(which, *block)])
        if offset:
            reference = references[picture.display_index + offset]
            mv_x, mv_y = (int(v) for v in motion.mv_qpel[(which, *block)])
            if plane == 0:
                samples.append(reference.luma(x, y, mv_x, mv_y))
            else:
                samples.append(reference.chroma(plane, x, y, mv_x, mv_y))
    return samples[0] if len(samples) == 1 else (samples[0] + samples[1] + 1) >> 1


@pytest.mark.parametrize(("name", "size", "b_pictures", "extra"), CASES, ids=[case[0] for case in CASES])
def test_prediction_plus_residual_is_the_picture(
    tmp_path: Path, name: str, size: Tuple[int, int], b_pictures: int, extra: str
) -> None:
    pictures = translation(9, size, (1.35, -0.6), patch=True)
    path = encode_x264(tmp_path / "clip.mp4", pictures, 34, b_pictures, extra)
    planes = decoded_planes(path)
    slow = {index: SlowReference(found) for index, found in planes.items()}
    checked = {"P": 0, "B": 0}
    zero = 0
    with open_stream(path, extraction="ffmpeg") as stream:
        for picture in stream:
            motion, residual = picture.motion, picture.residual
            if motion is None or residual is None:
                continue
            for plane, coded in enumerate((residual.y, residual.cb, residual.cr)):
                step = 4 if plane == 0 else 2
                inter = ~motion.intra.repeat(step, axis=0).repeat(step, axis=1)
                actual = planes[picture.display_index][plane]
                assert not coded[~inter].any()
                for y, x in zip(*np.nonzero(inter)):
                    prediction = predicted(picture, slow, plane, int(x), int(y))
                    value = min(255, max(0, prediction + int(coded[y, x])))
                    assert value == actual[y, x], (picture, plane, x, y)
                    assert prediction + int(coded[y, x]) == value
                checked[picture.kind] += int(inter.sum())
                zero += int((coded[inter] == 0).sum())
    assert checked["P"] > 0 and (checked["B"] > 0) == (b_pictures > 0)
    assert zero > 0.5 * sum(checked.values())

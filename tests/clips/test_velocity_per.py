"""Cameras of different rates that film one motion: what calibration and a run see of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edgecvar.clips.samples import read_samples
from edgecvar.clips.spec import InputSpec
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import Canvas, Encoding
from tests.stream.known_clips import translation


def filmed(folder: Path, codec: str, every: int) -> Path:
    """60 pixels a second to the right, in 30 pictures a second of which every so manieth is there."""
    pictures = [picture.astype(np.uint8) for picture in translation(61, (96, 128), (2.0, 0.0), seed=3)[::every]]
    path = folder / f"{codec}_{every}.mp4"
    encode(path, pictures, Canvas(128, 96, Fraction(30, every)), Encoding(codec, "mp4", 12, 0, 18))
    return path


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])  # by the core, from its pictures, and by FFmpeg, from arrays
def test_per_second_they_agree_and_per_frame_they_do_not(tmp_path: Path, codec: str) -> None:
    found = {}
    for per in ("frame", "second"):
        spec = InputSpec(height=96, width=128, crop=1.0, velocity_unit=1.0, velocity_per=per)
        for every in (1, 3):
            samples = read_samples([filmed(tmp_path, codec, every)], spec, 8)
            motion = np.stack([sample.inputs["motion"] for sample in samples])
            found[per, every] = np.median(motion[:, :, 16:-16, 24:-24], axis=(0, 2, 3))
    expected = {("frame", 1): 2.0, ("frame", 3): 6.0, ("second", 1): 2.0, ("second", 3): 2.0}
    for key, across in expected.items():
        assert found[key] == pytest.approx([across, 0.0], abs=0.15), key

"""Clips as data sets are really shipped: every picture comes through, in GOPs of 12."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from edgecvar.datasets.clip import Job, Prepared, prepare_clip
from edgecvar.datasets.papers import Settings
from edgecvar.datasets.sources import Source
from edgecvar.stream.anatomy import anatomy
from edgecvar.stream.reader import open_stream

pytestmark = pytest.mark.real_media
SHIPPED = {
    "clips/v_SoccerJuggling_g23_c01.avi": "UCF-101",
    "clips/TrumanShow_wave_f_nm_np1_fr_med_26.avi": "HMDB-51, with B-pictures in packets of two",
    "clips/R6llTwEh07w.mp4": "Kinetics",
    "odd/sony_a7m3_interlaced_field_pairs.mts": "a field a packet",
    "odd/video_90.mov": "turned",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_picture_comes_through(media: Path, tmp_path: Path, name: str) -> None:
    source = Source(media / name, name, "clip.mp4")
    prepared = prepare_clip(Job(source, Settings("coviar"), tmp_path, tmp_path))
    assert isinstance(prepared, Prepared) and prepared.lost == {}
    with av.open(str(media / name)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    assert prepared.pictures - prepared.repeated + prepared.dropped == shown
    assert prepared.repeated <= 1 and prepared.dropped == 0
    with open_stream(tmp_path / "clip.mp4") as stream:
        told = anatomy(stream)
    assert set(told.gop_lengths[:-1]) <= {12} and set(told.kinds) == {"I", "P"}
    assert (told.info.width, told.info.height, told.info.rotation) == (340, 256, 0)

"""GStreamer's avdec_h264, which stands for hardware: the same planes as PyAV, each at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List

import pytest

from edgecvar.errors import EdgecvarError
from edgecvar.stream.images import keys
from edgecvar.stream.images.decoder import CodedPlanes
from edgecvar.stream.images.gstreamer import SOFTWARE, Element, GStreamerDevice
from edgecvar.stream.native import _core
from tests.stream.images.intra_clips import NEEDS_GSTREAMER, OPEN_GOP, clip, coded, equal, offer, read, same

pytestmark = NEEDS_GSTREAMER
SECONDS = 10.0
"""Waited for a picture that must come with nothing fed after it."""


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("entropy", ["cabac=0", "cabac=1"])
@pytest.mark.parametrize("gop", [OPEN_GOP, "keyint=5", "keyint=1"])
def test_every_picture_comes_at_once(gop: str, entropy: str, slices: int, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", f"{gop}:{entropy}:slices={slices}")
    device, seen = SOFTWARE.begin(), 0
    try:
        for unit, true in coded(path):
            assert same(device.decode(unit, SECONDS), true)
            seen += 1
    finally:
        device.close()
    assert seen >= 4


def test_a_stream_is_read_through_it(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4")
    info, planes, summary = read(path, "gstreamer")
    assert (info.decoder, info.decoder_note) == ("avdec_h264", "differs by 0 from software, on average")
    assert equal(planes, read(path, "software")[1]) and not summary.fallbacks


def test_a_stream_may_change_its_size(tmp_path: Path) -> None:
    sizes = [(70, 90), (64, 128), (32, 48), (70, 90)]
    parts = [clip(tmp_path / f"{number}.h264", size=size) for number, size in enumerate(sizes)]
    path = tmp_path / "all.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    info, planes, summary = read(path, "gstreamer")
    assert info.decoder == "avdec_h264" and not summary.fallbacks and summary.breaks
    assert equal(planes, read(path, "software")[1]) and {each.y.shape for each in planes} == set(sizes)


@pytest.mark.parametrize(
    ("after", "what"),
    [("identity error-after=3", "."), ("valve drop-mode=drop-all drop=true", "no picture within 0.2 s")],
)
def test_a_pipeline_that_fails_is_left_for_software(
    after: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_BEGIN_SECONDS", 0.2)
    path = clip(tmp_path / "clip.mp4")
    offer(monkeypatch, ("breaks", lambda: GStreamerDevice(Element("avdec_h264", after=after))))
    info, planes, summary = read(path, "auto")
    assert info.decoder == ("breaks" if "error" in after else "software")
    (why,) = summary.fallbacks
    assert re.match(f"breaks: .*{what}", why) and summary.fallbacks[why] == 1 and "\n" not in why
    assert equal(planes, read(path, "software")[1]) and len(planes) > 3


@pytest.mark.real_media
def test_real_i_pictures_are_the_same_to_the_bit(media: Path) -> None:
    files = sorted(path for path in media.glob("[!.]*/**/[!.]*") if path.is_file() and "/." not in str(path))
    device, seen = SOFTWARE.begin(), 0
    try:
        for path in files:
            pictures: List[CodedPlanes] = []
            try:
                for unit, true in coded(path, most=2):
                    pictures += [device.decode(unit, SECONDS), true]
            except _core.Damage:
                assert path.name == "Error_I_P.264"
            except EdgecvarError:
                assert not pictures, f"{path}: it is read, and not decoded"
            assert all(same(mine, true) for mine, true in zip(pictures[0::2], pictures[1::2])), path
            seen += len(pictures) // 2
    finally:
        device.close()
    assert seen > 700

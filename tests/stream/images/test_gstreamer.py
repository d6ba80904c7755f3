"""GStreamer's avdec_h264 and avdec_h265, which stand for hardware: the same planes as PyAV, each at once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from edgecvar.errors import EdgecvarError
from edgecvar.stream.images import keys
from edgecvar.stream.images.decoder import CodedPlanes
from edgecvar.stream.images.gstreamer import SOFTWARE, Element, GStreamerDevice
from edgecvar.stream.native import _core
from tests.stream.images.intra_clips import NEEDS_GSTREAMER, OPEN_GOP, SUFFIX, clip, coded, equal, offer, read, same

pytestmark = NEEDS_GSTREAMER
SECONDS = 10.0
"""Waited for a picture that must come with nothing fed after it."""


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("entropy", ["cabac=0", "cabac=1"])
@pytest.mark.parametrize("gop", [OPEN_GOP, "keyint=5", "keyint=1"])
def test_every_picture_comes_at_once(gop: str, entropy: str, slices: int, tmp_path: Path) -> None:
    assert all_the_same(clip(tmp_path / "clip.mp4", f"{gop}:{entropy}:slices={slices}")) >= 4


@pytest.mark.parametrize("gop", [OPEN_GOP, "keyint=5", "keyint=5:radl=2", "keyint=1"])
@pytest.mark.parametrize("tools", ["ctu=16:slices=4:pools=1", "ctu=32:cu-lossless=1:tskip=1", "scaling-list=default"])
def test_every_picture_of_hevc_comes_at_once(gop: str, tools: str, tmp_path: Path) -> None:
    assert all_the_same(clip(tmp_path / "clip.mkv", f"{gop}:{tools}", codec="hevc")) >= 4


def all_the_same(path: Path, most: int = 1000) -> int:
    """How many I-pictures of a file there were, each as PyAV gives it."""
    device: Optional[GStreamerDevice] = None
    seen = 0
    try:
        for unit, true, codec in coded(path, most):
            device = device or SOFTWARE[codec].begin()
            assert same(device.decode(unit, SECONDS), true)
            seen += 1
    finally:
        if device is not None:
            device.close()
    return seen


@pytest.mark.parametrize("codec", SUFFIX)
def test_a_stream_is_read_through_it(codec: str, tmp_path: Path) -> None:
    path = clip(tmp_path / f"clip.{SUFFIX[codec]}", codec=codec)
    info, planes, summary = read(path, "gstreamer")
    name = {"h264": "avdec_h264", "hevc": "avdec_h265"}[codec]
    assert (info.decoder, info.decoder_note) == (name, "differs by 0 from software, on average")
    assert equal(planes, read(path, "software")[1]) and not summary.fallbacks


@pytest.mark.parametrize("codec", SUFFIX)
def test_a_stream_may_change_its_size(codec: str, tmp_path: Path) -> None:
    sizes = [(70, 90), (64, 128), (32, 48), (70, 90)]
    parts = [clip(tmp_path / f"{number}.{codec}", size=size, codec=codec) for number, size in enumerate(sizes)]
    path = tmp_path / f"all.{codec}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    info, planes, summary = read(path, "gstreamer")
    assert info.decoder.startswith("avdec_h26") and not summary.fallbacks and summary.breaks
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
    devices: Dict[str, GStreamerDevice] = {}
    seen = Counter()
    try:
        for path in files:
            pictures: List[CodedPlanes] = []
            try:
                for unit, true, codec in coded(path, most=2):
                    device = devices[codec] = devices.get(codec) or SOFTWARE[codec].begin()
                    pictures += [device.decode(unit, SECONDS), true]
                    seen[codec] += 1
            except _core.Damage:
                assert path.name == "Error_I_P.264"
            except _core.Unsupported:
                assert path.name in (
                    "h265_10bits.mp4",
                    "dolbyVision-hdr.MOV",
                    "sample_with_color_info.mp4",
                )  # of 10 bit
            except EdgecvarError:
                assert not pictures, f"{path}: it is read, and not decoded"
            assert all(same(mine, true) for mine, true in zip(pictures[0::2], pictures[1::2])), path
    finally:
        for device in devices.values():
            device.close()
    assert seen["h264"] > 700 and seen["hevc"] > 6

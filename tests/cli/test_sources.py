"""`edgecvar sources`: what is attached, and what a source sends."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from edgecvar.stream.live import trial as trials
from edgecvar.stream.sources import launched, v4l2
from edgecvar.stream.sources.attempt import Attempt
from edgecvar.stream.sources.v4l2 import AttachedCamera
from edgecvar.stream.types import StreamInfo

CAMERAS = [
    AttachedCamera("/dev/video0", "C920", ("YUYV", "H264", "HEVC")),
    AttachedCamera("/dev/video2", "\x1b[2J", ("MJPG",)),
    AttachedCamera("/dev/video4", "dome", ("MJPG", "HEVC")),
]


@pytest.mark.parametrize("argus", [False, True])
def test_attached_cameras_are_listed(edgecvar, monkeypatch, argus):
    monkeypatch.setattr(v4l2, "attached_cameras", lambda: CAMERAS)
    monkeypatch.setattr(launched, "has_argus", lambda: argus)
    code, out, err = edgecvar("sources")
    lines = out.splitlines()
    assert code == 0 and err == "" and "\x1b" not in out
    assert any("v4l2:///dev/video0" in line and "its own H.264" in line for line in lines)
    assert any("v4l2:///dev/video2" in line and "encoded here" in line for line in lines)
    assert any("v4l2:///dev/video4" in line and "its own HEVC, with GStreamer" in line for line in lines)
    assert ("csi://0" in out) == argus
    document = json.loads(edgecvar("sources", "--json")[1])
    assert [each["uri"] for each in document["cameras"]] == [f"v4l2:///dev/video{n}" for n in (0, 2, 4)]
    assert document["csi"] == ("csi://0" if argus else None)


def test_none_is_attached(edgecvar, monkeypatch):
    monkeypatch.setattr(v4l2, "attached_cameras", list)
    monkeypatch.setattr(launched, "has_argus", lambda: False)
    code, out, _ = edgecvar("sources")
    assert code == 0 and "no camera is attached" in out and "test://" in out


def test_a_source_is_tried(edgecvar):
    uri = "test://?size=96x64&fps=60&gop=20"
    code, out, _ = edgecvar("sources", uri, "--seconds", "0.8", "--json")
    document = json.loads(out)
    assert code == 0 and document["source"] == uri
    assert (document["codec"], document["width"], document["height"]) == ("h264", 96, 64)
    assert document["gop"] == 20 and document["b_pictures"] == 0 and document["pictures"] > 20
    assert "GOP of 20" in document["note"] and document["first_seconds"] > 0 and document["bits_per_second"] > 0
    code, out, _ = edgecvar("sources", uri + "&bframes=2", "--seconds", "0.8")
    assert code == 0 and "B-pictures off" in out and "20 pictures" in out and "to change in its settings" in out


def test_what_to_change():
    def info(**changes):
        values = dict(width=640, height=360, extraction="native", extraction_note="", **changes)
        return StreamInfo("h264", fps=Fraction(15), time_base=Fraction(1), has_b_pictures=False, coded_width=640,
                          coded_height=368, **values)  # fmt: skip

    assert trials._changes(info(), 15, 30, False, 5) == []
    told = trials._changes(info(), 15, 150, True, 20)
    assert len(told) == 2 and "B-pictures off" in told[0] and "15 to 30" in told[1] and "not 10.0 s" in told[1]
    assert "no second one in 5 s" in trials._changes(info(), 15, 0, False, 5)[0]
    assert "a second, not 60" in trials._changes(info(), 60, 60, False, 5)[0]
    large = StreamInfo(
        "h264", 3840, 2160, Fraction(15), Fraction(1), False, "ffmpeg", 3840, 2160, extraction_note="why"
    )
    told = trials._changes(large, 15, 15, False, 5)
    assert len(told) == 2 and "substream" in told[0] and "(why)" in told[1]


@pytest.mark.parametrize(
    "order, b_pictures_off", [([0, 1, 2, 3, 4, 5, 6, 7, 8], False), ([0, 3, 1, 2, 6, 4, 5, 8, 7], True)]
)
def test_b_pictures_that_wait_for_none_may_stay(order, b_pictures_off):
    """Of HEVC at low delay every picture may be a B-picture; of open GOPs an I-picture is sent before it is shown."""
    info = StreamInfo("hevc", 640, 360, Fraction(10), Fraction(1), True, "native", 640, 360)
    kinds = ["I" if shown in (0, 6) else "B" for shown in order]
    attempt = Attempt("camera")
    attempt.arrivals.extend(number / 10 for number in range(9))
    trial = trials._told(info, "", trials._Seen("Main", [shown / 10 for shown in order], kinds), attempt, (0.1, 0.9))
    assert (trial.gop, trial.b_pictures) == (6, 7)
    assert [change.split(":")[0] for change in trial.changes] == ["B-pictures off (low latency)"] * b_pictures_off


@pytest.mark.parametrize("uri", ["clip.mp4", "file:///clip.mp4", "-"])
def test_a_file_is_no_camera(edgecvar, uri):
    code, _, err = edgecvar("sources", uri)
    assert code == 1 and "edgecvar inspect" in err and err.count("\n") == 1


def test_a_source_that_is_not_there_is_one_line_without_its_password(edgecvar):
    code, _, err = edgecvar("sources", "rtsp://user:secret@127.0.0.1:1/live")
    assert code == 1 and "refused" in err and "secret" not in err and err.count("\n") == 1

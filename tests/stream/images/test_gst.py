"""Pipelines by GStreamer's C interface: pictures, errors, time outs, and nothing that is left behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from edgecvar.errors import DeviceError, StreamError
from edgecvar.stream.images.gst import Pipeline, RawPicture, missing_elements
from edgecvar.stream.images.gstreamer import SOFTWARE, Element, planes_of
from tests.stream.images.intra_clips import NEEDS_GSTREAMER, clip, coded, same

RAW = "appsrc name=source caps=video/x-raw,format={form},width={width},height={height},framerate=0/1 ! {chain}"
PICTURES = "identity name=decoder ! appsink name=sink sync=false"


def raw(chain: str, form: str = "I420", width: int = 32, height: int = 16) -> Pipeline:
    return Pipeline(RAW.format(form=form, width=width, height=height, chain=chain), {"no-such-property": "1"})


def picture(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8).tobytes()


@NEEDS_GSTREAMER
@pytest.mark.parametrize(("form", "planes"), [("I420", 3), ("NV12", 2)])
def test_what_goes_in_comes_out(form: str, planes: int) -> None:
    pipeline = raw(PICTURES, form)
    try:
        for number in range(3):
            data = picture(32 * 16 * 3 // 2, number)
            pipeline.push(data)
            got = pipeline.pull(5)
            assert (got.form, got.width, got.height, got.data) == (form, 32, 16, data)
            assert len(got.offsets) == len(got.strides) == planes and got.strides[0] == 32
    finally:
        pipeline.close()


@NEEDS_GSTREAMER
def test_a_picture_that_nobody_waited_for_is_not_taken_for_the_next() -> None:
    pipeline = raw(PICTURES)
    try:
        for number in range(6):
            pipeline.push(picture(768, number))
        assert pipeline.pull(5).data == picture(768, 5)
        with pytest.raises(StreamError, match="no picture within"):
            pipeline.pull(0.1)
        pipeline.push(picture(768, 9))
        assert pipeline.pull(5).data == picture(768, 9)
    finally:
        pipeline.close()


@NEEDS_GSTREAMER
def test_rows_are_padded_where_nothing_says_otherwise() -> None:
    pipeline = raw(PICTURES, "I420", 36, 18)
    try:
        y, half = 36 * 18, 20 * 9  # rows of 18 chroma samples are padded to 20 bytes
        data = picture(y + 2 * half)
        pipeline.push(data)
        got = planes_of(pipeline.pull(5))
        assert np.array_equal(got.y, np.frombuffer(data, np.uint8)[:y].reshape(18, 36))
        for plane, at in ((got.cb, y), (got.cr, y + half)):
            assert np.array_equal(plane, np.frombuffer(data, np.uint8)[at : at + half].reshape(9, 20)[:, :18])
    finally:
        pipeline.close()


@NEEDS_GSTREAMER
def test_strides_and_offsets_that_a_buffer_brings_hold() -> None:
    layout = 'width=32 height=16 format=i420 plane-strides="<40,24,24>" plane-offsets="<64,768,1024>" frame-size=1300'
    pipeline = Pipeline(f"appsrc name=source ! rawvideoparse {layout} ! {PICTURES}", {})
    try:
        data = picture(1300)
        pipeline.push(data)
        got = pipeline.pull(5)
        assert (got.offsets, got.strides) == ((64, 768, 1024), (40, 24, 24))
        assert np.array_equal(planes_of(got).cr[7], np.frombuffer(data, np.uint8)[1024 + 7 * 24 :][:16])
    finally:
        pipeline.close()


def test_planes_lie_where_they_are_said_to() -> None:
    data = picture(4000)
    whole = np.frombuffer(data, np.uint8)
    got = planes_of(RawPicture("NV12", 32, 16, data, (64, 1000), (40, 48)))
    assert np.array_equal(got.y[15], whole[64 + 15 * 40 :][:32]) and got.y.shape == (16, 32)
    assert np.array_equal(got.cb[7], whole[1000 + 7 * 48 :][:32:2])
    assert np.array_equal(got.cr[7], whole[1001 + 7 * 48 :][:32:2])
    got = planes_of(RawPicture("I420", 32, 16, data, (0, 512, 640), (32, 16, 17)))
    assert np.array_equal(got.cr[7], whole[640 + 7 * 17 :][:16]) and got.size == (32, 16)


@pytest.mark.parametrize(
    ("form", "size", "offsets", "strides", "what"),
    [
        ("I420", (32, 16), (0, 512, 640), (32, 16, -16), "does not fit"),
        ("I420", (32, 16), (0, 512, 3900), (32, 16, 16), "does not fit"),
        ("I420", (32, 16), (0, 512), (32, 16, 16), "lacks a plane"),
        ("I420", (1 << 20, 1 << 20), (0, 0, 0), (1 << 20,) * 3, "does not fit"),
        ("I420", (0, 0), (0, 0, 0), (32, 16, 16), "lacks a plane"),
        ("I420", (33, 16), (0, 0, 0), (33, 16, 16), "no coded size"),
        ("Y444", (32, 16), (0, 0, 0), (32, 16, 16), "form Y444"),
    ],
)
def test_what_does_not_fit_is_refused(form: str, size: tuple, offsets: tuple, strides: tuple, what: str) -> None:
    with pytest.raises(StreamError, match=what):
        planes_of(RawPicture(form, *size, bytes(4000), offsets, strides))


@NEEDS_GSTREAMER
def test_errors_and_silence_are_said() -> None:
    for description, what in (
        ("appsrc name=source ! no-such-element name=decoder ! appsink name=sink", "no-such-element"),
        ("appsrc name=source ! identity name=decoder", "lacks a part"),
        ("appsrc name=source ! ( ", "cannot be made"),
        ("appsrc name=source ! filesink location=/no/such/folder name=decoder appsrc ! appsink name=sink", "not start"),
    ):
        with pytest.raises(DeviceError, match=what):
            Pipeline(description, {})
    assert missing_elements(["identity", "no-such-element"]) == ["no-such-element"]
    with pytest.raises(DeviceError, match=r"^GStreamer has no nvno, no nvnothing here$"):
        Element("nvno", after="nvnothing").begin()
    for chain, what in (
        ("identity name=decoder error-after=1 ! appsink name=sink", "."),
        ("valve name=decoder drop=true ! appsink name=sink", r"^no picture within 0\.2 s$"),
        ("identity name=decoder eos-after=1 ! appsink name=sink", "^it ended$"),
    ):
        pipeline = raw(chain)
        try:
            with pytest.raises(StreamError, match=what) as caught:
                for _ in range(3):
                    pipeline.push(picture(768))
                    pipeline.pull(0.2)
            assert "\n" not in str(caught.value)
        finally:
            pipeline.close()
            pipeline.close()


@NEEDS_GSTREAMER
def test_no_bytes_break_it(tmp_path: Path) -> None:
    """Damaged pictures give an error, a time out or a picture: nothing else, and the next pipeline works."""
    units = [unit for unit, _, _ in coded(clip(tmp_path / "clip.mp4"))]
    random = np.random.default_rng(0)
    for number in range(40):
        device = SOFTWARE["h264"].begin()
        data = bytearray(units[number % len(units)])
        for _ in range(random.integers(1, 30)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        try:
            device.decode(bytes(data) if number % 4 else random.bytes(300), 0.05)
        except StreamError as error:
            assert str(error) and "\n" not in str(error)
        finally:
            device.close()
    unit, true, _ = next(coded(tmp_path / "clip.mp4"))
    device = SOFTWARE["h264"].begin()
    assert same(device.decode(unit, 10), true)
    device.close()


@NEEDS_GSTREAMER
def test_nothing_is_left_of_a_pipeline(tmp_path: Path) -> None:
    unit, _, _ = next(coded(clip(tmp_path / "clip.mp4")))

    def used() -> tuple:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    before: tuple = ()
    for number in range(20):
        device = SOFTWARE["h264"].begin()
        device.decode(unit, 10)
        device.close()
        if number == 5:
            before = used()
    tasks, files = used()
    assert tasks < before[0] + 5 and files <= before[1]  # GLib keeps some threads for a while
    assert threading.active_count() < 20

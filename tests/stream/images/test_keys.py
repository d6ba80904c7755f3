"""I-pictures by a decoder that was chosen: the same ones, whatever happens to it, and what falls back is counted."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import List

import pytest

from edgecvar.errors import DeviceError, StreamError
from edgecvar.stream.images import keys
from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.reader import open_stream
from tests.stream.images.intra_clips import Fake, clip, equal, offer, read
from tests.stream.known_clips import encode, translation


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("keys") / "clip.mp4")


@pytest.fixture(scope="module")
def hevc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("keys") / "clip.mkv", codec="hevc")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_BEGIN_SECONDS", 0.2)
    monkeypatch.setattr(keys, "_PICTURE_SECONDS", 0.2)


def test_all_are_decoded_by_what_gives_the_first_as_software_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, true, _ = read(path, "software")
    made: List[Fake] = []
    offer(monkeypatch, ("absent", lambda: Fake("absent")), ("works", lambda: made.append(Fake()) or made[-1]))
    info, planes, summary = read(path, "auto")
    assert info.decoder == "works" and "differs by 0 " in info.decoder_note and "absent: it is not" in info.decoder_note
    assert equal(planes, true) and not summary.fallbacks
    assert made[0].pictures == len(true) > 3
    assert made[0].closed


def test_those_of_hevc_too(hevc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, true, _ = read(hevc, "software")
    made: List[Fake] = []
    offer(monkeypatch, ("works", lambda: made.append(Fake("refuses", 3, "hevc")) or made[-1]))
    info, planes, summary = read(hevc, "auto")
    assert info.decoder == "works" and "differs by 0 " in info.decoder_note
    assert equal(planes, true) and summary.fallbacks == {"works: it refuses": 1}
    assert made[0].pictures == 4 == len(true)


def test_software_is_asked_for_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: List[Fake] = []
    offer(monkeypatch, ("works", lambda: made.append(Fake()) or made[-1]))
    info, _, summary = read(path, "software")
    assert (info.decoder, info.decoder_note, made, summary.fallbacks) == ("software", "", [], {})


WAYS = {
    "refuses": "it refuses",
    "breaks": "Input/output error",
    "hangs": "no answer within 0.7 s",
    "wrong": "differs by",
    "small": "gives 32x32 of 96x80",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_fails_at_first_is_not_taken(path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, true, _ = read(path, "software")
    made: List[Fake] = []
    offer(monkeypatch, ("broken", lambda: made.append(Fake(way)) or made[-1]))
    info, planes, summary = read(path, "auto")
    assert info.decoder == "software" and WAYS[way] in info.decoder_note and info.decoder_note.startswith("broken: ")
    assert summary.fallbacks == {info.decoder_note: 1}
    assert equal(planes, true) and made[0].pictures == 1


@pytest.mark.parametrize("way", [way for way in WAYS if way != "wrong"])
def test_what_fails_later_falls_back_for_good(path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, true, _ = read(path, "software")
    made: List[Fake] = []
    offer(monkeypatch, ("tires", lambda: made.append(Fake(way, 2)) or made[-1]))
    info, planes, summary = read(path, "auto")
    assert info.decoder == "tires"
    (why,) = summary.fallbacks
    assert why.startswith("tires: ") and summary.fallbacks[why] == 1
    assert (WAYS[way] if way != "small" else "another size") in why
    assert equal(planes, true) and made[0].pictures == 3
    until = time.monotonic() + 5
    made[0].closed = made[0].closed or way == "hangs"  # which lets it go on
    while any(thread.name == "decoder tires" for thread in threading.enumerate()):
        assert time.monotonic() < until, "its thread does not end"
        time.sleep(0.01)


def test_what_nobody_has_is_an_error_only_where_it_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("first", lambda: Fake("absent")), ("second", lambda: Fake("absent")))
    info, _, summary = read(path, "auto")
    assert info.decoder_note == "first: it is not here; second: it is not here" and not summary.fallbacks
    with pytest.raises(DeviceError, match=r"^decoder 'gstreamer': first: it is not here; second.*--decoder auto\)$"):
        open_stream(path, decoder="gstreamer")
    with pytest.raises(StreamError, match="decoder 'gpu' is unknown: choose 'auto', 'software'"):
        open_stream(path, decoder="gpu")


def test_a_picture_that_is_not_rewritten_is_decoded_in_software(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: List[Fake] = []
    offer(monkeypatch, ("works", lambda: made.append(Fake()) or made[-1]))
    with open_stream(path, decoder="auto", threads=1) as stream:
        intra = [picture for picture in stream if picture.kind == "I"]
        broken = intra[1].content._imaged
        broken.packet = broken.packet[: len(broken.packet) // 3]  # its length leads out of the packet
        images = [picture.image for picture in intra[:1] + intra[2:]]
        assert all(image is not None for image in images)
        before = made[0].pictures
        with pytest.raises(StreamError, match="I-picture"):
            assert intra[1].image is None
        assert made[0].pictures == before
        assert stream.summary.fallbacks == {"not for hardware: NAL unit lengths lead out of the packet": 1}
    ten_bit = encode(tmp_path / "ten.mp4", translation(14, (32, 32), (1, 0)), pixel_format="yuv420p10le")
    info, planes, summary = read(ten_bit, "auto")
    assert info.decoder == "software" and equal(planes, read(ten_bit, "software")[1])
    assert summary.fallbacks == {"not for hardware: samples of the form yuv420p10le": len(planes)}
    assert info.decoder_note in summary.fallbacks and not summary.decoder


def test_a_stream_that_is_joined_in_the_middle_chooses_at_its_first_i_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole, cut = clip(tmp_path / "whole.h264", "keyint=6", 0), tmp_path / "cut.h264"
    packets = re.split(b"(?=\0\0\0\1\x67)", whole.read_bytes())  # parameter sets come with each I-picture
    first = [b"\0\0\1" + unit for unit in split_units(packets[1], None)]
    cut.write_bytes(b"".join([unit for unit in first if kind_of(unit[3:]) != 5] + packets[2:]))
    made: List[Fake] = []
    offer(monkeypatch, ("works", lambda: made.append(Fake()) or made[-1]))
    with open_stream(cut, decoder="auto", threads=1) as stream:
        assert (stream.info.decoder, stream.info.decoder_note, made) == ("software", "", [])
        pictures = list(stream)
        assert pictures[0].kind == "P" and sum(picture.kind == "I" for picture in pictures) == 3
        planes = [picture.planes for picture in pictures if picture.kind == "I"]
        assert stream.summary.decoder == "works, differs by 0 from software, on average"
    assert equal(planes, read(cut, "software")[1]) and made[0].pictures == 3


def test_pictures_are_compared_again_where_parameter_sets_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small, large = clip(tmp_path / "a.h264"), clip(tmp_path / "b.h264", "cabac=0", size=(64, 128))
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    _, true, _ = read(both, "software")
    assert {planes.y.shape for planes in true} == {(70, 90), (64, 128)}
    made: List[Fake] = []
    offer(monkeypatch, ("works", lambda: made.append(Fake()) or made[-1]))
    info, planes, summary = read(both, "auto")
    assert equal(planes, true) and not summary.fallbacks and made[0].pictures == len(true)
    first = sum(planes.y.shape == (70, 90) for planes in true)
    offer(monkeypatch, ("works", lambda: Fake("wrong", first)))
    info, planes, summary = read(both, "auto")
    assert equal(planes, true) and info.decoder == "works"
    assert [why.split(" by ")[0] for why in summary.fallbacks] == ["works: differs"]


def test_closing_lets_go_of_a_device_that_hangs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_PICTURE_SECONDS", 60.0)
    made: List[Fake] = []
    offer(monkeypatch, ("hangs", lambda: made.append(Fake("hangs", 1)) or made[-1]))
    stream = open_stream(path, decoder="auto", threads=1)
    key = [picture for picture in stream if picture.kind == "I"][1]
    images: list = []
    waiting = threading.Thread(target=lambda: images.append(key.image))
    waiting.start()
    while made[0].pictures < 2:
        time.sleep(0.01)
    stream.close()
    waiting.join(20)
    made[0].closed = True
    assert not waiting.is_alive() and not stream.summary.fallbacks
    assert len(images) == 1  # in software


def test_ctrl_c_is_not_kept_waiting_by_a_device_that_hangs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_PICTURE_SECONDS", 60.0)
    made: List[Fake] = []
    offer(monkeypatch, ("hangs", lambda: made.append(Fake("hangs", 1)) or made[-1]))
    with open_stream(path, decoder="auto", threads=1) as stream:
        key = [picture for picture in stream if picture.kind == "I"][1]
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            assert key.image is None
    made[0].closed = True

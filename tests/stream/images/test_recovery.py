"""Streams of intra refresh that begin in the middle: no I-picture, and whole again where a recovery ends."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Tuple

import av
import numpy as np
import pytest

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.images.recovery import MOST_PICTURES, RecoveryState, RecoveryTracker
from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import X265, encode, translation

SIZE = (96, 128)
WAVE = 12
CASES = {
    "p": ("", 0),
    "four_references": ("ref=4", 0),
    "b": ("bframes=2:b-adapt=0", 2),
    "pyramid": ("bframes=3:b-adapt=0:b-pyramid=normal:ref=4", 3),
    "cavlc": ("cabac=0:slices=2", 0),
}


def refreshed(path: Path, extra: str = "", b_pictures: int = 0, count: int = 64, pixels: str = "yuv420p") -> Path:
    options = {"x264-params": f"threads=1:intra-refresh=1:keyint={WAVE}:qp=24:repeat-headers=1:{extra}"}
    return encode(
        path, translation(count, SIZE, (1.35, -0.6), patch=True), "libx264", options, b_pictures, None, None, pixels
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """A whole stream of each case."""
    folder = tmp_path_factory.mktemp("refreshed")
    return {name: refreshed(folder / f"{name}.h264", *case) for name, case in CASES.items()}


def cut(folder: Path, whole: Path, first: int) -> Path:
    """The access units from `first` on, the parameter sets before them."""
    with av.open(str(whole)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    sets = [unit for unit in split_units(packets[0], None) if unit and unit[0] & 31 in (7, 8)]
    path = folder / f"cut_{first}.h264"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in sets) + b"".join(packets[first:]))
    return path


def read(path: Path, extraction: str = "native") -> List[CodedPicture]:
    with open_stream(path, extraction) as stream:
        assert stream.info.extraction == extraction
        return list(stream)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("first", [5, 17, 30])
def test_a_recovered_picture_is_that_of_the_whole_stream(
    tmp_path: Path, clips: Dict[str, Path], name: str, first: int
) -> None:
    pictures = read(cut(tmp_path, clips[name], first))
    assert all(picture.kind != "I" for picture in pictures)
    recovered = [picture for picture in pictures if picture.recovered]
    assert len(recovered) >= 1
    with open_stream(clips[name], frames=True) as stream:
        frames = {picture.decode_index: picture for picture in stream}
    for picture in recovered:
        image = picture.image
        assert picture.has_image and image is not None
        assert np.array_equal(image, frames[picture.decode_index + first].frame)
    assert all(picture.image is None for picture in pictures if not picture.recovered)


@pytest.mark.parametrize("name", CASES)
def test_motion_is_exact_from_the_first_recovered_picture_on(tmp_path: Path, clips: Dict[str, Path], name: str) -> None:
    pictures = read(cut(tmp_path, clips[name], 17))
    same = read(clips[name])[17:]
    start = next(picture for picture in pictures if picture.recovered)
    for picture, true in zip(pictures, same):
        after = picture.decode_index >= start.decode_index and picture.display_index >= start.display_index
        assert picture.motion is not None and true.motion is not None
        assert picture.motion.exact == after
        if after:
            assert np.array_equal(picture.motion.ref_offset, true.motion.ref_offset)
            assert np.array_equal(picture.motion.mv_qpel, true.motion.mv_qpel)
        assert np.array_equal(picture.residual.y, true.residual.y)  # type: ignore[union-attr]


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p"])
def test_the_ffmpeg_path_gives_the_same_images(tmp_path: Path, pixels: str) -> None:
    whole = refreshed(tmp_path / "whole.h264", pixels=pixels)
    path = cut(tmp_path, whole, 17)
    pictures = [picture for picture in read(path, "ffmpeg") if picture.recovered]
    with open_stream(whole, "ffmpeg", frames=True) as stream:
        frames = {round(picture.pts_seconds * 25): picture.frame for picture in stream}
    assert pictures
    images = [picture.image for picture in pictures]
    for image in images:
        assert any(np.array_equal(image, frame) for frame in frames.values())
    if pixels == "yuv420p":
        native = [picture.image for picture in read(path) if picture.recovered]
        assert len(native) == len(images) and all(map(np.array_equal, images, native))


def test_appearance_is_renewed_where_a_stream_begins_whole(clips: Dict[str, Path]) -> None:
    pictures = read(clips["p"])
    places = [picture.decode_index for picture in pictures if picture.has_image]
    assert pictures[0].kind == "I" and places[0] == 0
    assert places[1:] and max(np.diff(places)) <= 2 * WAVE
    assert all(picture.motion.exact for picture in pictures if picture.motion is not None)


def point(count: int) -> bytes:
    """A unit of HEVC that says recovery_poc_cnt, and that the match is no exact one."""
    code = f"{2 * count:b}"
    bits = "0" * (len(code) - 1) + code + "00" + "1"
    content = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return b"\0\0\0\1" + bytes([39 << 1, 1, 6, len(content)]) + content + b"\x80"


@pytest.mark.parametrize("b_pictures", [0, 2])
@pytest.mark.parametrize("first", [WAVE, WAVE + 5])
def test_a_stream_of_hevc_that_begins_in_the_middle_has_images_again(
    tmp_path: Path, b_pictures: int, first: int
) -> None:
    """x265 refreshes, though not to the bit, and says no recovery points: they are put in."""
    parameters = f"{X265}:intra-refresh=1:keyint={WAVE}:qp=24:scenecut=0:b-adapt=0:ref=1:open-gop=0"
    pictures = translation(64, SIZE, (1.35, -0.6), patch=True)
    whole = encode(tmp_path / "whole.hevc", pictures, "libx265", {"x265-params": parameters}, b_pictures)
    with av.open(str(whole)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    sets = [unit for unit in split_units(packets[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    references = [n for n, packet in enumerate(packets) if kind_of(next(split_units(packet, None)), "hevc") == 1]
    points = {next(n for n in references if n >= start) for start in range(WAVE, 60, WAVE)}
    units = [point(2 * WAVE) + packet if number in points else packet for number, packet in enumerate(packets)]
    path = tmp_path / "cut.hevc"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in sets) + b"".join(units[first:]))
    found = read(path)
    with open_stream(whole, frames=True) as stream:
        true = {picture.decode_index: picture.frame for picture in stream}
    recovered = [picture for picture in found if picture.recovered]
    assert recovered and all(picture.kind != "I" for picture in found)
    for picture in recovered:
        image, frame = picture.image, true[picture.decode_index + first]
        assert picture.has_image and image is not None and frame is not None
        assert np.abs(image.astype(int) - frame).mean() < 0.5
    start = recovered[0]
    for picture in found:
        after = picture.decode_index >= start.decode_index and picture.display_index >= start.display_index
        # By temporal candidates its vectors rest on those before it, which the core knows to be made up.
        assert picture.motion is not None and (after or not picture.motion.exact)


def test_a_run_has_its_windows_begin_at_recovered_pictures(tmp_path: Path, clips: Dict[str, Path]) -> None:
    path = cut(tmp_path, clips["p"], 5)
    expected = [picture.decode_index for picture in read(path) if picture.recovered]
    spec = InputSpec(height=48, width=64, gop_length=30)
    demand = Demand(frozenset({"image", "motion", "residual"}), adjacent=False, every=1)
    with open_stream(path) as stream:
        feed = Feed(stream, spec, demand, NoClock())
        samples = [message for message in feed.messages() if isinstance(message, SampledPicture)]
    assert sorted({sample.current.index for sample in samples}) == expected
    assert samples[0].decode_index == expected[0]
    assert all(sample.current.index <= sample.decode_index for sample in samples)
    assert feed.counts.unusable == {"before the first I-picture": expected[0]}


def test_a_recovery_with_a_picture_missing_gives_no_image(tmp_path: Path, clips: Dict[str, Path]) -> None:
    path = cut(tmp_path, clips["p"], 5)
    places = [picture.decode_index for picture in read(path) if picture.recovered]
    data = path.read_bytes()
    units = list(split_units(data, None))
    slices = [place for place, unit in enumerate(units) if unit[0] & 31 == 1]
    del units[slices[places[0] - 2]]
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    assert [picture.decode_index for picture in read(path) if picture.recovered] == [each - 1 for each in places[1:]]


def test_a_stream_without_recovery_points_says_what_it_lacks(tmp_path: Path, clips: Dict[str, Path]) -> None:
    path = cut(tmp_path, clips["p"], 5)
    units = [unit for unit in split_units(path.read_bytes(), None) if unit[0] & 31 != 6]
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
    with pytest.raises(StreamError, match="no I-picture in 59 packets, and no recovery point"):
        read(path)


def state(number: int, count: int = -1, reference: bool = True, intra: bool = False) -> RecoveryState:
    return RecoveryState(number % 16, 16, intra, reference, count)


def hevc_state(poc: int, count: int = -1, missing: bool = False, intra: bool = False) -> RecoveryState:
    return RecoveryState(poc, 0, intra, True, count, missing)


def follow(states: List[RecoveryState]) -> List[Tuple[int, int]]:
    """(place, packets decoded) of every recovery that is completed."""
    tracker, found = RecoveryTracker(), []
    for place, each in enumerate(states):
        run = tracker.push(each, bytes([place % 256]), lambda: b"")
        if run is not None:
            found.append((place, len(run.packets)))
            assert run.packets[-1] == bytes([place % 256])
    return found


def test_a_recovery_ends_at_the_frame_num_that_it_names() -> None:
    assert follow([state(n, 4 if n == 2 else -1) for n in range(12)]) == [(6, 5)]
    assert follow([state(n, 4 if n in (14, 18) else -1) for n in range(30)]) == [(18, 5), (22, 5)]
    others = [state(2, 2), state(3, reference=False), state(3), state(4, reference=False), state(4)]
    assert follow(others) == [(4, 3)]


def test_a_recovery_of_hevc_ends_at_the_order_count_that_it_names_or_behind_it() -> None:
    assert follow([hevc_state(n, 4 if n == 2 else -1) for n in range(12)]) == [(6, 5)]
    assert follow([hevc_state(n, 4 if n == 0 else -1) for n in range(9)]) == [(4, 5)]  # also where the stream begins
    reordered = [hevc_state(n, 5 if n == 0 else -1) for n in (0, 4, 2, 8, 6)]
    assert follow(reordered) == [(3, 4)]
    assert follow([hevc_state(n, 4 if n == 2 else -1, missing=n == 5) for n in range(12)]) == []
    assert follow([hevc_state(n, 4 if n == 2 else -1, intra=n == 5) for n in range(12)]) == []


def test_a_recovery_is_given_up() -> None:
    assert follow([state(0, 4), *(state(n) for n in range(1, 12))]) == []  # nothing stands in for its references
    assert follow([state(2, 4), state(3), state(5), state(6), state(7)]) == []  # one is missing
    assert follow([state(2, 4), state(3), state(4, intra=True), state(5), state(6)]) == []  # an I-picture comes first
    assert follow([state(2, 0), state(3), state(4)]) == []  # nothing is coded anew after it
    long = [
        RecoveryState(n, 1 << 16, False, True, MOST_PICTURES + 9 if n == 2 else -1) for n in range(MOST_PICTURES + 99)
    ]
    assert follow(long) == []

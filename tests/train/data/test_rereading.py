"""Pictures that are read again have the values that reading the clip whole gives, sought or not."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Set

import av
import numpy as np
import pytest

from edgecvar.clips.sampling import sample_segments
from edgecvar.clips.spec import CODED, PREPARED, InputSpec
from edgecvar.stream.nal.entries import idr_entries
from edgecvar.stream.native.reading import NativeReading
from edgecvar.stream.sources.seeking import Entry
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import RecordedClip
from edgecvar.train.data.rereading import ClipIndex, Rereader, stretches_to
from tests.moving_clip import moving_clip
from tests.stream.known_clips import X265, encode, translation
from tests.stream.test_containers import edited

pytestmark = pytest.mark.train

SPEC = InputSpec(height=32, width=32)
ACCUMULATED = InputSpec(height=32, width=32, accumulate=True)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """How many packets the core has been given, in one number that may be set."""
    count, take = [0], NativeReading._take

    def counted(self: NativeReading) -> bool:
        count[0] += 1
        return take(self)

    monkeypatch.setattr(NativeReading, "_take", counted)
    return count


def sampled(clip: RecordedClip, segments: int, seed: int) -> Set[int]:
    samples = sample_segments(clip.windows, segments, np.random.default_rng(seed))
    return {index for sample in samples for index in (sample.appearance, sample.adjacent, sample.picture)}


def check_same(path: Path, spec: InputSpec, segments: int = 3, frames: bool = False) -> Rereader:
    """Three samplings, each read again by the one reader that is given back."""
    sources = PREPARED if frames else CODED
    whole = read_clip(path, spec, sources)
    again, index = Rereader(spec, sources), ClipIndex.of(whole)
    for seed in range(3):
        wanted = sampled(whole, segments, seed)
        clip = again.pictures(path, index, wanted)
        assert clip.images.keys() | clip.values.keys() == wanted
        assert clip.values == {at: whole.values[at] for at in wanted & whole.values.keys()}
        assert clip.frames == {at: whole.frames[at] for at in wanted & whole.frames.keys()}
        assert all(np.array_equal(image.rgb(), whole.images[at].rgb()) for at, image in clip.images.items())
        assert (clip.windows, clip.display, clip.hidden) == (whole.windows, whole.display, whole.hidden)
    return again


def entries_of(path: Path, pictures: int) -> List[int]:
    return [entry.number for entry in idr_entries(path, pictures)]


@pytest.mark.parametrize("spec", [SPEC, ACCUMULATED])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("b_pictures", ["0", "3"])
def test_closed_gops_are_sought(
    tmp_path: Path, parsed: List[int], container: str, b_pictures: str, spec: InputSpec
) -> None:
    path = moving_clip(tmp_path / f"clip.{container}", pictures=120, restless=True, bf=b_pictures)
    assert entries_of(path, 120) == list(range(0, 120, 12))
    whole = read_clip(path, spec)
    parsed[0] = 0
    check_same(path, spec, segments=2)
    # Read whole once; three times two GOPs at most, and the I-pictures beside them.
    assert parsed[0] - 120 <= 3 * (2 * 12 + 2)
    assert whole.sound


def test_eight_of_the_gops_of_a_minute_are_a_small_part_of_it(tmp_path: Path, parsed: List[int]) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=1500, bf="2", g="30")
    whole = read_clip(path, SPEC)
    again = Rereader(SPEC, CODED)
    parsed[0] = 0
    again.pictures(path, ClipIndex.of(whole), sampled(whole, 8, seed=1))
    assert 8 <= parsed[0] <= 8 * 31 < 1500 / 3


def test_decoded_frames_are_sought_too(tmp_path: Path, parsed: List[int]) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=120, restless=True, bf="2")
    check_same(path, SPEC, segments=2, frames=True)
    assert parsed[0] - 120 <= 3 * (2 * 12 + 2)


def test_an_edit_list_hides_the_same_pictures(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", pictures=60, bf="2")
    edited(clip, 15)
    again = check_same(clip, SPEC)
    assert len(again._entries[clip]) > 1


@pytest.mark.parametrize("spec", [SPEC, ACCUMULATED])
@pytest.mark.parametrize("parameters", ["open-gop=1:keyint=12:min-keyint=4:bframes=3", "intra-refresh=1:keyint=12"])
def test_open_gops_and_recovery_points_are_read_through(
    tmp_path: Path, parsed: List[int], parameters: str, spec: InputSpec
) -> None:
    pictures = translation(60, (64, 96), (1.5, 0))
    path = encode(tmp_path / "clip.mp4", pictures, options={"x264-params": f"threads=1:{parameters}"}, b_pictures=3)
    assert entries_of(path, 60) == [0]
    check_same(path, spec)
    whole = read_clip(path, spec)
    parsed[0] = 0
    Rereader(spec, CODED).pictures(path, ClipIndex.of(whole), {0, 5})
    assert parsed[0] < 30  # no further than the last of them, and what is displayed before it


@pytest.mark.parametrize("spec", [SPEC, ACCUMULATED])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("gop", ["open-gop=0", "open-gop=0:radl=2", "open-gop=1"])
def test_idr_pictures_of_hevc_are_sought(
    tmp_path: Path, parsed: List[int], container: str, gop: str, spec: InputSpec
) -> None:
    parameters = f"{X265}:keyint=12:min-keyint=12:scenecut=0:b-adapt=0:{gop}"
    path = moving_clip(
        tmp_path / f"clip.{container}", 96, restless=True, codec="hevc", bf="2", **{"x265-params": parameters}
    )
    entries = entries_of(path, 96)
    assert entries == [0] if gop == "open-gop=1" else len(entries) == 8
    parsed[0] = 0
    check_same(path, spec, segments=2)
    if gop == "open-gop=0":
        assert parsed[0] - 96 <= 3 * (2 * 12 + 2)


def wrong_way(kind: str) -> Callable[..., None]:
    def seek(self: Entry, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        if kind == "refused":
            raise OSError("this container cannot")
        container.seek(2**40 if kind == "behind" else 0, stream=stream, backward=kind != "behind")

    return seek


@pytest.mark.parametrize("kind", ["refused", "behind"])
def test_an_index_that_leads_nowhere_is_not_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=60, bf="2")
    monkeypatch.setattr(Entry, "seek", wrong_way(kind))
    assert check_same(path, SPEC)._entries[path] == []


def test_an_index_that_leads_to_somewhere_before_is_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=60, bf="2")
    monkeypatch.setattr(Entry, "seek", wrong_way("to the beginning"))
    assert len(check_same(path, SPEC)._entries[path]) == 5


def test_pictures_that_are_not_what_they_were_are_read_through(tmp_path: Path) -> None:
    """The index is that of a clip of other GOPs: sought pictures would be displayed elsewhere."""
    path = moving_clip(tmp_path / "clip.mp4", pictures=60, bf="2")
    other = read_clip(moving_clip(tmp_path / "other.mp4", pictures=60, bf="0"), SPEC)
    again = Rereader(SPEC, CODED)
    again.pictures(path, ClipIndex.of(other), {0, 3, 27})
    assert again._entries[path] == []


def test_what_has_no_index_or_may_have_changed_is_no_place_to_begin(tmp_path: Path) -> None:
    raw = moving_clip(tmp_path / "clip.h264", pictures=48)
    check_same(raw, SPEC)
    parts = [moving_clip(tmp_path / f"{qp}.ts", pictures=24, qp=qp, **{"x264-params": "stitchable=0"}) for qp in "23"]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert entries_of(parts[0], 24) == [0, 12]
    assert entries_of(joined, 48) == []
    assert entries_of(parts[0], 23) == entries_of(tmp_path, 24) == []


def test_a_damaged_clip_is_read_through(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4", pictures=60, restless=True, bf="2")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        at = data.find(bytes(packets[20]))
    data[at + 12 : at + 40] = bytes(28)
    path.write_bytes(bytes(data))
    whole = read_clip(path, SPEC)
    assert not whole.sound
    assert check_same(path, SPEC)._entries[path] == []


def test_a_stretch_ends_where_what_it_gives_is_displayed_in_a_row() -> None:
    """Decoded as I P B B P B B, twice; what is displayed between decides where the P comes."""
    gop = [0, 3, 1, 2, 6, 4, 5]
    display = [*gop, *(7 + at for at in gop)]
    entries = [Entry(number, number, number, 1) for number in (0, 7)]

    def lengths(*pictures: int) -> Dict[int, int]:
        return {stretch.entry.number: stretch.packets for stretch in stretches_to(pictures, entries, display)}

    assert lengths(0) == {0: 1}
    assert lengths(1) == lengths(2) == lengths(3) == {0: 4}
    assert lengths(2, 4, 7) == {0: 7, 7: 1}
    assert lengths(8) == {7: 4}


@pytest.mark.real_media
@pytest.mark.parametrize(
    "name",
    [
        "clips/SOX5yA1l24A.mp4",
        "odd/bbb_800x640_768kbps_30fps_avc_non_reference_3b.mp4",
        "odd/edit_list_positive_shift.mp4",
        "odd/sample_with_vobsub.mkv",
        "h264/LS_SVA_D.264",
    ],
)
def test_real_clips_are_the_same(media: Path, name: str) -> None:
    check_same(media / name, SPEC)


@pytest.mark.real_media
def test_a_real_clip_is_the_same_traced_back(media: Path) -> None:
    check_same(media / "clips" / "SOX5yA1l24A.mp4", ACCUMULATED)

"""One clip: what is written is what the paper says, in the bitstream, of whatever it was made."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, List, Tuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecvar.datasets.clip import Job, Outcome, Prepared, prepare_clip
from edgecvar.datasets.papers import PAPERS, Settings
from edgecvar.datasets.sources import LeftOut, Source
from edgecvar.datasets.transcoding import Places
from edgecvar.errors import EdgecvarError
from edgecvar.stream.anatomy import anatomy
from edgecvar.stream.reader import open_stream
from tests.datasets.published import moving, stills, video


def prepared(path: Path, paper: str = "coviar", fps: Any = None, **given: Any) -> Tuple[Outcome, Path]:
    folder = path.parent / f"as_{paper}"
    (folder / ".prepare").mkdir(parents=True, exist_ok=True)
    source = Source(path, path.name, "clip.mp4", stills=path.is_dir(), **given)
    outcome = prepare_clip(Job(source, Settings(paper, fps), folder, folder / ".prepare"))
    assert list((folder / ".prepare").iterdir()) == []
    return outcome, folder / "clip.mp4"


def images(path: Path) -> List[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def quantisers(path: Path, clock_bits: int) -> List[int]:
    """Of each picture of MPEG-4 part 2 (ISO/IEC 14496-2, 6.2.5), whose clock has so many bits within a second."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            vop = bytes(packet).partition(b"\0\0\1\xb6")[2]
            if vop:
                bits = "".join(f"{byte:08b}" for byte in vop[:12])
                predicted, rest = bits[:2] == "01", bits[2:].partition("0")[2]  # vop_coding_type, modulo_time_base
                at = 1 + clock_bits + 1 + 1 + predicted + 3  # markers, clock, vop_coded, rounding, intra_dc_vlc_thr
                found.append(int(rest[at : at + 5], 2))
    return found


def test_quantisers_are_those_of_the_published_command(tmp_path: Path) -> None:
    _, path = prepared(video(tmp_path / "a.mp4", times=range(30)))
    assert quantisers(path, clock_bits=5) == [2] * 30


@pytest.mark.parametrize("paper", PAPERS)
def test_the_bitstream_is_what_the_paper_says(tmp_path: Path, paper: str) -> None:
    outcome, path = prepared(video(tmp_path / "a.avi", times=range(31), rate=Fraction(30000, 1001)), paper)
    with open_stream(path) as stream:
        told = anatomy(stream)
    h264 = paper == "attp"
    assert (told.info.codec, told.info.width, told.info.height) == ("h264" if h264 else "mpeg4", 340, 256)
    assert told.info.fps == Fraction(30000, 1001)
    assert told.gop_lengths == [12, 12, 7]
    assert told.kinds == "IBBPBBPBBPBP" * 2 + "IBBPBBP" if h264 else "IPPPPPPPPPPP" * 2 + "IPPPPPP"
    assert told.keyframes == 3
    assert isinstance(outcome, Prepared)
    assert (outcome.pictures, outcome.fps, outcome.repeated, outcome.dropped) == (31, "30000/1001", 0, 0)
    assert outcome.stamp.bytes == path.stat().st_size


def test_a_cut_begins_no_gop_and_quality_is_fine(tmp_path: Path) -> None:
    before, after = moving(seed=1), moving(seed=2)
    for paper in ("coviar", "attp"):
        clip = video(tmp_path / "cut.mp4", lambda number: (before if number < 17 else after)(number), times=range(30))
        _, path = prepared(clip, paper)
        with open_stream(path) as stream:
            assert anatomy(stream).gop_lengths == [12, 12, 6]
        shown, meant = images(path)[20], images(clip)[20]
        small = np.asarray(av.VideoFrame.from_ndarray(shown).reformat(64, 48).to_ndarray(format="rgb24"), int)
        assert np.abs(small - meant.astype(int)).mean() < 12


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    for paper in ("coviar", "attp"):
        clip = video(tmp_path / "a.mp4")
        first = prepared(clip, paper)[1].read_bytes()
        assert prepared(clip, paper)[1].read_bytes() == first


def test_it_has_no_sound_and_no_shape_of_pixels(tmp_path: Path) -> None:
    _, path = prepared(video(tmp_path / "a.mp4", audio=True, aspect="2:1"))
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].codec_context.sample_aspect_ratio in (None, 0, 1)


def test_colours_are_those_of_the_source_whatever_its_matrix_and_range(tmp_path: Path) -> None:
    colour = np.full((48, 64, 3), (200, 40, 90), np.uint8)
    tagged = video(tmp_path / "a.mp4", lambda number: colour, times=range(3), matrix="ITU709")
    for source in (tagged, video(tmp_path / "b.avi", lambda number: colour, times=range(3)), stills(tmp_path / "c", 3)):
        if source.is_dir():
            for still in source.iterdir():
                Image.fromarray(colour).save(still, quality=95)
        _, path = prepared(source)
        with open_stream(path) as stream:
            image = next(iter(stream)).image
        assert image is not None and np.abs(image.astype(int) - colour[0, 0]).max() < 8, source


@pytest.mark.parametrize("form", ["odd.mp4", "small.webm", "b.avi", "jpegs"])
def test_sources_of_all_forms_keep_every_picture_in_order(tmp_path: Path, form: str) -> None:
    look = moving((65, 49) if form == "odd.mp4" else (64, 48))
    source = stills(tmp_path / form, 25, look) if form == "jpegs" else video(tmp_path / form, look, times=range(25))
    outcome, path = prepared(source)
    assert isinstance(outcome, Prepared) and outcome.pictures == 25 and outcome.repeated == 0
    assert outcome.fps == ("12" if form == "jpegs" else "25")
    shown = images(path)
    sizes = {image.shape for image in shown}
    assert sizes == {(256, 340, 3)}
    size = look(0).shape[1], look(0).shape[0]
    for number in (0, 7, 24):
        small = av.VideoFrame.from_ndarray(shown[number]).reformat(*size).to_ndarray(format="rgb24").astype(int)
        errors = [np.abs(small - look(other)).mean() for other in range(25)]
        assert int(np.argmin(errors)) == number


UPRIGHT = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}


@pytest.mark.parametrize("degrees", UPRIGHT)
def test_a_turned_picture_stands_upright(tmp_path: Path, degrees: int) -> None:
    """Its brightest quarter is at the top left as it is coded."""
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:24, :32] = 250
    clip = video(tmp_path / "a.mp4", lambda number: corner, times=range(3))
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (side << 16 for side in UPRIGHT[degrees])
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    clip.write_bytes(bytes(data))
    shown = images(prepared(clip)[1])[0]
    assert shown.shape == (256, 340, 3)
    turned = np.rot90(corner[..., 0] > 100, degrees // 90)
    halves = [half for rows in np.array_split(shown[..., 0], 2) for half in np.array_split(rows, 2, axis=1)]
    bright = int(np.argmax([half.mean() for half in halves]))
    places = [half for rows in np.array_split(turned, 2) for half in np.array_split(rows, 2, axis=1)]
    assert bright == int(np.argmax([half.mean() for half in places]))


def test_interlaced_pictures_are_made_whole(tmp_path: Path) -> None:
    look = moving((64, 64), step=1)

    def woven(number: int) -> NDArray[np.uint8]:
        picture = look(8 * number).copy()
        picture[1::2] = look(8 * number + 4)[1::2]
        return picture

    combs = []
    for name, options in (("fields", {"x264-params": "interlaced=1:tff=1"}), ("frames", {})):
        outcome, path = prepared(video(tmp_path / f"{name}.mp4", woven, times=range(8), crf="10", **options))
        assert isinstance(outcome, Prepared) and outcome.pictures == 8
        assert outcome.interlaced == (8 if options else 0)
        small = [av.VideoFrame.from_ndarray(each).reformat(64, 64).to_ndarray(format="gray") for each in images(path)]
        combs.append(np.mean([np.abs(np.diff(each.astype(int), axis=0)).mean() for each in small]))
    assert combs[0] < 0.6 * combs[1]


def test_a_variable_rate_becomes_a_constant_one(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 8, 9, 10, 11]
    outcome, path = prepared(video(tmp_path / "a.mp4", times=times))
    assert isinstance(outcome, Prepared) and outcome.fps == "25"  # the mean is 16 2/3
    assert (outcome.pictures, outcome.repeated, outcome.dropped) == (12, 4, 0)
    shown = images(path)
    still = [np.abs(one.astype(int) - other).mean() < 3 for one, other in zip(shown, shown[1:])]
    assert still == [False] * 3 + [True] * 4 + [False] * 4


def test_a_rate_that_is_given_takes_the_nearest_pictures(tmp_path: Path) -> None:
    outcome, _ = prepared(video(tmp_path / "a.mp4", times=range(20)), fps=Fraction(25, 2))
    assert isinstance(outcome, Prepared)
    assert (outcome.pictures, outcome.dropped, outcome.fps) == (10, 10, "25/2")


def test_places_are_taken_by_the_nearest_time() -> None:
    places = Places(10.0)
    taken = [list(places.of(seconds)) for seconds in (5.0, 5.1, 5.14, 5.22, 5.51, 5.6)]
    assert taken == [[0], [1], [], [2], [3, 4, 5], [6]]
    assert (places.taken, places.repeated, places.dropped) == (7, 2, 1)


def test_a_stretch_is_cut_out(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4", rate=Fraction(5), times=range(100), g="10", bf="2")
    outcome, path = prepared(clip, stretch=(7, 11))
    assert isinstance(outcome, Prepared) and outcome.pictures == 20 and outcome.stretch == (7, 11)
    meant, shown = images(clip)[35:55], images(path)
    for one, other in zip(shown, meant):
        small = av.VideoFrame.from_ndarray(one).reformat(64, 48).to_ndarray(format="rgb24").astype(int)
        assert np.abs(small - other).mean() < 10


def test_a_stretch_of_what_is_no_longer_is_the_whole(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4", rate=Fraction(5), times=range(52))
    outcome, _ = prepared(clip, stretch=(30, 40))
    assert isinstance(outcome, Prepared) and outcome.pictures == 52
    outcome, _ = prepared(clip, stretch=(30, 40), only=False)
    assert isinstance(outcome, LeftOut) and "which it shows is unknown" in outcome.reason
    outcome, _ = prepared(clip, stretch=(30, 34))
    assert outcome == LeftOut("a.mp4", "no picture in it from 30 to 34 s, and it is longer than that")


def test_what_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no video" * 100)
    assert "not a video" in str(prepared(junk)[0])
    whole = video(tmp_path / "cut.avi", times=range(200))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    outcome, _ = prepared(whole)
    assert isinstance(outcome, Prepared) and 50 < outcome.pictures < 150
    missing = stills(tmp_path / "jpegs")
    (missing / "00007.jpg").unlink()
    outcome, path = prepared(missing)
    assert isinstance(outcome, LeftOut) and "picture 7 is missing" in outcome.reason
    (missing / "00007.jpg").write_bytes(b"no jpeg")
    assert isinstance(prepared(missing)[0], LeftOut)
    assert path.exists()  # that of the file before it, which nothing was put in the place of


def test_damage_is_counted(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.avi", times=range(40), bf="0")
    data = bytearray(clip.read_bytes())
    at = [place for place in range(len(data)) if data[place : place + 4] == b"00dc"]
    for place in at[20:22]:  # the index has the same tags, but behind all pictures
        data[place + 8 : place + 30] = bytes(22)
    clip.write_bytes(bytes(data))
    outcome, _ = prepared(clip)
    assert isinstance(outcome, Prepared) and sum(outcome.lost.values()) == 2
    assert outcome.pictures == 40 and outcome.repeated == 2


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "folder"
    (folder / ".prepare").mkdir(parents=True)
    (folder / "a").symlink_to(outside)
    source = Source(video(tmp_path / "x.mp4"), "a/x.mp4", "a/x.mp4")
    with pytest.raises(EdgecvarError, match="a link leads out of"):
        prepare_clip(Job(source, Settings("coviar"), folder, folder / ".prepare"))
    assert list(outside.iterdir()) == []

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgecvar.clips.gop import cut_windows
from edgecvar.clips.motion_source import MotionSource
from edgecvar.clips.prepare import Preparer
from edgecvar.clips.sampling import centre_segments
from edgecvar.clips.spec import CODED, PREPARED, InputSpec
from edgecvar.errors import DatasetError, EdgecvarError
from edgecvar.stream.reader import open_stream
from edgecvar.train.data.reading import read_clip
from edgecvar.train.data.recorded import Packed, RecordedClip
from tests.moving_clip import moving_clip
from tests.small_recipe import write_clip
from tests.stream.known_clips import encode, translation
from tests.stream.test_containers import edited

pytestmark = pytest.mark.train


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        arrays.arrays(np.float32, (3, 4, 2), elements=st.floats(width=32, allow_nan=False)),
        arrays.arrays(np.float32, (3, 4, 2), elements=st.integers(-4000, 4000).map(lambda quarter: quarter / 4)),
        arrays.arrays(np.int16, (4, 6), elements=st.integers(-32768, 32767)),
        arrays.arrays(np.int16, (4, 6), elements=st.integers(-128, 127)),
        arrays.arrays(np.bool_, (5, 7)),
    )
)
def test_packing_gives_every_bit_back(array: np.ndarray) -> None:
    again = Packed.pack(array).unpack()
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.tobytes() == array.tobytes()


def test_small_values_are_kept_small() -> None:
    rng = np.random.default_rng(1)
    assert Packed.pack(rng.integers(-128, 128, (8, 8)).astype(np.int16)).kept_as == "|i1"
    assert Packed.pack((rng.integers(-99, 99, (8, 8)) / 4).astype(np.float32)).kept_as == "<f2"
    assert Packed.pack(np.full((8, 8), 1 / 3, np.float32)).kept_as == "<f4"
    assert Packed.pack(np.full((8, 8), 128, np.int16)).kept_as == "<i2"


def test_what_is_zero_takes_a_bit_for_a_word() -> None:
    still = np.zeros((180, 320, 2), np.float32)
    still[90, 160] = (0.75, -2.0)
    assert len(Packed.pack(still).deflated) < 100


@pytest.mark.parametrize("accumulate", [False, True])
def test_a_recorded_clip_is_a_fresh_reading_bit_for_bit(moving: Path, accumulate: bool) -> None:
    """Values, and the inputs that training and running prepare from them, are the same numbers."""
    path = moving / "left" / "clip_0.mp4"
    spec = InputSpec(height=32, width=48, accumulate=accumulate)
    recorded = read_clip(path, spec)
    compared = 0
    with open_stream(path) as stream:
        motion_source, preparer = MotionSource(stream.info, spec), Preparer(stream.info, spec)
        assert recorded.info == stream.info
        kinds = []
        for index, picture in enumerate(stream):
            kinds.append(picture.kind)
            motion_source.push(picture)
            if picture.kind == "I":
                assert picture.image is not None
                assert recorded.images[index].rgb().tobytes() == picture.image.tobytes()
                continue
            kept = recorded.values[index]
            velocity, residual = motion_source.motion(picture), motion_source.residual(picture)
            assert kept.velocity.unpack().tobytes() == velocity.tobytes()
            again = kept.residual()
            for name in ("y", "cb", "cr"):
                assert getattr(again, name).tobytes() == getattr(residual, name).tobytes()
            assert preparer.motion(kept.velocity.unpack()).tobytes() == preparer.motion(velocity).tobytes()
            assert preparer.residual(again).tobytes() == preparer.residual(residual).tobytes()
            assert kept.mask().tobytes() == motion_source.intra(picture).tobytes()
            compared += 1
    assert recorded.windows == cut_windows(kinds, spec.gop_length)
    assert len(recorded.images) == kinds.count("I") == 3
    assert compared == len(recorded.values) == len(kinds) - 3


@pytest.mark.parametrize("frames", [False, True])
def test_without_values_a_clip_is_tried_and_outlined(moving: Path, frames: bool) -> None:
    path, spec = moving / "right" / "clip_1.mp4", InputSpec(height=32, width=32)
    sources = PREPARED if frames else CODED
    whole, outline = read_clip(path, spec, sources), read_clip(path, spec, sources, values=False)
    assert whole.values and not (outline.images or outline.values or outline.frames)
    assert outline == replace(whole, images={}, values={}, frames={})


def test_motion_is_in_the_recording(moving: Path) -> None:
    """The clip moves left by 3 pixels a picture: without this the equality above could compare zeros."""
    recorded: RecordedClip = read_clip(moving / "left" / "clip_2.mp4", InputSpec(height=32, width=32))
    speeds = [np.median(value.velocity.unpack()[2:-2, 2:-2, 0]) for value in recorded.values.values()]
    assert np.median(speeds) == -3
    assert any(value.residual().y.any() for value in recorded.values.values())


def test_text_and_half_a_file_cannot_be_read(moving: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    whole = (moving / "left" / "clip_0.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("text.mp4", "half.mp4"):
        with pytest.raises(EdgecvarError):
            read_clip(tmp_path / name, InputSpec(height=32, width=32))


def test_a_clip_of_one_picture_has_nothing_to_sample(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.mp4", (1, 0), seed=1, pictures=1)
    with pytest.raises(DatasetError, match="no P or B picture"):
        read_clip(tmp_path / "one.mp4", InputSpec(height=32, width=32))


@pytest.mark.parametrize("kind", ["p", "b"])
def test_pictures_of_one_kind_are_recorded_alone(kind: str, tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4", 25, bf="2")
    spec = InputSpec(height=32, width=32, pictures=kind)
    recorded, whole = read_clip(path, spec), read_clip(path, InputSpec(height=32, width=32))
    with open_stream(path) as stream:
        of_kind = {index for index, picture in enumerate(stream) if picture.kind.lower() == kind}
    assert recorded.values.keys() == of_kind < whole.values.keys()
    assert {sample.picture for sample in centre_segments(recorded.windows, 60)} == of_kind
    assert recorded.values == {index: value for index, value in whole.values.items() if index in of_kind}


def test_a_clip_without_that_kind_says_what_it_has(tmp_path: Path) -> None:
    path, spec = moving_clip(tmp_path / "clip.mp4", 13), InputSpec(height=32, width=32, pictures="b")
    for values in (True, False):
        with pytest.raises(DatasetError, match=r"no B picture.*pictures=b samples no others \(2 I, 11 P, 0 B\)"):
            read_clip(path, spec, values=values)


def test_what_an_edit_list_hides_is_not_learnt_from(tmp_path: Path) -> None:
    """The demuxer begins at the key picture before it: three pictures of its GOP are hidden, that one among them."""
    clip = moving_clip(tmp_path / "clip.mp4", pictures=40, bf="2")
    edited(clip, 15)
    read = read_clip(clip, InputSpec())
    pictures = [index for window in read.windows for index in window.pictures]
    assert sorted(read.display[index] for index in pictures) == sorted({*range(3, 28)} - {12, 24})
    assert [read.display[window.appearance] for window in read.windows] == [0, 12, 24]
    assert set(read.values) == set(pictures)


def test_a_clip_ends_where_its_pictures_are_of_another_size(tmp_path: Path) -> None:
    parts = [moving_clip(tmp_path / "a.ts", pictures=20), encode(tmp_path / "b.ts", translation(20, (80, 80), (1, 0)))]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    read, alone = read_clip(clip, InputSpec()), read_clip(parts[0], InputSpec())
    assert read.cut and not alone.cut
    assert read.windows == alone.windows and set(read.values) == set(alone.values)


def test_no_neighbour_is_taken_from_beyond_a_break() -> None:
    windows = cut_windows("IPP" + "IPP" + "IPP" + "IPP", 12, opens=[6])
    assert [window.part for window in windows] == [0, 0, 1, 1]
    samples = centre_segments(windows, 4)
    assert [(sample.appearance, sample.adjacent) for sample in samples] == [(0, 3), (3, 0), (6, 9), (9, 6)]


def test_a_clip_of_intra_refresh_is_recorded_from_its_recovered_pictures_on(tmp_path: Path) -> None:
    options = {"x264-params": "threads=1:intra-refresh=1:keyint=12:qp=30"}
    pictures = translation(40, (64, 96), (1.5, 0))
    recorded = read_clip(encode(tmp_path / "clip.mp4", pictures, "libx264", options), InputSpec(gop_length=30))
    appearances = [window.appearance for window in recorded.windows]
    assert appearances[0] == 0 and len(set(appearances)) > 2
    assert set(appearances) == set(recorded.images)
    sampled = {index for window in recorded.windows for index in window.pictures}
    assert sampled == set(recorded.values) == set(range(1, 40))

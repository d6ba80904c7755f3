"""Order, counts, times, images, laziness and determinism of a reading."""

from __future__ import annotations

import gc
import io
import itertools
import math
from pathlib import Path
from typing import Any, List

import av
import numpy as np
import pytest

import edgecvar.stream.ffmpeg.content as content
from edgecvar import open_stream
from edgecvar.errors import StreamError
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import encode, encode_x264, translation


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = translation(27, (70, 90), (1.5, -0.5), patch=True)
    return encode_x264(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures, 28, b_pictures=2)


def read(path: Any, extraction: str = "auto") -> List[CodedPicture]:
    with open_stream(path, extraction) as stream:
        return list(stream)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_info(clip: Path, extraction: str) -> None:
    with open_stream(clip, extraction) as stream:
        info = stream.info
    assert (info.codec, info.width, info.height) == ("h264", 90, 70)
    assert (info.coded_width, info.coded_height, info.crop_left, info.crop_top) == (96, 80, 0, 0)
    assert info.fps == 25 and info.has_b_pictures and info.rotation == 0
    assert info.extraction == extraction and info.extraction_note


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_pictures_come_in_decode_order_with_their_display_order(clip: Path, extraction: str) -> None:
    pictures = read(clip, extraction)
    assert [picture.decode_index for picture in pictures] == list(range(27))
    assert sorted(picture.display_index for picture in pictures) == list(range(27))
    assert "".join(picture.kind for picture in pictures[:7]) == "IPBBPBB"
    assert [picture.display_index for picture in pictures[:4]] == [0, 3, 1, 2]
    assert [picture.keyframe for picture in pictures] == [picture.kind == "I" for picture in pictures]
    for picture in pictures:
        assert picture.pts_seconds == pytest.approx(picture.display_index / 25, abs=1e-3)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_content_by_kind(clip: Path, extraction: str) -> None:
    for picture in read(clip, extraction):
        assert (picture.image is None) == (picture.kind != "I")
        assert (picture.motion is None) == (picture.residual is None) == (picture.kind == "I")
        if picture.motion is not None and picture.residual is not None:
            assert picture.motion.intra.shape == (20, 24)
            assert picture.residual.y.shape == (80, 96) and picture.residual.cr.shape == (40, 48)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_images_are_those_that_swscale_makes(clip: Path, extraction: str) -> None:
    with av.open(str(clip)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    images = [(p.display_index, p.image) for p in read(clip, extraction) if p.image is not None]
    assert len(images) == 3
    for index, image in images:
        assert image.shape == (70, 90, 3) and image.dtype == np.uint8
        # swscale interpolates chroma across pixels, this repeats it: alike on average, not sample for sample
        assert np.abs(image.astype(int) - shown[index]).mean() < 3


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_same_bytes_same_values(clip: Path, extraction: str) -> None:
    for first, second in zip(read(clip, extraction), read(io.BytesIO(clip.read_bytes()), extraction)):
        assert first == second
        for a, b in ((first.motion, second.motion), (first.residual, second.residual)):
            if a is not None and b is not None:
                for name, value in vars(a).items():
                    assert np.array_equal(value, getattr(b, name))
        assert first.image is None or np.array_equal(first.image, second.image)


def test_nothing_is_computed_unasked(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"vectors_to_grid": 0, "residual_of": 0, "make_sampler": 0, "planes_of": 0}

    def counting(name: str) -> Any:
        right = getattr(content, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return right(*args, **kwargs)

        return call

    for name in calls:
        monkeypatch.setattr(content, name, counting(name))
    pictures = read(clip, "ffmpeg")
    assert set(calls.values()) == {0}
    moving = [picture for picture in pictures if picture.kind != "I"]
    assert moving[0].motion is moving[0].motion
    assert calls == {"vectors_to_grid": 1, "residual_of": 0, "make_sampler": 0, "planes_of": 0}
    assert moving[0].residual is moving[0].residual
    assert calls == {"vectors_to_grid": 1, "residual_of": 1, "make_sampler": 1, "planes_of": 0}
    assert pictures[0].image is pictures[0].image
    assert calls["planes_of"] == 1


def test_half_sample_planes_are_shared_by_the_pictures_of_a_reference(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    right = content.make_sampler
    monkeypatch.setattr(content, "make_sampler", lambda *given: made.append(1) or right(*given))
    with open_stream(clip, "ffmpeg") as stream:
        for picture in itertools.islice(stream, 12):
            assert picture.residual is not None or picture.kind == "I"
    assert len(made) <= 5  # I P B B P B B P B B P: five pictures are referred to


def test_a_kept_picture_keeps_no_earlier_content(tmp_path: Path) -> None:
    path = encode_x264(tmp_path / "clip.mp4", translation(11, (48, 64), (1, 0)), 30)
    with open_stream(path, "ffmpeg") as stream:
        pictures = list(stream)
    for picture in pictures:
        assert picture.residual is not None or picture.kind == "I"
    held = [thing for thing in gc.get_referents(vars(pictures[-1].content)) if thing is not None]
    assert not any(isinstance(thing, content.DecodedContent) for thing in held)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_a_pipe_and_a_file_object(clip: Path, extraction: str) -> None:
    class Pipe:
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self._data.read(size)

        def seekable(self) -> bool:
            return False

    transport = clip.with_suffix(".ts")
    with av.open(str(clip)) as source, av.open(str(transport), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 90, 70, "yuv420p"
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    assert len(read(clip.open("rb"), extraction)) == 27
    assert len(read(Pipe(transport.read_bytes()), extraction)) == 27


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_variable_frame_rate_keeps_its_times(tmp_path: Path, extraction: str) -> None:
    times = [0, 1, 2, 7, 8, 20, 21, 50, 51, 52, 53, 60]
    path = encode(tmp_path / "clip.mp4", translation(12, (48, 64), (1, 0)), b_pictures=2, times=times)
    pictures = sorted(read(path, extraction), key=lambda picture: picture.display_index)
    assert [picture.pts_seconds * 25 for picture in pictures] == pytest.approx(times, abs=0.05)


@pytest.mark.parametrize("suffix", ["h264", "avi"])
def test_containers_without_display_times(tmp_path: Path, suffix: str) -> None:
    codec = "libx264" if suffix == "h264" else "mpeg4"
    path = encode(tmp_path / f"clip.{suffix}", translation(14, (48, 64), (1, 0)), codec, {}, 2)
    pictures = sorted(read(path), key=lambda picture: picture.display_index)
    times = [picture.pts_seconds for picture in pictures]
    assert len(pictures) == 14 and all(math.isfinite(time) for time in times)
    assert np.diff(times) == pytest.approx(np.full(13, 1 / 25), abs=1e-3)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_full_range_and_named_matrix_reach_the_image(tmp_path: Path, extraction: str) -> None:
    grey = [np.full((32, 48, 3), (200, 40, 60), np.uint8)] * 3
    path = encode(tmp_path / "clip.mp4", grey, "libx264", {"x264-params": "qp=4"}, pixel_format="yuvj420p")
    image = read(path, extraction)[0].image
    assert image is not None and np.abs(image.astype(int) - [200, 40, 60]).max() <= 4


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_closing_ends_the_reading(clip: Path, extraction: str) -> None:
    stream = open_stream(clip, extraction)
    assert next(iter(stream)).kind == "I"
    stream.close()
    with pytest.raises(StreamError, match="open it again"):
        list(stream)


@pytest.mark.parametrize("extraction", ["native", "ffmpeg"])
def test_summary_counts_pictures(clip: Path, extraction: str) -> None:
    with open_stream(clip, extraction) as stream:
        assert sum(1 for _ in stream) == stream.summary.pictures == 27
        assert stream.summary.skipped == 0 and stream.summary.reasons == {}

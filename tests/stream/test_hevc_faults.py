"""HEVC that is not read is refused by name; what is damaged or cut short is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from edgecvar.errors import EdgecvarError, StreamError, UnsupportedCodecError
from edgecvar.stream.nal.units import kind_of, split_units
from edgecvar.stream.native import choice
from edgecvar.stream.reader import open_stream
from tests.stream.hevc_clips import COUNT, SIZE, packets_of, read, whole_clip
from tests.stream.known_clips import X265, encode, translation


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_clip(tmp_path_factory.mktemp("hevc") / "clip.hevc")


@pytest.mark.parametrize("pixels, why", [("yuv422p", "4:2:2"), ("yuv444p10le", "4:4:4"), ("yuv420p12le", "12")])
@pytest.mark.parametrize("extraction", ["auto", "native", "ffmpeg"])
def test_what_the_core_does_not_read_is_refused_by_name(tmp_path: Path, pixels: str, why: str, extraction: str) -> None:
    options = {"x265-params": X265}
    path = encode(tmp_path / "clip.mp4", translation(3, SIZE, (1, 0)), "libx265", options, 0, None, None, pixels)
    with pytest.raises(
        UnsupportedCodecError, match=rf"native core.*{why}.*set the camera to 4:2:0 of 8 or 10"
    ) as caught:
        open_stream(path, extraction)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_nothing_else_reads_it(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCodecError, match=r"FFmpeg gives no vectors of HEVC, .*use extraction='auto'"):
        open_stream(clip, "ffmpeg")
    monkeypatch.setattr(choice, "MODULE", "edgecvar.stream.native._absent")
    with pytest.raises(UnsupportedCodecError, match="not installed here, and nothing else reads HEVC; install"):
        open_stream(clip)


def test_without_a_picture_the_error_says_so(clip: Path, tmp_path: Path) -> None:
    sets = [unit for unit in split_units(packets_of(clip)[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    path = tmp_path / "sets.hevc"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in sets) * 20)
    with pytest.raises(StreamError, match=r"no picture|not a video"):
        open_stream(path)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.2])
def test_a_truncated_stream_gives_what_is_there(clip: Path, tmp_path: Path, keep: float) -> None:
    data = clip.read_bytes()
    path = tmp_path / "cut.hevc"
    path.write_bytes(data[: int(len(data) * keep)])
    with open_stream(path) as stream:
        pictures = list(stream)
        assert 0 < len(pictures) == stream.summary.pictures < COUNT
    assert [picture.decode_index for picture in pictures] == list(range(len(pictures)))


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes(clip: Path, tmp_path: Path, seed: int) -> None:
    data = bytearray(clip.read_bytes())
    rng = np.random.RandomState(seed)
    for place in rng.randint(100, len(data), 40):
        data[place] = rng.randint(256)
    path = tmp_path / "damaged.hevc"
    path.write_bytes(bytes(data))
    digests = []
    for threads in (1, 2):
        values: List[Any] = []
        try:
            with open_stream(path, threads=threads) as stream:
                for picture in stream:
                    values += [picture.kind, picture.display_index]
                    if picture.motion is not None and picture.residual is not None:
                        values += [picture.motion.exact, picture.motion.mv_qpel.tobytes(), picture.residual.y.tobytes()]
                values += [stream.summary.pictures, stream.summary.damaged, stream.summary.skipped]
                assert stream.summary.damaged + stream.summary.skipped > 0
        except EdgecvarError as error:
            assert "\n" not in str(error)
        digests.append(values)
    assert digests[0] == digests[1]


def test_pictures_that_rest_on_a_lost_one_are_no_longer_exact(clip: Path, tmp_path: Path) -> None:
    packets, whole = packets_of(clip), read(clip)
    path = tmp_path / "lost.hevc"
    path.write_bytes(b"".join(packets[:1] + packets[2:]))  # the first P-picture
    with open_stream(path) as stream:
        found = list(stream)
        assert stream.summary.damage.get("pictures missing before it", 0) >= 1
    assert len(found) == COUNT - 1
    assert found[1].motion is not None and not found[1].motion.exact  # a B-picture between it and the first
    key = [picture for picture in found if picture.kind == "I"][1]
    behind = [picture for picture in found if picture.display_index > key.display_index]
    assert behind and all(picture.motion.exact for picture in behind if picture.motion is not None)
    for mine, true in zip(found[2:], whole[3:]):
        assert mine.display_index == true.display_index - (true.display_index > 3) and mine.kind == true.kind

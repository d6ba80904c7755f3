"""What is encoded is what the plan asked for, and its vectors follow the plan."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edgecvar.datasets.encoder import mpeg4_quantiser
from edgecvar.errors import EdgecvarError
from edgecvar.stream.reader import open_stream
from edgecvar.synth.classes import LABELS
from edgecvar.synth.encode import encode
from edgecvar.synth.plan import CODECS, Canvas, ClipPlan, Encoding, Track, draw_plan, track
from edgecvar.synth.render import render

CODINGS = [("h264", "mp4"), ("hevc", "mp4"), ("mpeg4", "mp4"), ("mpeg4", "avi")]
Pictures = List[NDArray[np.uint8]]


def moving(count: int, step: int = 2, seed: int = 0) -> Tuple[Canvas, Pictures]:
    """A smooth random picture that moves `step` pixels a picture to the right, round and round."""
    rng = np.random.default_rng(seed)
    field = np.kron(rng.integers(40, 200, (16, 24, 3)), np.ones((8, 8, 1)))
    for axis in (0, 1):
        field = (field + np.roll(field, 4, axis) + np.roll(field, -4, axis)) / 3
    picture = field.astype(np.uint8)
    return Canvas(192, 128, Fraction(25)), [np.roll(picture, step * index, axis=1) for index in range(count)]


def pattern(path: Path) -> Tuple[str, List[int], str]:
    """Codec, display indices of the keyframes and the kinds of all pictures in display order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        frames = list(container.decode(stream))
        # PyAV 12 has an enumeration, later ones an integer enumeration: both count from I = 1.
        kinds = "".join("?IPB"[int(frame.pict_type)] for frame in frames)
        keys = [index for index, frame in enumerate(frames) if frame.key_frame]
        return stream.codec_context.name, keys, kinds


@pytest.mark.parametrize(("codec", "container"), CODINGS)
@pytest.mark.parametrize("b_pictures", [0, 1, 2, 3])
@pytest.mark.parametrize("gop_length", [12, 30])
def test_file_has_the_codec_gop_and_b_pictures_of_the_plan(
    tmp_path: Path, codec: str, container: str, b_pictures: int, gop_length: int
) -> None:
    canvas, pictures = moving(49)
    path = tmp_path / f"clip.{container}"
    encode(path, pictures, canvas, Encoding(codec, container, gop_length, b_pictures, 24))
    name, keys, kinds = pattern(path)
    assert name == codec
    assert len(kinds) == 49
    assert [index for index, kind in enumerate(kinds) if kind == "I"] == keys
    distances = np.diff(keys)
    if codec != "mpeg4":
        assert set(distances.tolist()) == {gop_length}
    else:
        # The MPEG-4 encoder ends a GOP before the run of B-pictures that would pass its end.
        assert set(distances.tolist()) <= set(range(gop_length - b_pictures, gop_length + b_pictures + 1))
        assert len(set(distances.tolist())) == 1
    assert max(len(run) for run in kinds.replace("P", "I").split("I")) == b_pictures


@pytest.mark.parametrize(("codec", "container"), CODINGS)
@pytest.mark.parametrize("b_pictures", [0, 2])
def test_a_jump_changes_no_picture_kind(tmp_path: Path, codec: str, container: str, b_pictures: int) -> None:
    canvas, pictures = moving(36)
    flat = np.full_like(pictures[0], 120)
    kinds = []
    for shown in (pictures, pictures[:25] + moving(11, seed=1)[1], pictures[:25] + [flat] * 11):
        path = tmp_path / f"{len(kinds)}.{container}"
        encode(path, shown, canvas, Encoding(codec, container, 30, b_pictures, 24))
        kinds.append(pattern(path)[2])
    assert kinds[0] == kinds[1] == kinds[2]


def keyframe_packets(path: Path) -> List[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size and packet.is_keyframe]


@pytest.mark.parametrize(("codec", "container"), CODINGS)
def test_motion_before_and_after_does_not_change_how_an_i_picture_is_coded(
    tmp_path: Path, codec: str, container: str
) -> None:
    coded = []
    for step in (0, 1, 4):
        canvas, pictures = moving(36, step)
        pictures[0] = pictures[12] = moving(1)[1][0]
        path = tmp_path / f"{step}.{container}"
        encode(path, pictures, canvas, Encoding(codec, container, 12, 0, 24))
        coded.append(keyframe_packets(path)[:2])
    assert coded[0] == coded[1] == coded[2]


def test_i_pictures_of_one_draw_are_the_same_bytes_in_every_class(tmp_path: Path) -> None:
    for seed in range(3):
        firsts = set()
        for label in LABELS:
            plan = draw_plan(label, np.random.default_rng([41, seed]))
            path = tmp_path / f"{label}.{plan.encoding.container}"
            shown = (picture for picture, _ in zip(render(plan), range(6)))
            encode(path, shown, plan.canvas, plan.encoding)
            firsts.add(keyframe_packets(path)[0])
        assert len(firsts) == 1


def test_a_higher_crf_is_a_smaller_file(tmp_path: Path) -> None:
    plan = draw_plan("left", np.random.default_rng(2))
    pictures = [picture for picture, _ in zip(render(plan), range(12))]
    for codec in CODECS:
        sizes = []
        for crf in (18, 25, 32):
            path = tmp_path / f"{codec}{crf}.mp4"
            encode(path, pictures, plan.canvas, Encoding(codec, "mp4", 12, 0, crf))
            sizes.append(path.stat().st_size)
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 1.5 * sizes[2]


def test_one_crf_is_one_quality_in_x264_and_x265(tmp_path: Path) -> None:
    plan = draw_plan("left", np.random.default_rng(2))
    pictures = [picture for picture, _ in zip(render(plan), range(12))]
    for crf in (20, 28):
        errors = []
        for codec in ("h264", "hevc"):
            path = tmp_path / f"{codec}{crf}.mp4"
            encode(path, pictures, plan.canvas, Encoding(codec, "mp4", 12, 0, crf))
            with av.open(str(path)) as container:
                shown = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
            errors.append(np.mean([np.square(one - other).mean() for one, other in zip(shown, pictures)]))
        assert 0.6 < errors[1] / errors[0] < 1.6


def test_quantisers_of_the_two_codecs_match() -> None:
    assert [mpeg4_quantiser(crf) for crf in (18, 24, 32)] == [2, 5, 13]
    assert mpeg4_quantiser(51) == 31


@pytest.mark.parametrize(("codec", "container"), CODINGS)
def test_the_same_pictures_give_the_same_bytes(tmp_path: Path, codec: str, container: str) -> None:
    files = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        plan = with_coding(draw_plan("shake", np.random.default_rng(seed)), codec, container, 2)
        path = tmp_path / f"{name}.{container}"
        encode(path, render(plan), plan.canvas, plan.encoding)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_x265_says_nothing_past_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    canvas, pictures = moving(3)
    encode(tmp_path / "clip.mp4", pictures, canvas, Encoding("hevc", "mp4", 12, 0, 24))
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, b"an older clip"])
def test_a_failure_leaves_no_half_file(tmp_path: Path, failure: type, before: Optional[bytes]) -> None:
    canvas, pictures = moving(30)
    path = tmp_path / "clip.mp4"
    if before is not None:
        path.write_bytes(before)

    def broken() -> Iterator[NDArray[np.uint8]]:
        yield from pictures
        raise failure

    with pytest.raises(failure):
        encode(path, broken(), canvas, Encoding("h264", "mp4", 12, 0, 24))
    assert [item.name for item in tmp_path.iterdir()] == ([] if before is None else ["clip.mp4"])
    assert before is None or path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_one_named_error(tmp_path: Path) -> None:
    canvas, pictures = moving(3)
    with pytest.raises(EdgecvarError, match=r"missing.clip\.mp4: cannot encode h264"):
        encode(tmp_path / "missing" / "clip.mp4", pictures, canvas, Encoding("h264", "mp4", 12, 0, 24))


def with_coding(plan: ClipPlan, codec: str, container: str, b_pictures: int) -> ClipPlan:
    coding = Encoding(codec, container, 250, b_pictures, 28)
    return dataclasses.replace(plan, encoding=coding)


def expected_motion(path: Track, now: int, then: int, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the top object's points at `places` (N, 2) of picture `now` have come from, as motion (N, 2)."""
    turn = path.angles[then, 1] - path.angles[now, 1]
    scale = path.radii[then, 1] / path.radii[now, 1]
    spin = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return places - path.centres[then, 1] - (places - path.centres[now, 1]) @ spin.T


Vectors = Tuple[int, NDArray[np.float64], NDArray[np.float64]]
"""A picture's number, and of its blocks (N, 2) where they are and how far they moved since the picture before."""


def exported(file: Path) -> Iterator[Vectors]:
    """What FFmpeg exports of a clip without B-pictures."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.options = {"flags2": "+export_mvs"}
        for now, frame in enumerate(container.decode(stream)):
            vectors = frame.side_data.get("MOTION_VECTORS")
            if vectors is not None:
                table = vectors.to_ndarray()
                blocks = np.stack([table["dst_x"], table["dst_y"]], axis=1).astype(float) - 0.5
                scale = table["motion_scale"][:, None].astype(float)
                yield now, blocks, -np.stack([table["motion_x"], table["motion_y"]], axis=1) / scale


def parsed(file: Path) -> Iterator[Vectors]:
    """What the native core reads of HEVC, of which FFmpeg exports nothing."""
    with open_stream(file) as stream:
        for picture in stream:
            if picture.motion is not None:
                used = picture.motion.ref_offset[0] == -1
                rows, columns = np.nonzero(used)
                places = np.stack([4 * columns, 4 * rows], axis=1) + 1.5
                yield picture.display_index, places, -picture.motion.mv_qpel[0][used] / 4.0


def vector_errors(file: Path, plan: ClipPlan) -> List[float]:
    """Pixels between decoded and planned motion of P blocks inside the top object, where nothing jumps."""
    path = track(plan)
    errors: List[float] = []
    for now, blocks, moved in parsed(file) if plan.encoding.codec == "hevc" else exported(file):
        inside = np.hypot(*(blocks - path.centres[now, 1]).T) < 0.6 * path.radii[now, 1]
        jumped = np.abs(path.centres[now] - path.centres[now - 1]).max() > 8
        if now == 0 or jumped or abs(path.radii[now, 1] / path.radii[now - 1, 1] - 1) > 0.1:
            continue
        errors += np.hypot(*(moved - expected_motion(path, now, now - 1, blocks))[inside].T).tolist()
    return errors


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("codec", CODECS)
def test_decoded_vectors_follow_the_plan(tmp_path: Path, codec: str, label: str) -> None:
    errors: List[float] = []
    for seed in range(1 if codec == "hevc" else 2):  # it has a vector for every 4 x 4
        plan = with_coding(draw_plan(label, np.random.default_rng([51, seed])), codec, "mp4", 0)
        path = tmp_path / f"{seed}.mp4"
        encode(path, render(plan), plan.canvas, plan.encoding)
        errors += vector_errors(path, plan)
    assert len(errors) > 200
    # A block of a turning or growing object has one vector for many motions: a pixel, in nine blocks of ten.
    assert np.mean(np.array(errors) < 1.0) > 0.9

"""Decoders are set up in one place, and each gives what it is for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import av
import numpy as np
import pytest

import edgecvar
from edgecvar.errors import StreamError
from edgecvar.stream import decoders
from edgecvar.stream.decoders import KeyDecoder, decode, plain_decoder, vector_decoder, viewer, viewer_beside
from tests.stream.known_clips import encode_x264, translation

PACKAGE = Path(edgecvar.__file__).parent
DOOR = PACKAGE / "stream" / "decoders.py"
ENCODER = PACKAGE / "datasets" / "encoder.py"
ENCODERS = [ENCODER, PACKAGE / "sinks", PACKAGE / "stream" / "png.py"]
ATTRIBUTES = {"thread_type", "thread_count", "options", "skip_frame", "flags", "flags2", "extradata", "codec_tag"}
OPTIONS = {"flags2", "skip_loop_filter", "apply_cropping", "skip_frame", "thread_type", "thread_count"}


def set_ups(file: Path) -> Iterator[str]:
    """Every place in a file that makes a codec context, sets another object's like attributes, or names an option."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        name = ""
        if isinstance(node, ast.Constant) and node.value in OPTIONS:
            name = node.value
        elif isinstance(node, ast.Attribute):
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            stored = isinstance(node.ctx, ast.Store) and owner != "self" and node.attr in ATTRIBUTES
            name = node.attr if stored or (owner, node.attr) == ("CodecContext", "create") else ""
        if name:
            yield f"{file.relative_to(PACKAGE)}:{node.lineno} {name}"


def test_no_other_file_sets_a_decoder_up() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if file != DOOR and not {file, *file.parents} & set(ENCODERS)]
    assert len(files) > 100
    assert [place for file in files for place in set_ups(file)] == []


def test_a_set_up_would_be_noticed() -> None:
    there = {place.split()[-1] for place in set_ups(DOOR)}
    assert {"create", "thread_type", "thread_count", "options", "flags2", "skip_loop_filter", "apply_cropping"} <= there
    assert list(set_ups(ENCODER)) and list(set_ups(PACKAGE / "stream" / "png.py"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures of 90 x 70 with B-pictures and open GOPs, coarse enough for the loop filter to work."""
    moving = translation(40, (70, 90), (1.5, -0.5), patch=True)
    return encode_x264(tmp_path_factory.mktemp("decoders") / "clip.mp4", moving, 34, 2, "open-gop=1")


def frames_of(clip: Path, set_up: Callable[[Any], Any]) -> Tuple[Any, List[Any]]:
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        context = set_up(video.codec_context)
        frames = [
            frame for packet in container.demux(video) for frame in decode(context, packet if packet.size else None)
        ]
        assert (context.thread_type.name, context.thread_count) == ("SLICE", 1)
    return context, frames


def luma(frame: Any) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:70, :90]


def same(frames: List[Any], others: List[Any]) -> List[bool]:
    assert len(frames) == len(others) == 40
    return [np.array_equal(luma(one), luma(other)) for one, other in zip(frames, others)]


def test_vectors_come_where_they_are_asked_for(clip: Path) -> None:
    for set_up, expected in (
        (vector_decoder, True),
        (lambda context: plain_decoder(context, vectors=True), True),
        (lambda context: plain_decoder(context, vectors=False), False),
        (lambda context: viewer(context, incomplete=True), False),
        (viewer_beside, False),
    ):
        _, frames = frames_of(clip, set_up)
        exported = [frame.side_data.get("MOTION_VECTORS") is not None for frame in frames]
        assert exported == [expected and frame.pict_type != 1 for frame in frames]


def test_the_loop_filter_is_off_for_p_and_b_pictures_where_samples_are_compared(clip: Path) -> None:
    _, shown = frames_of(clip, viewer_beside)
    assert all(same(shown, frames_of(clip, lambda context: viewer(context, incomplete=False))[1]))
    _, coded = frames_of(clip, vector_decoder)
    assert same(shown, coded) == [frame.pict_type == 1 for frame in shown]


def test_macroblocks_are_whole_but_where_a_picture_is_only_looked_at(clip: Path) -> None:
    sizes = []
    for set_up in (vector_decoder, viewer_beside, lambda context: viewer(context, incomplete=False)):
        _, frames = frames_of(clip, set_up)
        sizes.append({(frame.width, frame.height) for frame in frames})
    assert sizes == [{(96, 80)}, {(96, 80)}, {(90, 70)}]


def test_an_i_picture_alone_is_the_one_among_all(clip: Path) -> None:
    _, shown = frames_of(clip, vector_decoder)
    pictures = {frame.pts: frame for frame in shown}
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        packets = {packet.pts: bytes(packet) for packet in container.demux(video) if packet.size}
        decoder = KeyDecoder(video.codec_context)
        intra = [pts for pts, frame in pictures.items() if frame.pict_type == 1]
        assert len(intra) > 2
        for pts in reversed(intra):
            alone = decoder.frame(b"", packets[pts])
            assert (alone.width, alone.height) == (96, 80)
            assert np.array_equal(luma(alone), luma(pictures[pts]))


def test_what_cannot_be_decoded_harms_no_later_i_picture(clip: Path) -> None:
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        first = next(bytes(packet) for packet in container.demux(video))
        decoder = KeyDecoder(video.codec_context)
        right = luma(decoder.frame(b"", first)).copy()
        for broken in (b"\0\0\0\2\x65\xff", first[:4], b"\xff" * 40):
            with pytest.raises(StreamError) as caught:
                decoder.frame(b"", broken)
            assert str(caught.value) and "\n" not in str(caught.value)
            assert np.array_equal(luma(decoder.frame(b"", first)), right)


def test_the_reason_that_a_decoder_gives_is_the_message(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def decode(self, packet: Any) -> List[Any]:
            raise av.error.InvalidDataError(1, "Invalid data found\nwhen processing input")

    with pytest.raises(StreamError, match=r"^Invalid data found when processing input$"):
        decoders.decode(Refusing(), None)  # type: ignore[arg-type]

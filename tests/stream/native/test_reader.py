"""The native reading beside the FFmpeg one, picture by picture, and which of them a stream gets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional

import av
import numpy as np
import pytest

from edgecvar.clips.clock import NoClock
from edgecvar.clips.feed import Demand, Feed
from edgecvar.clips.messages import SampledPicture
from edgecvar.clips.spec import InputSpec
from edgecvar.errors import StreamError
from edgecvar.stream.decoders import KeyDecoder
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.native import choice as native_choice
from edgecvar.stream.pixels import decoded_pictures
from edgecvar.stream.reader import open_stream
from edgecvar.stream.types import CodedPicture, PredictionWeights, StreamSummary
from tests.stream.known_clips import encode, encode_x264, encode_x265, stream_like, translation

CLIPS = {
    "p": ("mp4", 0, ""),
    "b": ("mp4", 2, ""),
    "pyramid": ("mkv", 5, "b-pyramid=normal:ref=4:keyint=40"),
    "open_gop": ("mp4", 2, "open-gop=1"),
    "open_gop_annex_b": ("h264", 3, "open-gop=1"),
    "annex_b": ("h264", 2, ""),
    "avi": ("avi", 2, ""),
    "transport": ("ts", 2, "open-gop=1"),
    "intra_refresh": ("mp4", 0, "intra-refresh=1"),
    "several_references": ("mp4", 3, "ref=8:weightp=2:weightb=1:keyint=60"),
}


def made(folder: Path, name: str, count: int = 40, size: tuple = (70, 90)) -> Path:
    suffix, b_pictures, extra = CLIPS[name]
    return encode_x264(
        folder / f"clip.{suffix}", translation(count, size, (1.5, -0.5), patch=True), 26, b_pictures, extra
    )


def read(path: Path, extraction: str) -> List[CodedPicture]:
    with open_stream(path, extraction) as stream:
        pictures = list(stream)
        assert stream.info.extraction == extraction
        assert stream.summary.skipped == stream.summary.damaged == 0
    return pictures


@pytest.mark.parametrize("name", CLIPS)
def test_both_readings_give_the_same_pictures(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name)
    native, decoded = read(path, "native"), read(path, "ffmpeg")
    assert native == decoded  # indices, times, kinds, key pictures
    assert len(native) == 40
    for a, b in zip(native, decoded):
        assert (a.image is None) == (b.image is None) != a.has_image
        assert a.image is None or np.array_equal(a.image, b.image)
        if a.motion is not None and b.motion is not None:
            assert a.motion.exact
            assert a.motion.mv_qpel.shape == b.motion.mv_qpel.shape
            assert np.array_equal(a.motion.intra, b.motion.intra)
            assert a.residual is not None and a.weights is not None
            assert a.weights.weight.shape == (*a.motion.mv_qpel.shape[:3], 3)
        else:
            assert a.motion is a.residual is a.weights is None
    for extraction in ("native", "ffmpeg"):
        shown = [(picture.display_index, picture.pts_seconds) for picture in decoded_pictures(path, extraction)]
        assert shown == sorted((picture.display_index, picture.pts_seconds) for picture in native)


@pytest.mark.parametrize("name", CLIPS)
def test_both_readings_say_the_same_of_the_stream(tmp_path: Path, name: str) -> None:
    path = made(tmp_path, name, 20)
    with open_stream(path, "native") as native, open_stream(path, "ffmpeg") as decoded:
        one, other = vars(native.info), vars(decoded.info)
    apart = {"extraction", "extraction_note"}
    assert {key: one[key] for key in one if key not in apart} == {key: other[key] for key in other if key not in apart}


@pytest.mark.parametrize("pixel_format", ["gray", "yuv420p10le"])
def test_other_samples_than_8_bit_420(tmp_path: Path, pixel_format: str) -> None:
    pictures = translation(6, (48, 64), (1.5, 0))
    path = encode(tmp_path / "clip.mp4", pictures, "libx264", pixel_format=pixel_format)
    native = read(path, "native")
    image, expected = native[0].image, read(path, "ffmpeg")[0].image
    assert image is not None and expected is not None and np.array_equal(image, expected)
    residual = native[1].residual
    assert residual is not None and residual.y.shape == (48, 64) and residual.cb.shape == (24, 32)
    assert residual.y.any() and (pixel_format != "gray" or not residual.cb.any())
    coded = native[1].content.coded_residual()[0]  # type: ignore[attr-defined]
    assert np.array_equal(
        np.abs(residual.y), (np.abs(coded.astype(int)) + 2) // 4 if "10" in pixel_format else abs(coded)
    )


def test_the_pictures_before_an_i_picture_of_an_open_gop_are_given_and_not_exact(tmp_path: Path) -> None:
    whole = made(tmp_path, "open_gop_annex_b")
    units = list(split_units(whole.read_bytes(), None))
    heads = [unit for unit in units if unit[0] & 31 in (7, 8)]
    slices = [place for place, unit in enumerate(units) if unit[0] & 31 in (1, 5)]
    second = next(place for place in slices[1:] if units[place][1] == units[slices[0]][1] and units[place][0] >> 5 & 3)
    cut = tmp_path / "cut.h264"
    cut.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in [*heads[:2], *units[second:]]))
    with open_stream(cut, "native") as stream:
        native = list(stream)
    leading = [picture for picture in native[1:4] if picture.display_index < native[0].display_index]
    assert native[0].kind == "I" and leading
    assert not any(picture.motion.exact for picture in leading if picture.motion is not None)
    assert all(picture.motion.exact for picture in native[4:] if picture.motion is not None)
    assert sorted(picture.display_index for picture in native) == list(range(len(native)))
    shown = list(decoded_pictures(cut, "native"))
    assert len(shown) == len(native)


def test_images_cost_nothing_until_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path, "b")
    calls: List[bytes] = []
    right = KeyDecoder.frame
    monkeypatch.setattr(
        KeyDecoder, "frame", lambda self, sets, packet: calls.append(packet) or right(self, sets, packet)
    )
    pictures = read(path, "native")
    assert len(calls) == 1  # the first picture tells how the container turns it
    intra = [picture for picture in pictures if picture.kind == "I"]
    assert intra[0].image is intra[0].image and len(calls) == 1
    assert intra[2].image is intra[2].image and len(calls) == 2


def test_a_key_packet_that_cannot_be_decoded_is_told_by_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path, "b")

    def refuse(self: KeyDecoder, sets: bytes, packet: bytes) -> Any:
        raise StreamError("FMO is not implemented")

    monkeypatch.setattr(KeyDecoder, "frame", refuse)
    pictures = read(path, "native")
    for picture in pictures:
        if picture.kind == "I":
            with pytest.raises(StreamError, match=rf"clip\.mp4: I-picture {picture.decode_index} .*FMO"):
                _ = picture.image
    spec = InputSpec(height=32, width=32, gop_length=12, stride=4)
    with open_stream(path) as stream:
        feed = Feed(stream, spec, Demand(frozenset({"image", "motion"}), True, 4), NoClock())
        assert not any(isinstance(message, SampledPicture) for message in feed.messages())
        assert feed.counts.pictures == 40 and feed.counts.sampled == 0
        assert set(feed.counts.unusable) == {"I-picture that cannot be decoded"}


class Core:
    """A stand-in for the compiled module, whose parser answers as `script` says, packet by packet."""

    class Damage(ValueError): ...

    class Unsupported(ValueError): ...

    def __init__(self, script: str, profile: int = 100) -> None:
        self.script, self.profile = script, profile

    ahead = 0

    def Parser(self, codec: str, extradata: bytes, threads: int = 1, on_demand: bool = False) -> Core:
        return self

    def parameter_sets(self) -> bytes:
        return b""

    def without_sets(self, packet: bytes) -> bytes:
        return packet

    def parse(self, packet: bytes, number: int) -> List[Any]:
        told = self.script[number] if number < len(self.script) else "P"
        if told == "D":
            raise self.Damage("broken header")
        if told == "U":
            raise self.Unsupported("data partitioning")
        if told == ".":
            return []
        sequence = SimpleNamespace(profile_idc=self.profile, coded_width=96, coded_height=80, crop=(0, 0, 6, 10))
        sequence.max_reorder, sequence.max_frame_num, sequence.fields = 0, 16, False
        picture = SimpleNamespace(kind=told, number=number, sequence=sequence, poc=2 * number, resets_order=number == 0)
        picture.damaged_slices, picture.concealed_macroblocks, picture.damage = int(number == 2), 0, "mb_type"
        picture.sets_refused, picture.extra_units, picture.output = False, number % 2, True
        picture.lost, picture.random_access, picture.recovery_count = int(number == 3), told == "I", -1
        picture.reference, picture.frame_num = True, number % 16
        return [picture]


@pytest.mark.parametrize(
    ("script", "profile", "looked_at", "refused"),
    [
        ("IPP", 100, 1, ""),
        ("..IPP", 100, 3, ""),
        ("DDPP", 100, 3, ""),
        ("U", 100, 1, "data partitioning"),
        ("IIIU", 100, 1, ""),
        ("IIIU", 88, 4, "data partitioning"),
        ("IIIP", 88, 4, ""),
        ("DDDDDDDDDD", 100, 10, "no picture found at the start (broken header)"),
        ("..........", 100, 10, "no picture found at the start (packets without a picture)"),
    ],
)
def test_the_choice_reads_no_more_than_it_needs(
    monkeypatch: pytest.MonkeyPatch, script: str, profile: int, looked_at: int, refused: str
) -> None:
    monkeypatch.setattr(native_choice, "native_core", lambda: Core(script, profile))
    packets = iter([bytes([number]) for number in range(10)])
    probe = native_choice.probe_packets("h264", None, packets)
    assert (len(probe.packets), probe.refused) == (looked_at, refused)
    assert list(native_choice.rejoined(probe, packets)) == [bytes([number]) for number in range(10)]


def fallback(path: Path, reason: str) -> None:
    with open_stream(path) as stream:
        assert stream.info.extraction == "ffmpeg"
        assert (
            stream.info.extraction_note.startswith("native core not used: ") and reason in stream.info.extraction_note
        )
        assert len(list(stream)) == 12
    with pytest.raises(StreamError, match=r"clip\.\w+: .*; use extraction='ffmpeg'") as caught:
        open_stream(path, extraction="native")
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_covered_goes_to_ffmpeg_with_the_reason(tmp_path: Path) -> None:
    pictures = translation(12, (64, 96), (1, 0))
    fallback(encode(tmp_path / "clip.avi", pictures, "mpeg4"), "it reads H.264 and HEVC alone")
    fallback(encode(tmp_path / "clip.mp4", pictures, "libx264", pixel_format="yuv444p"), "4:4:4")
    fallback(encode(tmp_path / "clip.mkv", pictures, "libx264", {"x264-params": "interlaced=1"}), "interlaced")


def test_a_platform_without_the_compiled_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path, "b", 12)
    monkeypatch.setattr(native_choice, "MODULE", "edgecvar.stream.native._absent")
    fallback(path, "its compiled module is not installed here")


def scripted(path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Any:
    monkeypatch.setattr(native_choice, "native_core", lambda: Core(script))
    return open_stream(path, "native")


def test_what_turns_up_too_late_names_the_picture_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hevc = encode_x265(tmp_path / "hevc.mp4", translation(12, (64, 96), (1, 0)), 30)
    for path, way_out in (
        (made(tmp_path, "p", 12), "use extraction='ffmpeg'"),
        (hevc, "FFmpeg gives no vectors .*4:2:0"),
    ):
        with scripted(path, monkeypatch, "IPPPPU") as stream, pytest.raises(
            StreamError, match=rf"{path.name}: from picture 5 on .*\(data partitioning\); {way_out}"
        ):
            list(stream)


def test_damage_is_counted_by_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(made(tmp_path, "p", 12), monkeypatch, "IPPPDP.P") as stream:
        assert [picture.decode_index for picture in stream] == list(range(10))
        assert stream.summary == StreamSummary(
            pictures=10,
            skipped=2,
            reasons={"packet that cannot be parsed: broken header": 1, "packet that gave no picture": 1},
            damaged=2,
            damage={"mb_type": 1, "pictures missing before it": 1},
            other_layers=6,  # a unit in every other packet
        )


def test_pictures_without_reordering_wait_for_nothing(tmp_path: Path) -> None:
    path = made(tmp_path, "p")
    asked = 0

    class Counting:
        def __init__(self, file: Any) -> None:
            self.file = file

        def read(self, size: int = -1) -> bytes:
            nonlocal asked
            asked += 1
            return self.file.read(min(size, 64) if size > 0 else 64)

        def seekable(self) -> bool:
            return False

    raw = tmp_path / "clip.ts"
    with av.open(str(path)) as source, av.open(str(raw), "w") as target:
        stream = stream_like(target, source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    seen: List[Optional[int]] = []
    with raw.open("rb") as file, open_stream(Counting(file), "native") as pictures:
        for picture in pictures:
            seen.append(pictures._reading._fed - 1 - picture.decode_index)
    assert set(seen) == {0}


def test_weights_check_their_shapes() -> None:
    weight, denominator = np.ones((2, 4, 6, 3), np.int16), np.zeros((4, 6, 3), np.uint8)
    assert PredictionWeights(weight, weight, denominator).weight is weight
    with pytest.raises(ValueError, match=r"offset: got shape \(2, 4, 6, 2\), expected \(2, 4, 6, 3\)"):
        PredictionWeights(weight, weight[..., :2], denominator)
    with pytest.raises(ValueError, match="log2_denominator"):
        PredictionWeights(weight, weight, denominator[..., 0])

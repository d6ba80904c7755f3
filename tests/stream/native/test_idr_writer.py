"""I-pictures written as IDR pictures: each comes out of a decoder at once, with the same samples to the bit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.decoders import KeyDecoder
from edgecvar.stream.nal.units import split_units
from edgecvar.stream.native import _core
from edgecvar.stream.reader import open_stream
from tests.stream.field_stream import Bits
from tests.stream.known_clips import encode_x264, frame_planes, translation

SLICE, IDR, SEQUENCE, PICTURE, DELIMITER = 1, 5, 7, 8, 9
Planes = Tuple[np.ndarray, ...]


def kinds(unit: bytes) -> List[int]:
    return [each[0] & 31 for each in split_units(unit, None)]


def decoder() -> Any:
    """One that has seen nothing yet; it shows nothing that is not whole."""
    context = av.CodecContext.create("h264", "r")
    context.thread_type, context.thread_count = "SLICE", 1
    return context


def at_once(context: Any, unit: bytes) -> Planes:
    """What comes out with nothing fed after it."""
    (frame,) = context.decode(av.Packet(unit))
    return frame_planes(frame)


def intra(path: Path) -> Iterator[Tuple[bytes, bytes, Planes, Any]]:
    """Sets, packet and planes (decoded alone) of the I-pictures of a file, with the core's picture."""
    with open_stream(path, extraction="native", threads=1, on_demand=True) as stream, av.open(str(path)) as apart:
        alone = KeyDecoder(apart.streams.video[0].codec_context)
        for picture in stream:
            if picture.kind == "I":
                sets, packet = key_picture(picture)
                yield sets, packet, frame_planes(alone.frame(sets, packet)), picture.parsed


def key_picture(picture: Any) -> Tuple[bytes, bytes]:
    key = picture.content._imaged
    return key.sets, key.packet


def extradata_of(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.extradata or b""


KINDS = [
    *itertools.product((0, 2), ("cabac=0", "cabac=1"), ("slices=1", "slices=4"), ("keyint=6",)),
    *itertools.product((2,), ("cabac=0", "cabac=1"), ("slices=1", "slices=4"), ("keyint=6:open-gop=1",)),
    (2, "bframes=3:b-pyramid=normal", "qp=1:partitions=all", "keyint=6:open-gop=1"),
    (2, "cabac=0", "cqm=jvt:8x8dct=1", "keyint=6:open-gop=1"),
    (0, "intra-refresh=0", "slice-max-mbs=5", "keyint=3"),
]


@pytest.mark.parametrize("suffix", ["mp4", "h264"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_i_picture_comes_at_once_with_the_same_samples(kind: Tuple[Any, ...], suffix: str, tmp_path: Path):
    b_pictures, *parameters = kind
    pictures = translation(24, (70, 90), (1.5, -0.5), patch=True)
    path = encode_x264(tmp_path / f"clip.{suffix}", pictures, 24, b_pictures, ":".join(["min-keyint=1", *parameters]))
    writer, context, seen, idr = _core.IdrWriter("h264", extradata_of(path)), decoder(), 0, 0
    for sets, packet, planes, parsed in intra(path):
        unit = writer.write(sets, packet)
        assert kinds(unit)[:3] == [DELIMITER, SEQUENCE, PICTURE] and set(kinds(unit)[3:]) == {IDR}
        for mine, alone in zip(at_once(context, unit), planes):
            assert np.array_equal(mine, alone)
        seen, idr = seen + 1, idr + parsed.random_access
    assert seen >= 4 and (idr < seen) == ("open-gop=1" in str(kind))


@dataclass(frozen=True)
class Coded:
    """An I-picture of two I_PCM macroblocks, whose samples must lie at whole bytes, a slice each."""

    order_type: int = 0
    ref_idc: int = 3
    marking: str = "0"  # adaptive_ref_pic_marking_mode_flag, and the commands
    bottom: bool = False  # bottom_field_pic_order_in_frame_present_flag
    redundant: bool = False
    frame_num_bits: int = 4
    idr: bool = False
    gone: Tuple[int, ...] = ()

    def sets(self) -> bytes:
        bits = Bits().u(66, 8).u(0, 8).u(30, 8).ue(0, self.frame_num_bits - 4, self.order_type)
        if self.order_type == 0:
            bits.ue(4)
        if self.order_type == 1:
            bits.u(0, 1).ue(0, 4, 1, 3)  # offset_for_top_to_bottom_field -2
        bits.ue(3).u(0, 1).ue(1, 0).u(0b11, 2)
        bits.u(1, 1).ue(0, 1, 0, 2)  # cropped
        bits.u(0b1_0, 2).u(0b0_1, 2).u(0b101_1_1, 5).u(1, 8).u(1, 8).u(1, 8).u(0b00000, 5)  # full range, BT.709
        picture = Bits().ue(0, 0).u(0, 1).u(self.bottom, 1).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(1, 1).u(0, 1)
        return bits.unit(0x67) + picture.u(self.redundant, 1).unit(0x68)

    def packet(self, number: int, samples: List[bytes]) -> bytes:
        return b"".join(self.slice(at, number, samples[at]) for at in (0, 1) if at not in self.gone)

    def slice(self, first: int, number: int, samples: bytes) -> bytes:
        bits = Bits().ue(first, 7, 0).u(0 if self.idr else number % 16, self.frame_num_bits)
        if self.idr:
            bits.ue(number % 9)
        if self.order_type == 0:
            bits.u(2 * number % 256, 8)
        if self.order_type == 1:
            bits.ue(number % 3)
        if self.bottom and self.order_type < 2:
            bits.ue(number % 4)
        if self.redundant:
            bits.ue(0)
        if self.ref_idc:
            marking = "00" if self.idr else self.marking
            bits.u(int(marking, 2), len(marking))
        bits.ue(0, 1).ue(25).samples(samples)
        return bits.unit(self.ref_idc << 5 | (IDR if self.idr else SLICE))


HEADERS = [
    Coded(),
    Coded(idr=True),
    Coded(order_type=1),
    Coded(order_type=1, bottom=True, idr=True),
    Coded(order_type=2, redundant=True),
    Coded(ref_idc=0),
    Coded(ref_idc=0, order_type=1, frame_num_bits=16),
    Coded(marking="1" + "010" + "1" + "1"),  # forgets one picture: a header of another parity
    Coded(marking="1" + "010" + "1" + "010" + "010" + "1", bottom=True),
    Coded(bottom=True, redundant=True, frame_num_bits=9),
]


def samples_of(count: int, seed: int) -> List[bytes]:
    random = np.random.default_rng(seed)
    return [random.integers(1, 256, 384, dtype=np.uint8).tobytes() for _ in range(count)]


def planes_of(samples: List[bytes]) -> Planes:
    """y, cb and cr of macroblocks side by side."""
    blocks = [np.frombuffer(each, np.uint8) for each in samples]
    luma = np.concatenate([block[:256].reshape(16, 16) for block in blocks], axis=1)
    return (luma, *(np.concatenate([b[at : at + 64].reshape(8, 8) for b in blocks], axis=1) for at in (256, 320)))


@pytest.mark.parametrize("coded", HEADERS, ids=str)
def test_headers_of_every_form_are_written_around_samples_that_stay(coded: Coded) -> None:
    writer, context, ids = _core.IdrWriter("h264", b""), decoder(), []
    for number in range(5):
        samples = samples_of(2, number)
        unit = writer.write(coded.sets(), coded.packet(number, samples))
        for mine, true in zip(at_once(context, unit), planes_of(samples)):
            assert mine.shape == true.shape  # nothing is cropped
            assert np.array_equal(mine, true)
        assert kinds(unit) == [DELIMITER, SEQUENCE, PICTURE, IDR, IDR]
        ids.append(list(split_units(unit, None))[3][:6])
    assert all(one != other for one, other in zip(ids, ids[1:])), "pictures that follow each other look the same"


def test_pictures_of_several_forms_may_alternate() -> None:
    writer, context = _core.IdrWriter("h264", b""), decoder()
    for number, coded in enumerate(HEADERS * 2):
        samples = samples_of(2, number)
        mine = at_once(context, writer.write(coded.sets(), coded.packet(number, samples)))
        assert all(np.array_equal(one, true) for one, true in zip(mine, planes_of(samples)))


def test_what_cannot_be_written_is_refused_by_name() -> None:
    coded, samples = Coded(), samples_of(2, 0)
    sets, packet = coded.sets(), coded.packet(0, samples)
    first, second = coded.slice(0, 0, samples[0]), coded.slice(1, 0, samples[1])
    groups = Bits().ue(0, 0).u(0, 2).ue(1, 0, 0, 0, 0, 0).u(0, 3).ue(0, 0, 0).u(1, 1).u(0, 2).unit(0x68)
    predicted = Bits().ue(0, 5, 0).u(0, 4).u(0, 8).u(0, 3).ue(0, 1, 0).unit(0x61)
    for error, what, its_sets, its_packet in (
        (_core.Damage, "the first slice is missing", sets, second),
        (_core.Unsupported, "out of order", sets, second.replace(second, first + second + first)),
        (_core.Unsupported, "out of order", sets, first + first),
        (_core.Unsupported, "several pictures", sets, packet + coded.packet(1, samples)),
        (_core.Unsupported, "slice groups", sets + groups, packet),
        (_core.Unsupported, "predicted slice", sets, predicted),
        (_core.Unsupported, "data partitioning", sets, b"\0\0\1\x62\x80\x80" + packet),
        (_core.Damage, "did not come", b"", packet),
        (_core.Damage, "no slice", sets, b""),
        (_core.Damage, "code too long", sets, first[:7]),
    ):
        writer = _core.IdrWriter("h264", b"")
        with pytest.raises(error, match=what):
            writer.write(its_sets, its_packet)
        assert writer.write(sets, packet), "it goes on after what it refuses"
    with pytest.raises(_core.Damage, match="breaks off"):
        _core.IdrWriter("h264", b"\1\2\3")


def test_what_is_not_8_bit_4_2_0_is_refused(tmp_path: Path) -> None:
    from tests.stream.known_clips import encode

    for name, what in (("gray", "4:0:0"), ("yuv420p10le", "8 bit")):
        path = encode(tmp_path / f"{name}.mp4", translation(3, (32, 32), (1, 0)), pixel_format=name)
        writer = _core.IdrWriter("h264", extradata_of(path))
        with open_stream(path) as stream:
            sets, packet = key_picture(next(iter(stream)))
        with pytest.raises(_core.Unsupported, match=what):
            writer.write(sets, packet)

"""I-pictures of HEVC written as IDR pictures: each comes out of a decoder at once, with the same samples to the bit."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Tuple

import av
import numpy as np
import pytest

from edgecvar.stream.native import _core
from tests.stream.native.hevc.pcm_pictures import HEIGHT, WIDTH, PcmPicture

DELIMITER, VIDEO, SEQUENCE, PICTURE, IDR = 35, 32, 33, 34, 20
SETS = (VIDEO, SEQUENCE, PICTURE)


def units_of(data: bytes) -> List[bytes]:
    starts = [match.start() for match in re.finditer(b"\0\0\1", data)]
    return [data[start + 3 : end].rstrip(b"\0") for start, end in zip(starts, [*starts[1:], len(data)])]


def kinds(data: bytes) -> List[int]:
    return [each[0] >> 1 for each in units_of(data)]


def decoder() -> Any:
    """One that has seen nothing yet, and crops nothing."""
    context = av.CodecContext.create("hevc", "r")
    context.thread_type, context.thread_count = "SLICE", 1
    context.options = {"flags2": "+ignorecrop"}
    return context


def at_once(context: Any, unit: bytes) -> np.ndarray:
    """What comes out with nothing fed after it."""
    (frame,) = context.decode(av.Packet(unit))
    assert context.has_b_frames == 0
    return np.asarray(frame.to_ndarray())


def encode(path: Path, parameters: str, size: Tuple[int, int] = (176, 144), count: int = 20) -> None:
    random = np.random.default_rng(1)
    texture = np.kron(random.integers(0, 256, (40, 60, 3)), np.ones((8, 8, 1), int))
    with av.open(str(path), "w", format="hevc") as container:
        stream = container.add_stream("libx265", rate=Fraction(25))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "medium", "x265-params": f"log-level=none:pools=1:frame-threads=1:{parameters}"}
        for at in range(count):
            cut = texture[2 * at :, 3 * at :][: size[1], : size[0]]
            image = np.clip(cut + random.integers(-6, 7, cut.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            if "keyint=99" in parameters and at == 13:
                frame.pict_type = 1  # I, and no key picture
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def packets_of(path: Path) -> List[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def all_pictures(packets: List[bytes]) -> Dict[int, np.ndarray]:
    """Pictures of a whole stream by the number of their packet."""
    context, pictures = decoder(), {}
    for number, data in enumerate([*packets, None]):
        packet = None if data is None else av.Packet(data)
        if packet is not None:
            packet.pts = number
        for frame in context.decode(packet):
            pictures[frame.pts] = np.asarray(frame.to_ndarray())
    return pictures


CLIPS = [
    "keyint=6:min-keyint=1:open-gop=1:bframes=3",
    "keyint=6:min-keyint=1:open-gop=1:bframes=3:ctu=16:wpp=1",
    "keyint=5:open-gop=0:bframes=2:scaling-list=default:repeat-headers=1",
    "keyint=5:open-gop=1:bframes=4:b-pyramid=1:ref=5:temporal-layers=2:hrd=1:vbv-maxrate=900:vbv-bufsize=900:aud=1",
    "keyint=99:min-keyint=50:bframes=0:lossless=1",
    "keyint=4:open-gop=1:sao=0:rect=1:amp=1:tskip=1:cu-lossless=1:display-window=2,4,6,8",
    "keyint=5:open-gop=1:bframes=2:slices=2:ctu=16:wpp=1:qp=12",
]


@pytest.mark.parametrize("parameters", CLIPS)
def test_every_i_picture_comes_at_once_with_the_same_samples(parameters: str, tmp_path: Path) -> None:
    size = (384, 256) if "slices" in parameters else (176, 144)
    encode(tmp_path / "clip.h265", parameters, size, 12 if "slices" in parameters else 20)
    packets = packets_of(tmp_path / "clip.h265")
    pictures, writer, row, types = all_pictures(packets), _core.IdrWriter("hevc", b""), decoder(), []
    sets = b"".join(b"\0\0\0\1" + unit for unit in units_of(packets[0]) if unit[0] >> 1 in SETS)
    for number, packet in enumerate(packets):
        try:
            unit = writer.write(sets, packet)
        except _core.Unsupported as refusal:
            assert str(refusal) == "a predicted slice"
            continue
        assert kinds(unit)[:4] == [DELIMITER, *SETS] and set(kinds(unit)[4:]) == {IDR}
        assert len(kinds(unit)) == (6 if "slices" in parameters else 5)
        assert np.array_equal(at_once(decoder(), unit), pictures[number])
        assert np.array_equal(at_once(row, unit), pictures[number])
        types += [kind for kind in kinds(packet) if kind < 32][:1]
    assert len(types) >= 2
    assert (21 in types) == ("open-gop=1" in parameters) and (types[1] < 16) == ("keyint=99" in parameters)


CUT_UP = [
    PcmPicture(),
    PcmPicture(kind=1),
    PcmPicture(kind=20),
    PcmPicture(kind=16, columns=(0, 2)),
    PcmPicture(columns=(0, 1, 4), rows=(0, 3), kind=8),
    PcmPicture(sync=True),
    PcmPicture(segments=((0, False), (3, True), (7, False), (8, True), (19, True))),
    PcmPicture(sync=True, segments=((0, False), (5, True), (8, True), (10, False), (15, True))),
    PcmPicture(columns=(0, 2), segments=((0, False), (8, True)), kind=9),
]


def planes(seed: int) -> Tuple[np.ndarray, ...]:
    """Samples with many zeros, between which bytes stand for emulation prevention."""
    random = np.random.default_rng(seed)
    shapes = ((16 * HEIGHT, 16 * WIDTH), (8 * HEIGHT, 8 * WIDTH), (8 * HEIGHT, 8 * WIDTH))
    return tuple(random.integers(0, 256, shape) * random.integers(0, 2, shape) // 9 for shape in shapes)


@pytest.mark.parametrize("cut", CUT_UP, ids=str)
def test_tiles_wavefronts_and_dependent_segments_stay_what_they_are(cut: PcmPicture) -> None:
    writer, row = _core.IdrWriter("hevc", b""), decoder()
    for number in range(3):
        samples = planes(number)
        expected = np.concatenate([plane.ravel() for plane in samples]).reshape(-1, 16 * WIDTH)
        packet = cut.packet(samples, 5 + number)
        unit = writer.write(cut.sets(), packet)
        assert kinds(unit) == [DELIMITER, *SETS, *[IDR] * len(cut.segments)]
        assert np.array_equal(at_once(row, unit), expected)
        assert np.array_equal(at_once(decoder(), unit), expected)


def test_what_cannot_be_written_is_refused_by_name() -> None:
    cut = PcmPicture()
    packet = cut.packet(planes(0), 3)
    for error, what, sets, its in (
        (_core.Damage, "did not come", b"", packet),
        (_core.Damage, "no slice", cut.sets(), b""),
        (_core.Unsupported, "several pictures", cut.sets(), packet + packet),
    ):
        with pytest.raises(error, match=what):
            _core.IdrWriter("hevc", b"").write(sets, its)

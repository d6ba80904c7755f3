"""What few streams of HEVC have: further layers, no beginning, pictures that are not put out, fields."""

from __future__ import annotations

from pathlib import Path
from typing import List

import av
import numpy as np
import pytest

from edgecvar.errors import StreamError
from edgecvar.stream.nal.units import joined_units, kind_of, split_units
from edgecvar.stream.reader import open_stream
from tests.stream.hevc_clips import COUNT, SIZE, packets_of, read, same, whole_clip
from tests.stream.known_clips import encode_x265, translation
from tests.stream.native.hevc.pcm_pictures import HEIGHT, WIDTH, Bits, PcmPicture, escaped


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_clip(tmp_path_factory.mktemp("hevc") / "clip.hevc")


def _of_layer(unit: bytes, layer: int) -> bytes:
    return bytes([unit[0] & 0xFE | layer >> 5, (layer & 31) << 3 | unit[1] & 7]) + unit[2:]


@pytest.mark.parametrize("layer", [1, 63])
@pytest.mark.parametrize("name", ["layers.265", "layers.H265", "layers.hevc"])
def test_of_several_layers_the_base_one_is_read_and_the_others_are_counted(
    clip: Path, tmp_path: Path, layer: int, name: str
) -> None:
    path, others = tmp_path / name, 0
    with path.open("wb") as file:
        for packet in packets_of(clip):
            units = list(split_units(packet, None))
            others += len(units)
            file.write(packet + joined_units((_of_layer(unit, layer) for unit in units), None))
    with open_stream(path) as stream:
        found = list(stream)
        assert stream.summary.other_layers == others
        assert (stream.summary.skipped, stream.summary.damaged) == (0, 0)
    assert len(found) == COUNT and all(map(same, read(clip), found))


def test_a_bare_stream_without_a_beginning_is_told_by_its_name(clip: Path, tmp_path: Path) -> None:
    packets = packets_of(clip)
    sets = [unit for unit in split_units(packets[0], None) if kind_of(unit, "hevc") in (32, 33, 34)]
    cut = joined_units(sets, None) + b"".join(packets[17:])  # behind the last I-picture
    path = tmp_path / "cut.265"
    path.write_bytes(cut)
    kinds: List[str] = []
    with open_stream(path) as stream, pytest.raises(StreamError, match="no I-picture in 10 packets"):
        for picture in stream:
            kinds.append(picture.kind)
            assert picture.motion is not None and not picture.motion.exact
    assert "".join(kinds) == "BBPBBPBBPB"
    path.write_bytes(b"of no stream" * 1000)
    with pytest.raises(StreamError, match=r"cut\.265: (no picture in it can be decoded|not a video)") as caught:
        open_stream(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_put_out_is_hidden(tmp_path: Path) -> None:
    rng = np.random.RandomState(3)
    path = tmp_path / "hidden.265"
    with path.open("wb") as file:
        file.write(PcmPicture().sets())
        for poc, output in enumerate([True, False, True, True]):
            planes = [rng.randint(0, 256, (side * HEIGHT, side * WIDTH)).astype(np.uint8) for side in (16, 8, 8)]
            file.write(PcmPicture(output=output).packet(tuple(planes), poc))
    with open_stream(path) as stream:
        pictures = list(stream)
        assert (stream.summary.pictures, stream.summary.hidden, stream.summary.skipped) == (3, 1, 0)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 3
    assert [(each.display_index, each.shown) for each in pictures] == [(0, True), (1, False), (2, True), (3, True)]


@pytest.mark.parametrize("interlace, fields", [("interlace=tff", True), ("", False)])
def test_fields_are_called_so(tmp_path: Path, interlace: str, fields: bool) -> None:
    path = encode_x265(tmp_path / "clip.mp4", translation(3, SIZE, (1, 0)), 30, 0, interlace)
    with open_stream(path) as stream:
        assert ("fields of interlaced video" in stream.info.extraction_note) == fields


def test_i_pictures_of_the_highest_level_have_images(clip: Path, tmp_path: Path) -> None:
    side = 4104  # more samples than any level of H.264 has
    units = list(split_units(packets_of(clip)[0], None))
    for place, unit in enumerate(units):
        if kind_of(unit, "hevc") == 33:
            said = "".join(f"{byte:08b}" for byte in unit[2:].replace(b"\0\0\3", b"\0\0"))
            bits = Bits()
            bits.text = said.replace(Bits().ue(SIZE[1], SIZE[0]).text, Bits().ue(side, side).text)
            units[place] = unit[:2] + escaped(bits.align().bytes())
    path = tmp_path / "large.265"
    path.write_bytes(joined_units(units, None))
    with open_stream(path, threads=1) as stream:
        (picture,) = stream
        assert picture.planes is not None and picture.planes.y.shape == (side, side)  # most of it made up

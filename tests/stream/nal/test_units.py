"""Units of HEVC told apart, out of packets and out of configuration records."""

from __future__ import annotations

from pathlib import Path
from typing import List

import av
import pytest

from edgecvar.stream.nal.units import (
    as_decodable,
    configured_units,
    goes_on,
    joined_units,
    kind_of,
    length_size_of,
    set_units,
    sets_among,
    split_units,
)
from tests.stream.known_clips import encode_x265, translation

VPS, SPS, PPS = 32, 33, 34


def packets(path: Path) -> List[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def clip(path: Path, extra: str = "") -> Path:
    return encode_x265(path, translation(14, (48, 80), (1, 0)), 30, 2, f"keyint=6:min-keyint=6:open-gop=1:{extra}")


@pytest.mark.parametrize("extra", ["", "temporal-layers=3:b-pyramid=1:bframes=3"])
def test_the_sets_of_a_record_are_those_of_the_packets(tmp_path: Path, extra: str) -> None:
    """Also where a sequence set says levels of sub-layers before its id."""
    first = packets(clip(tmp_path / "clip.hevc", extra))[0]
    sets = sets_among(split_units(first, None), "hevc")
    assert sorted(sets) == [(VPS, 0), (SPS, 0), (PPS, 0)]
    with av.open(str(clip(tmp_path / "clip.mp4", extra))) as container:
        extradata = container.streams.video[0].codec_context.extradata
        assert extradata is not None and length_size_of(extradata, "hevc") == 4
        assert sets_among(configured_units(extradata, "hevc"), "hevc") == sets
        for packet in container.demux(video=0):
            assert all(kind_of(unit, "hevc") >= 0 for unit in split_units(bytes(packet), 4))
    assert sets_among(configured_units(set_units(sets, None), "hevc"), "hevc") == sets
    assert [kind_of(unit, "hevc") for unit in split_units(set_units(sets, 4), 4)] == [VPS, SPS, PPS]
    assert length_size_of(first, "hevc") is None and length_size_of(None, "hevc") is None


def test_a_record_whose_version_is_missing_or_that_breaks_off(tmp_path: Path) -> None:
    with av.open(str(clip(tmp_path / "clip.mp4"))) as container:
        record = container.streams.video[0].codec_context.extradata
    assert record is not None
    whole = list(configured_units(record, "hevc"))
    assert list(configured_units(b"\0" + record[1:], "hevc")) == whole
    for size in range(len(record)):
        found = list(configured_units(record[:size], "hevc"))
        assert len(found) <= len(whole) and found[:-1] == whole[: max(0, len(found) - 1)]


def test_other_layers_and_what_is_cut_off_are_of_no_kind() -> None:
    assert [kind_of(unit, "hevc") for unit in (b"", b"\x40", b"\x40\x01", b"\x40\x09", b"\x41\x01")] == [
        *(-1, -1, VPS),
        *(-1, -1),
    ]


def test_slices_that_go_on_with_a_picture() -> None:
    assert [goes_on(unit, "hevc") for unit in (b"\x2a\x01\x80", b"\x2a\x01\x40", b"\x2a\x01")] == [False, True, False]
    assert [goes_on(unit) for unit in (b"\x65\x80", b"\x65\x40")] == [False, True]


@pytest.mark.parametrize("length_size", [None, 4])
def test_a_leading_picture_that_may_be_dropped_is_called_one_that_may_not(tmp_path: Path, length_size: int) -> None:
    found = 0
    for packet in packets(clip(tmp_path / "clip.hevc")):
        units = [unit.rstrip(b"\0") for unit in split_units(packet, None)]
        data = joined_units(units, length_size)
        called = list(split_units(as_decodable(data, length_size), length_size))
        kinds = [(kind_of(unit, "hevc"), kind_of(new, "hevc")) for unit, new in zip(units, called)]
        assert all(before == after or (before, after) in ((8, 6), (9, 7)) for before, after in kinds)
        assert all(kind not in (8, 9) for _, kind in kinds)
        assert [unit[1:] for unit in units] == [unit[1:].rstrip(b"\0") for unit in called]
        found += any(before != after for before, after in kinds)
    assert found >= 2

"""A picture's substreams on several threads give what one thread gives, sound or damaged."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, List, Tuple

import pytest

from edgecvar.stream.nal.units import split_units
from tests.stream.known_clips import encode_x265, translation
from tests.stream.native.small_streams import damaged, outcome

_core = pytest.importorskip("edgecvar.stream.native._core", reason="the native core is not installed")

WAVEFRONTS = {
    "wavefronts": "ctu=16",
    "slices of wavefronts": "ctu=16:slices=3",
    "two rows": "ctu=64",
}
TASKS = Path("/proc/self/task")


def packets_of(path: Path) -> List[bytes]:
    """A stream's packets in Annex B; a picture begins with its parameter sets or its first segment."""
    packets: List[bytes] = []
    open_packet = False
    for unit in split_units(path.read_bytes(), None):
        kind = unit[0] >> 1 & 63
        if not packets or (open_packet and (kind >= 32 or unit[2] & 0x80)):
            packets.append(b"")
        open_packet = kind < 32
        packets[-1] += b"\0\0\0\1" + unit
    return packets


def parsed(packets: List[bytes], threads: int) -> Tuple[List[Any], int]:
    """What was raised and what is in each picture, asked from the last to the first; threads that there are then."""
    parser, pictures, said = _core.Parser("hevc", b"", threads, True), [], []
    for number, packet in enumerate(packets):
        try:
            pictures += parser.parse(packet, number)
        except (_core.Damage, _core.Unsupported) as error:
            said.append(repr(error))
    for index, picture in enumerate(pictures):
        picture.display_index = index
    told = said + [outcome(picture, index) for index, picture in reversed(list(enumerate(pictures)))]
    return told, len(list(TASKS.iterdir())) if TASKS.is_dir() else 0


@pytest.fixture(params=WAVEFRONTS)
def packets(request: pytest.FixtureRequest, tmp_path: Path) -> List[bytes]:
    extra = f"{WAVEFRONTS[request.param]}:wpp=1:pools=1:repeat-headers=1:bframes=2"  # without a pool no wavefronts
    path = encode_x265(tmp_path / "clip.hevc", translation(12, (120, 208), (1.5, -0.5), patch=True), 26, 2, extra)
    found = packets_of(path)
    assert len(found) == 12
    return found


def test_sound_ones(packets: List[bytes]) -> None:
    one, alone = parsed(packets, 1)
    assert len(one) == 12 and all(facts[:3] == (0, 0, True) for *_, facts, _ in one)
    two, four = parsed(packets, 2), parsed(packets, 4)
    assert two[0] == four[0] == one
    assert not alone or alone < two[1] <= four[1]  # the premise: there are substreams, and they are shared out


def test_damaged_ones(packets: List[bytes]) -> None:
    concealed = 0
    for seed in range(12):
        broken = damaged(packets, Random(seed))
        one, _ = parsed(broken, 1)
        concealed += sum(each[5][1] for each in one if isinstance(each, tuple))
        assert parsed(broken, 4)[0] == one, f"seed {seed}"
    assert concealed > 0

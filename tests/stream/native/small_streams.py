"""Small streams of every way to refer, damage to them, and what is compared of what is read of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random
from typing import Any, List, Tuple

import numpy as np

from edgecvar.stream.nal.units import split_units
from edgecvar.stream.native import _core
from edgecvar.stream.types import CodedPicture
from tests.stream.known_clips import encode_x264, translation

KINDS = {
    "P": (0, ""),
    "spatial": (3, "direct=spatial:b-pyramid=normal:slices=3"),
    "temporal": (3, "direct=temporal:b-pyramid=normal:weightb=1"),
    "without CABAC": (2, "cabac=0:direct=temporal"),
}


def packets_of(kind: str, folder: Path) -> List[bytes]:
    """The packets of a small clip in Annex B, parameter sets at each of its three GOPs."""
    b_pictures, extra = KINDS[kind]
    extra = ":".join(filter(None, ("repeat-headers=1:no-info=1", extra)))
    path = folder / "clip.h264"
    encode_x264(path, translation(36, (80, 96), (1.5, -0.5), patch=True), 26, b_pictures, extra)
    packets: List[bytes] = []
    open_packet = False  # whether the newest has slices
    for unit in split_units(path.read_bytes(), None):
        kind, first = unit[0] & 31, unit[1] & 0x80
        if not packets or (open_packet and (kind > 5 or first)):
            packets.append(b"")
        open_packet = kind <= 5
        packets[-1] += b"\0\0\0\1" + unit
    return packets


def damaged(packets: List[bytes], chance: Random) -> List[bytes]:
    """Packets with bits flipped, cut off, left out, repeated."""
    broken = []
    for packet in packets:
        way = chance.randrange(12)
        changed = bytearray(packet)
        if way < 3:
            for _ in range(chance.choice((1, 3))):
                changed[chance.randrange(4, chance.choice((12, 40, len(changed))))] ^= 1 << chance.randrange(8)
        elif way == 3:
            del changed[chance.randrange(5, len(changed)) :]
        broken += [bytes(changed)] * (0 if way == 4 else 2 if way == 5 else 1)
    return broken


def outcome(picture: _core.Picture, index: int) -> Tuple[Any, ...]:
    picture.display_index = index
    arrays = [] if picture.kind == "I" else [*picture.motion(), *picture.weights(), *picture.residual()]
    digest = hashlib.blake2b(b"".join(array.tobytes() for array in arrays)).hexdigest()
    facts = picture.damaged_slices, picture.concealed_macroblocks, picture.whole, picture.damage, picture.exact
    return picture.number, picture.kind, picture.poc, picture.lost, picture.sets_refused, facts, digest


def line(picture: CodedPicture) -> str:
    motion, digest = picture.motion, hashlib.blake2b()
    if motion is not None:
        for plane in (motion.mv_qpel, motion.ref_offset, motion.intra):
            digest.update(np.ascontiguousarray(plane).tobytes())
    return f"{picture.decode_index} {picture.display_index} {picture.pts_seconds} {picture.kind} {digest.hexdigest()}"

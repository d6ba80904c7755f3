"""H.264 parameter sets, as far as references and weights need them (section 7.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Tuple

from edgecvar.stream.nal.bits import BitReader, HeaderEnded

MOST_MACROBLOCKS = 1055
"""Across or down: what the highest level allows (H.264 section A.3.1: the root of 8 * MaxFS, of level 6.2)."""

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True)
class SequenceSet:
    """What a sequence parameter set says; sizes in luma samples, `crop` as (left, top, right, bottom)."""

    baseline: bool
    chroma_format: int
    bit_depth: int
    separate_planes: bool
    frame_num_bits: int
    poc_type: int
    poc_lsb_bits: int
    delta_pic_order_always_zero: bool
    offset_for_non_ref: int
    offsets_for_ref_frame: Tuple[int, ...]
    max_ref_frames: int
    gaps_allowed: bool
    width: int
    height: int
    frame_mbs_only: bool
    mbaff: bool
    direct_8x8_inference: bool
    crop: Tuple[int, int, int, int]


@dataclass(frozen=True)
class PictureSet:
    """What a picture parameter set says."""

    sequence: int
    bottom_field_order: bool
    default_active: Tuple[int, int]
    weighted_pred: bool
    weighted_bipred: int
    redundant_pictures: bool
    cabac: bool = False


class _Samples(NamedTuple):
    """chroma_format_idc, bits a sample, and whether the planes are coded as pictures of their own."""

    chroma: int = 1
    depth: int = 8
    separate: bool = False


class _Order(NamedTuple):
    """What the types of picture order count need (section 7.4.2.1.1)."""

    poc_type: int
    lsb_bits: int = 0
    always_zero: bool = False
    non_ref: int = 0
    offsets: Tuple[int, ...] = ()


def _samples(reader: BitReader) -> _Samples:
    chroma = reader.unsigned(3)
    separate = chroma == 3 and reader.flag()
    depth = 8 + max(reader.unsigned(6), reader.unsigned(6))
    reader.skip(1)
    if reader.flag():
        for index in range(8 if chroma != 3 else 12):
            if reader.flag():
                _scaling_list(reader, 16 if index < 6 else 64)
    return _Samples(chroma, depth, separate)


def _order(reader: BitReader) -> _Order:
    poc_type = reader.unsigned(2)
    if poc_type == 0:
        return _Order(poc_type, lsb_bits=reader.unsigned(12) + 4)
    if poc_type != 1:
        return _Order(poc_type)
    always_zero, non_ref = reader.flag(), reader.signed()
    reader.signed()
    offsets = tuple(reader.signed() for _ in range(reader.unsigned(255)))
    return _Order(poc_type, always_zero=always_zero, non_ref=non_ref, offsets=offsets)


def _scaling_list(reader: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.signed()) % 256
        last = following or last


def sequence_set(reader: BitReader) -> Tuple[int, SequenceSet]:
    """Number and content of a sequence parameter set; raises HeaderEnded."""
    profile = reader.bits(8)
    reader.skip(16)
    number = reader.unsigned(31)
    samples = _samples(reader) if profile in _HIGH_PROFILES else _Samples()
    frame_num_bits = reader.unsigned(12) + 4
    order = _order(reader)
    max_refs, gaps = reader.unsigned(16), reader.flag()
    width, rows = (16 * (reader.unsigned(MOST_MACROBLOCKS - 1) + 1) for _ in range(2))
    frames_only = reader.flag()
    mbaff = not frames_only and reader.flag()
    inference = reader.flag()
    crop = tuple(reader.unsigned() for _ in range(4)) if reader.flag() else (0, 0, 0, 0)
    across = 2 if samples.chroma in (1, 2) else 1
    down = (2 if samples.chroma == 1 else 1) * (1 if frames_only else 2)
    return number, SequenceSet(
        baseline=profile == 66,
        chroma_format=samples.chroma,
        bit_depth=samples.depth,
        separate_planes=samples.separate,
        frame_num_bits=frame_num_bits,
        poc_type=order.poc_type,
        poc_lsb_bits=order.lsb_bits,
        delta_pic_order_always_zero=order.always_zero,
        offset_for_non_ref=order.non_ref,
        offsets_for_ref_frame=order.offsets,
        max_ref_frames=max_refs,
        gaps_allowed=gaps,
        width=width,
        height=rows if frames_only else 2 * rows,
        frame_mbs_only=frames_only,
        mbaff=mbaff,
        direct_8x8_inference=inference,
        crop=(crop[0] * across, crop[2] * down, crop[1] * across, crop[3] * down),
    )


def picture_set(reader: BitReader) -> Tuple[int, PictureSet]:
    """Number and content of a picture parameter set; raises HeaderEnded."""
    number, sequence = reader.unsigned(255), reader.unsigned(31)
    cabac, bottom_order = reader.flag(), reader.flag()
    groups = reader.unsigned(7) + 1
    if groups > 1:
        _slice_groups(reader, groups)
    active = (reader.unsigned(31) + 1, reader.unsigned(31) + 1)
    weighted, bipred = reader.flag(), reader.bits(2)
    if bipred == 3:
        raise HeaderEnded("a weighted_bipred_idc of 3")
    for _ in range(3):
        reader.signed()
    reader.skip(2)
    return number, PictureSet(sequence, bottom_order, active, weighted, bipred, reader.flag(), cabac)


def _slice_groups(reader: BitReader, groups: int) -> None:
    kind = reader.unsigned()
    if kind == 0:
        for _ in range(groups):
            reader.unsigned()
    elif kind == 2:
        for _ in range(2 * (groups - 1)):
            reader.unsigned()
    elif kind in (3, 4, 5):
        reader.skip(1)
        reader.unsigned()
    elif kind == 6:
        for _ in range(reader.unsigned() + 1):
            reader.skip((groups - 1).bit_length())

"""The compiled H.264 core: what it gives to Python."""

from typing import List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

class Damage(ValueError):
    """The bits break a rule of the standard."""

class Unsupported(ValueError):
    """The bits are sound, and outside what is parsed here; the text says which feature."""

class Sequence:
    """The sequence parameter set that a picture was read with; sizes in luma samples."""

    profile_idc: int
    level_idc: int
    coded_width: int
    coded_height: int
    crop: Tuple[int, int, int, int]
    """left, top, right, bottom"""
    chroma_format_idc: int
    bit_depth: int
    poc_type: int
    max_frame_num: int
    max_reorder: int
    """Pictures that may precede one in decode order and follow it in display order: none where pic_order_cnt_type is 2,
    else what is stated, else the most possible."""

class Picture:
    """One parsed picture; `display_index` is to be set before `motion` is asked, on it and all before it."""

    number: int
    kind: str
    """"I", "P" or "B"."""
    idr: bool
    reference: bool
    resets_order: bool
    frame_num: int
    recovery_frame_cnt: int
    """Of the recovery point that comes with it, -1 without one."""
    poc: int
    lost: int
    damaged_slices: int
    concealed_macroblocks: int
    whole: bool
    """None of its slices is damaged or missing; of an I-picture known only where parameter sets wait."""
    damage: str
    sets_refused: bool
    """Parameter sets in its packet are not those that it was read by: they look damaged."""
    exact: bool
    sequence: Sequence
    display_index: Optional[int]

    def motion(self) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.bool_], NDArray[np.bool_]]:
        """mv_qpel (2, H/4, W/4, 2), ref_offset (2, H/4, W/4), intra, weighted (H/4, W/4); read-only arrays."""

    def weights(self) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.uint8]]:
        """weight and offset (2, H/4, W/4, 3), log2_denominator (H/4, W/4, 3)."""

    def residual(self) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
        """y (H, W), cb and cr (H/2, W/2); cb and cr are zero for 4:0:0."""

class Parser:
    def __init__(self, extradata: bytes) -> None: ...
    def parse(self, packet: bytes, number: int) -> List[Picture]:
        """The pictures in one packet; raises Damage or Unsupported, and can go on after both.

        Once a stream has given pictures, what looks damaged is: a parameter set that no picture proves, a NAL unit
        that is not parsed here. Unsupported is raised when it persists.
        """

    def parameter_sets(self) -> bytes:
        """All parameter sets in force, packaged as the stream's packets are."""

    def without_sets(self, packet: bytes) -> bytes:
        """The packet but for its parameter sets."""

"""The compiled core: what it gives to Python."""

from typing import Any, List, Optional, Tuple

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
    """Of luma."""
    bit_depth_chroma: int
    max_frame_num: int
    """Of H.264; 0 of H.265."""
    fields: bool
    """Its pictures are fields (field_seq_flag of H.265)."""
    max_reorder: int
    """Pictures that may precede one in decode order and follow it in display order: none where pic_order_cnt_type is 2,
    else what is stated, else the most possible."""

class Picture:
    """One parsed picture; `display_index` is to be set before `motion` is asked, on it and all before it.

    With threads, or on demand, it may still have to be parsed: that is waited for, or done, where what is in it is
    asked.
    """

    number: int
    kind: str
    """"I", "P" or "B"."""
    random_access: bool
    """An IDR picture of H.264, an IRAP picture of H.265."""
    reference: bool
    output: bool
    """It is to be displayed (pic_output_flag of H.265)."""
    resets_order: bool
    frame_num: int
    """Of H.264; 0 of H.265."""
    recovery_count: int
    """recovery_frame_cnt, or recovery_poc_cnt, of the recovery point that comes with it, -1 without one."""
    poc: int
    lost: int
    damaged_slices: int
    """Slices (H.264), slice segments (H.265) and other NAL units given up, wholly or from some block on."""
    concealed_macroblocks: int
    """Squares of 16 x 16 samples that no slice gave."""
    whole: bool
    """None of its slices is damaged or missing; of an I-picture known only where parameter sets wait."""
    damage: str
    unit_damage: str
    """What is wrong outside of its slices; empty where nothing is."""
    extra_units: int
    """NAL units of other layers than the base in its packet, which are left out."""
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

    def offsets_in_use(self) -> List[int]:
        """The ref_offset that blocks have, but for 0, in rising order."""

class TracedPicture:
    """What has been added up along the paths of one picture's blocks since their I-picture."""

    def displacement(self) -> NDArray[np.float32]:
        """(H/4, W/4, xy) in pixels."""

    def residual(self) -> Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
        """y (H, W), cb and cr (H/2, W/2), in 8-bit units; sums end at the limits of int16."""

class Accumulator:
    """Adds up displacement and residual, by Wu et al. 2018, section 3.1; `references` are (ref_offset, trace, current).

    A block's displacement is minus its vector, plus that of the 4x4 block of the reference that the vector leads
    nearest to; its residual is its own, plus the reference's at the nearest samples. Places outside are moved to the
    border. Two lists are averaged (of residuals, halves to even), but where the reference of only one is `current`
    that one counts alone.
    """

    def __init__(self, coded_width: int, coded_height: int, residual: bool) -> None: ...
    def origin(self) -> TracedPicture:
        """Where paths begin: all is zero."""

    def follow(self, picture: Picture, references: List[Tuple[int, TracedPicture, bool]]) -> TracedPicture: ...
    def follow_arrays(
        self,
        mv_qpel: NDArray[np.int16],
        ref_offset: NDArray[np.int16],
        intra: NDArray[np.bool_],
        residual: Optional[Tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]],
        references: List[Tuple[int, TracedPicture, bool]],
    ) -> TracedPicture:
        """The same of arrays on the coded grid, as a MotionField and a Residual have them, C-contiguous."""

def offsets_in_arrays(ref_offset: NDArray[np.int16], intra: NDArray[np.bool_]) -> List[int]:
    """The ref_offset of blocks that are not intra, but for 0, in rising order."""

class Parser:
    """Parses on so many threads, on all cores with 0, in the caller's own with 1: it gives the same.

    `on_demand` it follows the headers, and parses the rest of a picture when something of it is asked that is inside,
    and not before: in the thread that asks, its substreams on `threads`. `codec` is "h264" or "hevc".
    """

    ahead: int
    """How many packets to parse before the first's pictures are asked, so that all threads have something to do."""

    def __init__(self, codec: str, extradata: bytes, threads: int = 1, on_demand: bool = False) -> None: ...
    def parse(self, packet: bytes, number: int) -> List[Picture]:
        """The pictures in one packet; raises Damage or Unsupported, and can go on after both.

        Once a stream has given pictures, what looks damaged is: a parameter set that no picture proves, a NAL unit
        that is not parsed here. Unsupported is raised when it persists.
        """

    def parameter_sets(self) -> bytes:
        """All parameter sets in force, packaged as the stream's packets are."""

    def without_sets(self, packet: bytes) -> bytes:
        """The packet but for its parameter sets."""

class IdrWriter:
    """Writes I-pictures of one stream so that any decoder gives each at once, with the same samples to the bit.

    Threads that share it take turns. Raises Damage where `extradata` is broken.
    """

    def __init__(self, codec: str, extradata: bytes) -> None: ...
    def write(self, sets: bytes, packet: bytes) -> bytes:
        """An IDR access unit of Annex B with its parameter sets, nothing of it cropped, from an I-picture's packet and
        the sets in force. Raises Damage where slices are missing or broken, and Unsupported for what other decoders may
        not read: other than 8-bit 4:2:0, slice groups, slices out of order, data partitioning."""

class Axis:
    """One axis of a filter onto another grid: output o is the sum over k of weight[o, k] * input[index[o, k]]."""

    def __init__(self, index: NDArray[np.int64], weight: NDArray[np.float32], inputs: int) -> None:
        """`index` and `weight` (outputs, taps); raises ValueError where indices do not rise or lead outside."""

class BlockFilter:
    """Content velocity of 4 x 4 blocks, and the area of intra ones, onto a grid; threads that share it take turns."""

    def __init__(self, rows: Axis, columns: Axis) -> None: ...
    def picture(self, picture: Picture, scale: Tuple[float, float, float], out: NDArray[np.float32]) -> None:
        """x and y of a P or B picture into `out` (2, h, w), of any strides; times scale[0] and scale[1], and at most
        scale[2] in magnitude. Raises ValueError where sizes differ or display indices are missing."""

    def pairs(self, pairs: NDArray[np.float32], scale: Tuple[float, float, float], out: NDArray[np.float32]) -> None:
        """The same of a field (H/4, W/4, xy)."""

    def intra(self, picture: Picture, out: NDArray[np.float32]) -> None:
        """The share of a P or B picture's area that is intra into `out` (1, h, w), of any strides; ValueError where
        sizes differ."""

    def mask(self, mask: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
        """The same of a mask (H/4, W/4)."""

class Colour:
    """Three channels of y, cb and cr: for each its parts of them, offset, scale and shift; limits before the scale."""

    def __init__(
        self, channels: Tuple[Tuple[float, float, float, float, float, float], ...], low: float, high: float
    ) -> None: ...

class ColourFilter:
    """Planes y, cb and cr (half the size, rounded up) onto a grid; threads that share it take turns."""

    def __init__(self, rows: Axis, columns: Axis, chroma_rows: Axis, chroma_columns: Axis) -> None: ...
    def residual(self, picture: Picture, colour: Colour, out: NDArray[np.float32]) -> None:
        """The residual of a P or B picture in 8-bit units, into `out` (3, h, w), of any strides; ValueError where
        sizes differ. Coded blocks alone are touched."""

    def planes(self, planes: Tuple[NDArray[Any], ...], colour: Colour, out: NDArray[np.float32]) -> None:
        """The same of three planes, uint8 or int16, whose rows are contiguous."""

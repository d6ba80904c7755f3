"""H.264 picture order, reference lists and marking from headers alone (sections 8.2.1, 8.2.4, 8.2.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

from edgecvar.stream.h264.headers import SliceHeader
from edgecvar.stream.h264.parameter_sets import SequenceSet
from edgecvar.stream.nal.bits import HeaderEnded


@dataclass(frozen=True)
class Stored:
    """A frame marked as reference; `number` is None for one inferred from a gap in frame_num."""

    number: Optional[int]
    frame_num: int
    poc: int
    long_term: Optional[int] = None


class OrderCount:
    """Picture order count of frames, all three types (section 8.2.1)."""

    def __init__(self) -> None:
        self._msb = self._lsb = 0
        self._offset = self._frame_num = 0

    def of(self, header: SliceHeader) -> int:
        """The lower of the two field counts."""
        kind = header.sequence.poc_type
        if kind == 0:
            return self._from_lsb(header)
        self._advance(header)
        if kind == 1:
            return self._from_cycle(header)
        return 2 * (self._offset + header.frame_num) - (0 if header.ref_idc else 1)

    def reset(self, poc: int) -> None:
        """After memory management operation 5 the picture counts as frame_num 0 (section 8.2.1)."""
        self._msb, self._lsb = 0, poc
        self._offset = self._frame_num = 0

    def _from_lsb(self, header: SliceHeader) -> int:
        if header.idr:
            self._msb = self._lsb = 0
        span = 1 << header.sequence.poc_lsb_bits
        lsb, msb = header.poc_lsb, self._msb
        if lsb < self._lsb and self._lsb - lsb >= span // 2:
            msb += span
        elif lsb > self._lsb and lsb - self._lsb > span // 2:
            msb -= span
        if header.ref_idc:
            self._msb, self._lsb = msb, lsb
        return msb + lsb + min(0, header.delta_bottom)

    def _advance(self, header: SliceHeader) -> None:
        if header.idr:
            self._offset = 0
        elif self._frame_num > header.frame_num:
            self._offset += 1 << header.sequence.frame_num_bits
        self._frame_num = header.frame_num

    def _from_cycle(self, header: SliceHeader) -> int:
        cycle = header.sequence.offsets_for_ref_frame
        count = self._offset + header.frame_num if cycle else 0
        if not header.ref_idc and count > 0:
            count -= 1
        expected = 0
        if count > 0:
            whole, part = divmod(count - 1, len(cycle))
            expected = whole * sum(cycle) + sum(cycle[: part + 1])
        if not header.ref_idc:
            expected += header.sequence.offset_for_non_ref
        top = expected + header.delta_poc[0]
        return min(top, top + header.delta_poc[1])


class DecodedPictures:
    """The frames marked as references, and the lists a slice makes of them."""

    def __init__(self) -> None:
        self.frames: List[Stored] = []
        self._previous = 0

    def enter(self, header: SliceHeader) -> bool:
        """Prepares for a picture; False where frames are missing that should not be."""
        if header.idr:
            self.frames, self._previous = [], 0
            return True
        span = 1 << header.sequence.frame_num_bits
        missing = (header.frame_num - self._previous - 1) % span
        if header.frame_num == self._previous or not missing:
            return True
        for step in range(max(0, missing - header.sequence.max_ref_frames), missing):
            self._slide(header.sequence)
            self.frames.append(Stored(None, (self._previous + 1 + step) % span, 0))
        return header.sequence.gaps_allowed

    def lists(self, header: SliceHeader, poc: int) -> Tuple[List[Stored], List[Stored]]:
        """Both reference lists after modification (sections 8.2.4.2 and 8.2.4.3)."""
        span = 1 << header.sequence.frame_num_bits
        short = [frame for frame in self.frames if frame.long_term is None]
        long = sorted((f for f in self.frames if f.long_term is not None), key=lambda f: f.long_term or 0)
        if header.kind == "B":
            decoded = [frame for frame in short if frame.number is not None]
            past = sorted((f for f in decoded if f.poc < poc), key=lambda f: -f.poc)
            future = sorted((f for f in decoded if f.poc >= poc), key=lambda f: f.poc)
            first, second = past + future + long, future + past + long
            if len(second) > 1 and first == second:
                second[0], second[1] = second[1], second[0]
        else:
            first = sorted(short, key=lambda f: -self._wrapped(f, header.frame_num, span)) + long
            second = []
        return (
            self._modified(first, header, 0, span),
            self._modified(second, header, 1, span),
        )

    @staticmethod
    def _wrapped(frame: Stored, current: int, span: int) -> int:
        return frame.frame_num - span if frame.frame_num > current else frame.frame_num

    def _modified(self, initial: List[Stored], header: SliceHeader, which: int, span: int) -> List[Stored]:
        active = header.active[which]
        entries = initial[:active]
        predicted = header.frame_num
        for position, (command, value) in enumerate(header.modifications[which]):
            if command == 2:
                picked = [f for f in self.frames if f.long_term == value]
            else:
                predicted = (predicted + (value + 1) * (1 if command else -1)) % span
                picked = [f for f in self.frames if f.long_term is None and f.frame_num == predicted]
            if not picked:
                raise HeaderEnded("a reference list names a picture that is not there")
            rest = [frame for frame in entries[position:] if frame is not picked[0]]
            entries = [*entries[:position], picked[0], *rest][:active]
        return entries

    def mark(self, header: SliceHeader, number: int, poc: int) -> bool:
        """Marks the decoded picture (section 8.2.5); True where operation 5 made it count as a first one."""
        reset = False
        if not header.ref_idc:
            return reset
        current = Stored(number, header.frame_num, poc)
        if header.idr:
            self.frames = []
            current = replace(current, long_term=0 if header.long_term_reference else None)
        elif header.adaptive_marking:
            for operation in header.marking:
                current = self._operate(operation, current, header)
                reset = reset or operation[0] == 5
        else:
            self._slide(header.sequence)
        if reset:
            current = replace(current, frame_num=0, poc=0)
        self._previous = current.frame_num
        self.frames.append(current)
        return reset

    def _slide(self, sequence: SequenceSet) -> None:
        while len(self.frames) >= max(1, sequence.max_ref_frames):
            short = [frame for frame in self.frames if frame.long_term is None]
            self.frames.remove(short[0] if short else self.frames[0])

    def _operate(self, operation: Tuple[int, int, int], current: Stored, header: SliceHeader) -> Stored:
        code, first, second = operation
        target = (header.frame_num - first - 1) % (1 << header.sequence.frame_num_bits)
        if code == 1:
            self.frames = [f for f in self.frames if f.long_term is not None or f.frame_num != target]
        elif code == 2:
            self.frames = [f for f in self.frames if f.long_term != first]
        elif code == 3:
            others = [f for f in self.frames if f.long_term != second]
            short = [f.long_term is None and f.frame_num == target for f in others]
            self.frames = [replace(f, long_term=second) if hit else f for f, hit in zip(others, short)]
        elif code == 4:
            self.frames = [f for f in self.frames if f.long_term is None or f.long_term < first]
        elif code == 5:
            self.frames = []
        elif code == 6:
            self.frames = [f for f in self.frames if f.long_term != first]
            return replace(current, long_term=first)
        return current

"""Headers that say more than H.264 allows are refused where they say it, and cost nothing."""

from __future__ import annotations

import tracemalloc
from typing import List

import pytest

from edgecvar.stream.ffmpeg.h264_model import H264Model
from edgecvar.stream.h264.headers import HeaderParser
from edgecvar.stream.nal.bits import HeaderEnded

START = b"\0\0\1"
HUGE = (1 << 32) - 2
"""The largest number that an Exp-Golomb code of 32 zeros says."""


def u(value: int) -> str:
    """One ue(v) code (H.264 section 9.1)."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def unit(kind: int, bits: str) -> bytes:
    """A NAL unit whose reference idc is 3, with its stop bit; zeros are kept apart as section 7.4.1.1 has it."""
    padded = bits + "1" + "0" * (-(len(bits) + 1) % 8)
    body, zeros = bytearray(), 0
    for place in range(0, len(padded), 8):
        byte = int(padded[place : place + 8], 2)
        if zeros >= 2 and byte <= 3:
            body.append(3)
            zeros = 0
        body.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return START + bytes([0x60 | kind]) + bytes(body)


def sequence(frame_num: int = 0, order: int = 0, lsb: int = 0, references: int = 1, mbs: int = 2) -> bytes:
    """A Main profile sequence parameter set of `mbs` x 2 macroblocks."""
    orders = u(order) + (u(lsb) if order == 0 else "")
    size = u(mbs - 1) + u(1)
    return unit(7, f"{77:08b}" + "0" * 16 + u(0) + u(frame_num) + orders + u(references) + "0" + size + "1100")


def picture(active: int = 1, bipred: int = 0) -> bytes:
    """A picture parameter set with explicit weights in P slices."""
    return unit(8, u(0) * 2 + "00" + u(0) + u(active - 1) * 2 + "1" + f"{bipred:02b}" + u(0) * 3 + "000")


def p_slice(luma_log2: int = 0, chroma_log2: int = 0) -> bytes:
    """The header of a P slice with one reference and its weights."""
    return unit(1, u(0) * 3 + "0001" + "0001" + "0" + "0" + u(luma_log2) + u(chroma_log2) + "00" + "0")


def memory(packets: List[bytes]) -> int:
    """Bytes at most while a model follows them."""
    model = H264Model(HeaderParser(None))
    tracemalloc.start()
    try:
        for number, packet in enumerate(packets):
            model.feed(number, packet)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_written_here_is_what_is_parsed() -> None:
    (header,) = HeaderParser(None).slices(sequence() + picture() + p_slice(5, 7))
    assert (header.kind, header.sequence.width, header.sequence.max_ref_frames) == ("P", 32, 1)
    assert [(weight.luma_log2, weight.chroma_log2, weight.plain) for weight in header.weights[0]] == [(5, 7, True)]


@pytest.mark.parametrize("weights", [{"luma_log2": 8}, {"chroma_log2": 8}, {"luma_log2": HUGE}, {"chroma_log2": HUGE}])
def test_a_denominator_that_h264_does_not_have_is_refused(weights: dict) -> None:
    packet = sequence() + picture() + p_slice(**weights)
    with pytest.raises(HeaderEnded, match="at most 7"):
        HeaderParser(None).slices(packet)
    assert memory([packet]) < 1 << 20


@pytest.mark.parametrize(
    "limit", [{"frame_num": 13}, {"lsb": 13}, {"order": 3}, {"references": 17}, {"references": HUGE}, {"mbs": 1056}]
)
def test_a_sequence_beyond_the_standard_is_as_good_as_absent(limit: dict) -> None:
    assert HeaderParser(sequence(**limit)).sequences == {}
    assert HeaderParser(sequence()).sequences != {}


@pytest.mark.parametrize("limit", [{"active": 33}, {"bipred": 3}])
def test_a_picture_set_beyond_the_standard_is_as_good_as_absent(limit: dict) -> None:
    assert HeaderParser(picture(**limit)).pictures == {}
    assert HeaderParser(picture()).pictures != {}


@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_parameter_sets_are_packaged_as_packets_are(length_size: int) -> None:
    """But for one that is longer than a unit of that stream can be."""
    long, short = (each[len(START) :] for each in (sequence() + bytes(range(1, 256)), picture()))
    head = bytes([1, 77, 0, 30, 0xFC | length_size - 1])
    record = head + b"".join(b"\xe1" + len(each).to_bytes(2, "big") + each for each in (long, short))
    parser = HeaderParser(record)
    assert parser.sequences and parser.pictures
    kept = [short] if length_size == 1 else [long, short]
    assert parser.parameter_sets() == b"".join(len(each).to_bytes(length_size, "big") + each for each in kept)


def test_extradata_may_hold_more_than_parameter_sets() -> None:
    parser = HeaderParser(p_slice() + sequence() + picture())
    assert parser.sequences and parser.pictures

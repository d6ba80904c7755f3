"""The native core as Python sees it: errors, arrays that outlive their parser, threads."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import List

import numpy as np
import pytest

from edgecvar.stream.native._core import Damage, Parser, Picture, Unsupported
from tests.stream.native.make_seeds import SEEDS, encoded


def parsed(name: str) -> List[Picture]:
    """The pictures of a seed, each displayed in decode order."""
    packets, extradata = encoded("mp4", *SEEDS[name])
    parser = Parser("h264", extradata)
    pictures = [picture for number, packet in enumerate(packets) for picture in parser.parse(packet, number)]
    for index, picture in enumerate(pictures):
        picture.display_index = index
    return pictures


def test_errors_are_value_errors():
    assert issubclass(Damage, ValueError) and issubclass(Unsupported, ValueError)
    with pytest.raises(Damage):
        Parser("h264", b"\1\x42")  # a configuration record that breaks off


def test_what_is_not_parsed_here_is_named():
    packets, extradata = encoded("mp4", *SEEDS["interlaced"])
    with pytest.raises(Unsupported, match=r"\w"):
        parser = Parser("h264", extradata)
        for number, packet in enumerate(packets):
            parser.parse(packet, number)


def test_pictures_say_what_they_are():
    pictures = parsed("main_cabac_temporal")
    assert [picture.number for picture in pictures] == list(range(8))
    assert "".join(picture.kind for picture in pictures) == "IPBBBPBB"
    assert [picture.random_access for picture in pictures] == [True] + 7 * [False]
    sequence = pictures[0].sequence
    assert (sequence.coded_width, sequence.coded_height, sequence.profile_idc) == (48, 32, 77)


def test_arrays_have_their_shapes_and_outlive_parser_and_picture():
    pictures = parsed("baseline_cavlc")
    mv, ref_offset, intra, weighted = arrays = pictures[1].motion()
    assert (mv.shape, ref_offset.shape, intra.shape, weighted.shape) == ((2, 8, 12, 2), (2, 8, 12), (8, 12), (8, 12))
    assert [array.dtype for array in arrays] == [np.int16, np.int16, np.bool_, np.bool_]
    assert not any(array.flags.writeable for array in arrays)
    assert [array.shape for array in pictures[1].weights()] == [(2, 8, 12, 3), (2, 8, 12, 3), (8, 12, 3)]
    assert [array.shape for array in pictures[1].residual()] == [(32, 48), (16, 24), (16, 24)]
    before = mv.copy()
    del pictures
    gc.collect()
    assert before.any() and np.array_equal(mv, before)


def test_an_i_picture_has_neither_motion_nor_residual():
    picture = parsed("baseline_cavlc")[0]
    for ask in (picture.motion, picture.weights, picture.residual):
        with pytest.raises(ValueError, match="I picture"):
            ask()


def test_motion_wants_the_display_indices_of_the_picture_and_its_references():
    pictures = parsed("baseline_slices")
    pictures[0].display_index = None
    with pytest.raises(ValueError, match="picture 0, a reference of picture 1"):
        pictures[1].motion()
    pictures[1].display_index = None
    with pytest.raises(ValueError, match="display_index"):
        pictures[1].motion()


@pytest.mark.parametrize("packet", ["text", None, memoryview(b"every other")[::2]])
def test_a_packet_is_contiguous_bytes(packet):
    with pytest.raises((TypeError, BufferError)):
        Parser("h264", b"").parse(packet, 0)


def test_threads_take_turns_at_one_parser():
    packets, extradata = encoded("mp4", *SEEDS["baseline_cavlc"])
    parser = Parser("h264", extradata)

    def read(_: int) -> int:
        return sum(len(parser.parse(packet, number)) for number, packet in enumerate(packets))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(read, range(50))) > 0

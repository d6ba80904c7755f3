"""The compiled core through its Python face: mutated packets, wrong arguments, what outlives what."""

from __future__ import annotations

import gc
import os
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from tests.fuzz.streams import blocks, joined
from tests.fuzz.targets import CORE
from tests.stream.native.make_seeds import HEVC_SEEDS, SEEDS, encoded, encoded_hevc

EXPECTED = (ValueError, TypeError, AttributeError, BufferError)
CODECS = ("h264", "hevc")
MOST_STEPS = 256
MOST_MACROBLOCKS = 1 << 14
"""In all pictures of one input: each may be as large as a level allows."""

WRONG: List[Any] = [None, -1, 1 << 40, 1.5, "text", [], {}, object(), memoryview(b"every other")[::2], np.zeros(3), b""]
ATTRIBUTES = (
    "number",
    "kind",
    "random_access",
    "reference",
    "resets_order",
    "recovery_count",
    "extra_units",
    "poc",
    "lost",
    "damaged_slices",
)
ATTRIBUTES += ("concealed_macroblocks", "whole", "damage", "exact", "display_index")
OF_SEQUENCE = ("profile_idc", "level_idc", "crop", "chroma_format_idc", "bit_depth", "bit_depth_chroma", "max_reorder")


def seeds() -> Dict[str, bytes]:
    """Steps (see Session), then the codec's place in CODECS, extradata and packets of a stream of every coding tool."""
    found = {}
    for place, (name, (profile, settings)) in enumerate(SEEDS.items()):
        found[name] = _seed(0, *encoded(("mp4", "h264")[place % 2], profile, settings))
    for place, (name, (pixels, settings)) in enumerate(HEVC_SEEDS.items()):
        found[f"hevc_{name}"] = _seed(1, *encoded_hevc(("mp4", "hevc")[place % 2], pixels, settings))
    return found


def _seed(codec: int, packets: Sequence[bytes], extradata: bytes) -> bytes:
    steps = b"".join(bytes([0, 1, 2, 3, 4, 5, 6, 7 + step % 16 + 23 * step]) for step in range(len(packets)))
    return joined([steps, bytes([codec]), extradata, *packets])


def check(data: bytes) -> None:
    """Each step does what it should, or raises an error that Python's caller is told of."""
    steps, *stream = [*blocks(data)] or [b""]
    quietly(lambda: Session(stream).run(steps[:MOST_STEPS]))


def _core() -> Any:
    path = os.environ.get(CORE)
    if path is None:
        from edgecvar.stream.native import _core

        return _core
    spec = spec_from_file_location("_core", path, loader=ExtensionFileLoader("_core", path))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NATIVE = _core()


def quietly(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except UnicodeDecodeError:
        raise  # a ValueError as well, and never meant
    except EXPECTED:
        return None


class Session:
    """One parser, the pictures that it gave, and the arrays that they gave."""

    def __init__(self, stream: List[bytes]) -> None:
        self.on_demand = len(stream) % 2 == 1
        codec, extradata, *self.packets = (*stream, b"", b"")[: max(2, len(stream))]
        self.codec = CODECS[codec[0] % 2 if codec else 0]
        self.parser: Any = NATIVE.Parser(self.codec, extradata, 1, self.on_demand)
        self.number = self.macroblocks = 0
        self.pictures: List[Any] = []
        self.arrays: List[Any] = []
        self.accumulator: Any = None
        self.traces: Dict[int, Any] = {}
        self.steps: List[Callable[[int], Any]] = [
            self._parse,
            self._display,
            lambda step: self.arrays.extend(self._picture(step).motion()),
            lambda step: self.arrays.extend(self._picture(step).residual()),
            lambda step: self.arrays.extend(self._picture(step).weights()),
            self._look,
            self._trace,
            lambda step: self.parser.parse(WRONG[step % len(WRONG)], 0),
            lambda step: self.parser.parse(b"", WRONG[step % len(WRONG)]),
            lambda step: NATIVE.Parser(self.codec, WRONG[step % len(WRONG)]),
            lambda step: setattr(self._picture(step), "display_index", WRONG[step % len(WRONG)]),
            lambda step: setattr(self._picture(step), ATTRIBUTES[step % len(ATTRIBUTES)], 1),
            lambda step: self.arrays[step % (len(self.arrays) or 1)].fill(0) if self.arrays else None,
            lambda step: self.parser.parameter_sets(),
            self._forget,
            lambda step: self._picture(step).motion(WRONG[step % len(WRONG)]),
            lambda step: setattr(
                self, "parser", NATIVE.Parser(self.codec, self.parser.parameter_sets(), 1, self.on_demand)
            ),
            self._prepare,
            lambda step: NATIVE.Axis(WRONG[step % len(WRONG)], *self._taps(step)[1:]),
            lambda step: NATIVE.Axis(*self._taps(step)[:2], step % 5),
            self._trace_arrays,
            self._trace_wrongly,
            lambda step: NATIVE.Accumulator(WRONG[step % len(WRONG)], 16 * step, True),
        ]

    def run(self, steps: bytes) -> None:
        """Takes the step that each byte names, with what is left of the byte; every array is looked at in the end."""
        for step in steps:
            self.take(step)
        self.pictures.clear()
        self.traces.clear()
        del self.parser, self.accumulator
        gc.collect(0)
        for array in self.arrays:  # what they show must still be there
            int(array.sum())
        self.arrays.clear()
        self.steps.clear()  # they hold the session, which would wait for the collector with all that it holds

    def take(self, step: int) -> None:
        quietly(lambda: self.steps[step % len(self.steps)](step // len(self.steps)))

    def _picture(self, step: int) -> Any:
        if not self.pictures:
            raise ValueError("no picture yet")
        return self.pictures[-1 - step % len(self.pictures)]

    def _parse(self, step: int) -> None:
        if self.number >= len(self.packets) or self.macroblocks > MOST_MACROBLOCKS:
            return
        self.number += 1
        for picture in self.parser.parse(self.packets[self.number - 1], self.number):
            self.pictures.append(picture)
            self.macroblocks += picture.sequence.coded_width * picture.sequence.coded_height // 256

    def _display(self, step: int) -> None:
        for index, picture in enumerate(self.pictures):
            picture.display_index = index ^ 1

    def _look(self, step: int) -> None:
        picture: Optional[Any] = self._picture(step)
        for name in ATTRIBUTES:
            repr(getattr(picture, name))
        for name in OF_SEQUENCE:
            repr(getattr(picture.sequence, name))  # type: ignore[union-attr]

    def _trace(self, step: int) -> None:
        picture = self._picture(step)
        accumulator = self._accumulate(picture)
        self._keep(accumulator.follow(picture, self._references(picture.offsets_in_use())))

    def _trace_arrays(self, step: int) -> None:
        picture = self._picture(step)
        mv, offset, intra, _ = picture.motion()
        accumulator = self._accumulate(picture)
        references = self._references(NATIVE.offsets_in_arrays(offset, intra))
        self._keep(accumulator.follow_arrays(mv, offset, intra, picture.residual(), references))

    def _trace_wrongly(self, step: int) -> None:
        """Arguments of other types, and arrays of other shapes, strides and offsets than the references'."""
        wrong = WRONG[step % len(WRONG)]
        picture = self._picture(step)
        mv, offset, intra, _ = picture.motion()
        accumulator, planes = self._accumulate(picture), picture.residual()
        for arguments in ((picture, wrong), (wrong, []), (picture, [(-1, wrong, True)]), (picture, [])):
            quietly(lambda arguments=arguments: accumulator.follow(*arguments))
        for arrays in ((mv[:, ::2], offset, intra), (mv, offset[:, :, 1:], intra), (mv, offset, wrong)):
            quietly(lambda arrays=arrays: accumulator.follow_arrays(*arrays, planes, []))
        for residual in (wrong, planes[:2], planes[::-1], tuple(plane[::-1] for plane in planes)):
            quietly(lambda residual=residual: accumulator.follow_arrays(mv, offset, intra, residual, []))
        NATIVE.offsets_in_arrays(offset, intra[1:])

    def _accumulate(self, picture: Any) -> Any:
        """The accumulator; pictures of another size than the first are refused by it."""
        if self.accumulator is None:
            self.accumulator = NATIVE.Accumulator(picture.sequence.coded_width, picture.sequence.coded_height, True)
        return self.accumulator

    def _references(self, offsets: List[int]) -> List[Any]:
        origin = self.accumulator.origin()
        return [(offset, self.traces.get(offset, origin), bool(offset & 1)) for offset in offsets]

    def _keep(self, trace: Any) -> None:
        self.traces[-1 - len(self.traces) % 4] = trace
        self.arrays.extend((trace.displacement(), *trace.residual()))

    def _taps(self, step: int) -> Tuple[Any, Any, int]:
        """Of an axis with two outputs, for a picture of that many macroblocks or not."""
        inputs = (16, 32, 64, 128, 256)[step % 5]
        index = np.array([[0, 1, 2], [inputs // 2, inputs // 2 + 1, inputs - 1 + step // 5 % 2]])
        return index, np.full((2, 3), 0.5), inputs

    def _prepare(self, step: int) -> None:
        picture = self._picture(step)
        width, height = picture.sequence.coded_width, picture.sequence.coded_height
        cut = step % 3 and 16  # a picture of another size is refused
        rows, columns = ([*self._axes(side - cut)] for side in (height, width))
        out = [np.zeros((3, 2, 2), np.float32), np.zeros((3, 2, 4), np.float32)[..., ::-2], np.zeros((3, 2, 2))][
            step % 3
        ]
        colour = NATIVE.Colour((((1, 0, 1, 0, 1, 0),) * 3), -1, 1)
        filtered = NATIVE.ColourFilter(rows[0], columns[0], rows[1], columns[1])
        quietly(lambda: filtered.residual(picture, colour, out))
        for sample in (np.uint8, np.int16, np.float32):
            planes = [np.ones((height - cut, width - cut), sample), *[np.ones((height // 2, width // 2), sample)] * 2]
            quietly(lambda planes=planes: filtered.planes(tuple(planes), colour, out))  # type: ignore[misc]
        blocks = NATIVE.BlockFilter(rows[2], columns[2])
        quietly(lambda: blocks.picture(picture, (1, 1, 8), out[:2]))
        quietly(lambda: blocks.pairs(np.ones((height // 4, width // 4, 2)), (1, 1, 8), out[:2]))
        quietly(lambda: blocks.intra(picture, out[:1]))
        quietly(lambda: blocks.mask(np.ones((height // 4, width // 4), bool), out[:1]))
        self.arrays.append(out)

    def _axes(self, side: int) -> List[Any]:
        """Of luma, chroma and blocks."""
        axes = []
        for cell in (1, 2, 4):
            inputs = max(1, side // cell)
            axes.append(NATIVE.Axis([[0, 0], [inputs // 2, inputs - 1]], [[0.5, 0.5], [0.5, 0.5]], inputs))
        return axes

    def _forget(self, step: int) -> None:
        del self.pictures[: step % 4]
        del self.arrays[: step % 8]

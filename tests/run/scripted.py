"""A stream whose pictures are written down, and a runner whose numbers tell which picture they came from."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Callable, ClassVar, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from edgecvar.bundle.manifest import Manifest, Provenance
from edgecvar.bundle.stages import StageSpec
from edgecvar.clips.spec import PREPARED, InputSpec
from edgecvar.run.decisions import Decision, RunSummary
from edgecvar.run.recognizer import RunOptions, recognize
from edgecvar.runners.runner import History
from edgecvar.stream.colour import ShownPlanes
from edgecvar.stream.types import Break, CodedPicture, MotionField, Residual, StreamInfo, StreamSummary
from tests.clips.planes import grey

SIDE = 64
FPS = 10
INFO = StreamInfo("h264", SIDE, SIDE, Fraction(FPS), Fraction(1, FPS), False, "scripted", SIDE, SIDE)
SPEC = InputSpec(
    height=32,
    width=32,
    crop=1.0,
    gop_length=4,
    stride=1,
    consensus=1,
    velocity_unit=1.0,
    residual_unit=1.0,
    image_mean=(0, 0, 0),
    image_std=(1, 1, 1),
)
LABELS = ["zero", "one", "two"]


@dataclass
class Content:
    """Picture `index`: an image of that grey level, or vectors of `index` / 16 pixels and a residual of `index`."""

    kind: str
    index: int
    side: int = SIDE
    parsed: ClassVar[None] = None
    reference: ClassVar[bool] = True

    def motion(self) -> Optional[MotionField]:
        if self.kind == "I":
            return None
        grid = (self.side // 4, self.side // 4)
        vectors = np.zeros((2, *grid, 2), np.int16)
        vectors[0, ..., 0] = self.index
        offsets = np.zeros((2, *grid), np.int16)
        offsets[0] = 1
        nowhere = np.zeros(grid, bool)
        return MotionField(vectors, offsets, nowhere, nowhere, True)

    def residual(self) -> Optional[Residual]:
        if self.kind == "I":
            return None
        chroma = np.zeros((self.side // 2, self.side // 2), np.int16)
        return Residual(np.full((self.side, self.side), self.index, np.int16), chroma, chroma)

    def planes(self) -> Optional[ShownPlanes]:
        return grey(np.full((self.side, self.side), self.index, np.uint8)) if self.kind == "I" else None


class ScriptedStream:
    """Pictures of the kinds in `script`, in decode order; `error` is raised in place of the next one.

    `shown`: their display indices, those of decoding unless given. `breaks`: the reasons for breaks before pictures;
    `hidden` pictures are not shown.
    """

    def __init__(
        self,
        script: str,
        error: Optional[BaseException] = None,
        on_read: Callable = lambda i: None,
        shown: Optional[List[int]] = None,
        breaks: Optional[Dict[int, Break]] = None,
        hidden: Sequence[int] = (),
    ):
        self.info = INFO
        self.summary = StreamSummary()
        self._script, self._error, self._on_read = script, error, on_read
        self.given = 0
        self._side = SIDE
        self._shown = list(range(len(script))) if shown is None else shown
        self._breaks, self._hidden = breaks or {}, hidden

    def __iter__(self):
        for index, kind in enumerate(self._script):
            self._on_read(index)
            self.given += 1
            seen, at, opens = index not in self._hidden, self._shown[index], self._breaks.get(index)
            self.summary.gave(seen)
            if opens is not None:
                self.summary.broke(opens.reason)
                self._side = opens.info.width
            content = Content(kind, index, self._side)
            yield CodedPicture(index, at, at / FPS, kind, kind == "I", content, opens=opens, shown=seen)
        if self._error is not None:
            raise self._error


def stage(name: str, cadence: str, *inputs: Tuple[Any, ...], output: Optional[List[int]] = None) -> StageSpec:
    """A stage whose inputs are given as (name, source, gop[, segments]); `manifest` gives them their shapes."""
    described = [{**dict(zip(("name", "source", "gop", "segments"), each)), "shape": [1]} for each in inputs]
    return StageSpec.model_validate(
        {"name": name, "cadence": cadence, "inputs": described, "output_shape": output or [1]}
    )


APPEARANCE = stage("appearance", "gop", ("image", "image", "current"))
MOTION = stage("motion", "picture", ("motion", "motion", "current"))
RESIDUAL = stage("residual", "picture", ("residual", "residual", "current"))
FUSE = stage(
    "fuse",
    "picture",
    ("appearance", "appearance", "current"),
    ("adjacent", "appearance", "adjacent"),
    ("motion", "motion", "current"),
    ("residual", "residual", "current"),
    output=[3],
)
TEMPORAL = [APPEARANCE, MOTION, RESIDUAL, FUSE]


def manifest(stages: List[StageSpec] = TEMPORAL, **spec: Any) -> Manifest:
    """Stages that fit together: each input has the shape of its source, an earlier stage before a prepared input."""
    shapes = {source: list(SPEC.shape(source)) for source in PREPARED}
    fitting = []
    for each in stages:
        inputs = [
            tensor.model_copy(
                update={"shape": [tensor.segments] * (tensor.segments is not None) + shapes.get(tensor.source, [1])}
            )
            for tensor in each.inputs
        ]
        fitting.append(each.model_copy(update={"inputs": inputs}))
        shapes[each.name] = each.output_shape
    return Manifest(
        labels=LABELS,
        input=SPEC.model_copy(update=spec),
        stages=fitting,
        files=[],
        provenance=Provenance(model="scripted"),
    )


@dataclass(frozen=True)
class Launched:
    """A stage's output on a device: only the runner can look into it."""

    stage: str
    output: np.ndarray


class RecordingRunner:
    """Each stage's output is the number of the picture it saw; the last one's scores come from `scores`.

    `calls` holds (stage, {input: picture number}) in order, of an input with segments the numbers of all of them;
    `fetched` the stages whose output was fetched. `scores` gets the sampled picture's number.
    """

    name = "recording"

    def __init__(self, scores: Callable[[int], List[float]] = lambda picture: [0.0, 0.0, 0.0]) -> None:
        self.calls: List[Tuple[str, Dict[str, Any]]] = []
        self.fetched: List[str] = []
        self.threads = set()
        self._scores = scores

    def __enter__(self) -> RecordingRunner:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def launch(self, stage: str, inputs: Dict[str, Any]) -> Launched:
        self.threads.add(threading.current_thread())
        seen = {name: _number(name, value) for name, value in inputs.items()}
        self.calls.append((stage, seen))
        if stage in ("fuse", "classify"):
            return Launched(stage, np.array([self._scores(seen.get("motion", -1))], np.float32))
        newest = (number[-1] if isinstance(number, tuple) else number for number in seen.values())
        return Launched(stage, np.array([[max(newest)]], np.float32))

    def fetch(self, value: Launched) -> np.ndarray:
        self.fetched.append(value.stage)
        return value.output

    def of(self, stage: str) -> List[Dict[str, Any]]:
        return [seen for name, seen in self.calls if name == stage]


def _number(name: str, value: Any) -> Union[int, Tuple[Any, ...]]:
    """Which picture a tensor belongs to, or pictures: prepared ones by their level, stage outputs say it."""
    if isinstance(value, History):
        return tuple(_number(name, each) for each in value.values)
    if not isinstance(value, Launched) and value.ndim == 5:
        return tuple(_number(name, value[:, place]) for place in range(value.shape[1]))
    if isinstance(value, Launched):
        return int(value.output[0, 0])
    if name.startswith("image"):
        return round(float(value.mean()) * 255)
    if name == "motion":
        # A vector of i/4 pixels against a reference one picture later, at half the size: velocity i/8.
        return round(abs(float(value[0, 0].mean())) * 8)
    return round(float(value.mean()) / 1.164384)


def run(
    script: str,
    stages: List[StageSpec] = TEMPORAL,
    runner: Optional[RecordingRunner] = None,
    options: Optional[RunOptions] = None,
    stream: Optional[ScriptedStream] = None,
    **spec: Any,
) -> Tuple[List[Decision], RecordingRunner, RunSummary]:
    """The decisions of a scripted stream, what ran for them, and the summary."""
    runner = runner or RecordingRunner()
    with recognize(
        stream or ScriptedStream(script), manifest(stages, **spec), runner, options or RunOptions()
    ) as recognition:
        decisions = list(recognition)
    return decisions, runner, recognition.summary


def histories(runner: RecordingRunner, name: str) -> List[Any]:
    """What the stage `classify` was handed as the input `name`, call by call."""
    return [seen[name] for seen in runner.of("classify")]

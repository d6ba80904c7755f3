"""The parts that a picture passes on its way to a decision, each with its time (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from edgecvar.bench.session import Session
from edgecvar.bench.summary import summarise
from edgecvar.predict.prediction import Interval, Prediction

STAGES = 12
"""That a picture has boxes for."""

PREPARED = ""
"""Where it is not known what a stage takes: no stage is called that."""
READING = ("read", "trace", "parse")
NAMES = {"read": "read, parse", "prepare": "prepare", "image": "I-pictures", "decide": "decide"}
WORDS = {"image": ("image", "i-picture", "decod"), "prepare": ("prepar",), "read": ("read",)}
"""What a bottleneck in words may be called."""


@dataclass(frozen=True)
class Box:
    """A part: milliseconds for a sampled picture, measured or else predicted, and its share of all boxes' time."""

    key: str
    title: str
    ms: Optional[float] = None
    share: float = 0.0
    predicted: Optional[Interval] = None
    lines: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """Boxes in an order in which data passes them, and which hands on to which; `assumed`: that is not known.

    `bottleneck`: the key of the box that bounds the rate. `left`: stages that have no box.
    """

    boxes: Sequence[Box]
    edges: Sequence[Tuple[str, str]]
    bottleneck: Optional[str]
    assumed: bool
    left: int = 0


def measured_flow(session: Session) -> Flow:
    """Of a session, with what was predicted beside it where that is there."""
    run, samples = session.run, max(session.run.sampled, 1)
    spent = {name: sum(spans) / samples for name, spans in run.spans_ms.items() if spans}
    total = sum(spent.values()) or 1.0
    predicted = {} if session.prediction is None else _predicted(session.prediction)
    parts: Dict[str, float] = {}
    for key, names in (("read", READING), ("image", ("image",)), ("prepare", ("prepare",))):
        if any(name in spent for name in names):
            parts[key] = sum(spent.get(name, 0.0) for name in names)
    named = [row.name[6:] for row in summarise(session).rows if row.name.startswith("stage:") and row.count]
    stages = [stage for stage in session.flow if stage in named]
    stages += [stage for stage in named if stage not in stages]
    parts.update({f"stage:{stage}": spent[f"stage:{stage}"] for stage in _shown(stages)})
    if "decide" in spent:
        parts["decide"] = spent["decide"]
    boxes = [Box(key, _title(key), ms, ms / total, predicted.get(key)) for key, ms in parts.items()]
    images = len(run.spans_ms.get("image", ()))
    of_window = {stage for stage in stages if images and len(run.spans_ms[f"stage:{stage}"]) <= images}
    size, pace = f"{session.width} x {session.height}", f"{session.stream_fps:.4g} a second"
    source = Box("source", "file or camera", lines=(size, pace, f"1 of {session.every} sampled"))
    return _flow([source, *boxes], session.flow, of_window, _busiest(boxes), len(stages) - len(_shown(stages)))


def predicted_flow(prediction: Prediction, flow: Mapping[str, Sequence[str]]) -> Flow:
    """Of a prediction alone; `flow` has the sources of each stage, where they are known."""
    predicted = _predicted(prediction)
    total = sum(interval.likely for interval in predicted.values()) or 1.0
    stages = [each.stage for each in prediction.stages]
    shown = {f"stage:{stage}" for stage in _shown(stages)}
    boxes = [
        Box(key, _title(key), interval.likely, interval.likely / total, interval)
        for key, interval in predicted.items()
        if key in shown or not key.startswith("stage:")
    ]
    stream = prediction.stream
    lines = (f"{stream.width} x {stream.height}", f"{stream.fps:.4g} a second", f"1 of {stream.every} sampled")
    source = Box("source", f"{prediction.streams} x camera", lines=lines)
    of_window = {each.stage for each in prediction.stages if each.cadence == "gop"}
    held = _named(prediction.bottleneck, boxes) or _busiest(boxes)
    decide = Box("decide", "decide", lines=("not predicted",))
    return _flow([source, *boxes, decide], flow, of_window, held, len(stages) - len(shown))


def _predicted(prediction: Prediction) -> Dict[str, Interval]:
    """By key, for one sampled picture."""
    host, every = prediction.host, prediction.stream.every
    parts = {"read": host.read.times(every), "image": host.image.times(every), "prepare": host.prepare.times(every)}
    parts.update({f"stage:{each.stage}": each.ms.times(each.per_sample) for each in prediction.stages})
    return {key: interval for key, interval in parts.items() if interval.high > 0}


def _shown(stages: Sequence[str]) -> List[str]:
    return list(stages) if len(stages) <= STAGES else [*stages[: STAGES - 1], stages[-1]]


def _title(key: str) -> str:
    return key[6:] if key.startswith("stage:") else NAMES[key]


def _flow(
    boxes: Sequence[Box], flow: Mapping[str, Sequence[str]], of_window: Set[str], held: Optional[str], left: int
) -> Flow:
    stages = [box.key[6:] for box in boxes if box.key.startswith("stage:")]
    assumed = not all(stage in flow for stage in stages)
    sources = _assumed(stages, of_window) if assumed else flow
    edges = [("source", "read"), ("read", "image"), ("read", "prepare")]
    before: Set[str] = set()
    for stage in stages:
        for source in sources[stage]:
            maker = f"stage:{source}" if source in before else "image" if source == "image" else "prepare"
            edges.append((maker, f"stage:{stage}"))
        before.add(stage)
    if stages:
        edges.append((f"stage:{stages[-1]}", "decide"))
    there = {box.key for box in boxes}
    known = [edge for edge in dict.fromkeys(edges) if there.issuperset(edge)]
    return Flow(boxes, known, held, assumed and bool(stages), left)


def _assumed(stages: Sequence[str], of_window: Set[str]) -> Dict[str, List[str]]:
    """Each stage of what it runs once for, and the last one of all before it, as most networks are built."""
    sources = {stage: ["image" if stage in of_window else PREPARED] for stage in stages}
    if len(stages) > 1:
        sources[stages[-1]] = list(stages[:-1])
    return sources


def _busiest(boxes: Sequence[Box]) -> Optional[str]:
    """The largest part of the thread that has most to do: reading and preparing, I-pictures, or stages and deciding."""
    groups: Dict[str, List[Box]] = {}
    for box in boxes:
        thread = {"read": "reader", "prepare": "reader", "image": "image"}.get(box.key, "caller")
        groups.setdefault(thread, []).append(box)
    if not groups:
        return None
    busiest = max(groups.values(), key=lambda group: sum(box.ms or 0.0 for box in group))
    return max(busiest, key=lambda box: box.ms or 0.0).key


def _named(words: str, boxes: Sequence[Box]) -> Optional[str]:
    """The box that a sentence speaks of; stages by their name."""
    for box in boxes:
        if box.key.startswith("stage:") and f"{words} ".startswith(f"the stage {box.title} "):
            return box.key
    there = {box.key for box in boxes}
    found = (key for key, parts in WORDS.items() if key in there and any(part in words.lower() for part in parts))
    return next(found, None)

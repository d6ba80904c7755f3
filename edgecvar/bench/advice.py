"""What to change, from where the time of a session went (pure)."""

from __future__ import annotations

import math
from typing import Dict, Optional

from edgecvar.bench.session import Session
from edgecvar.bench.summary import summarise
from edgecvar.clips.spec import LARGEST_STRIDE


def advice(session: Session) -> str:
    """One sentence: the pace, what holds it, and the change that helps most."""
    spent = {name: sum(spans) for name, spans in session.run.spans_ms.items()}
    total = sum(spent.values()) or 1.0
    pace = summarise(session).realtime
    largest = _largest(spent)
    kept = f"{pace:.1f} such streams fit on this machine" if pace >= 1 else f"this is {pace:.2f} of the stream's rate"
    every = None if pace >= 1 else _stride_that_keeps_up(session, spent)
    if every is not None:
        return f"advice: {kept}, and --every {every} (now {session.every}) keeps up with it"
    remedy = _remedy(session, largest)
    share = f"{spent.get(largest, 0.0) / total:.0%} of all"
    return f"advice: {kept}; in the busiest thread most time ({share}) goes to {_called(largest)}: {remedy}"


def _largest(spent: Dict[str, float]) -> str:
    """The largest span of the busiest thread: reading, I-pictures and stages have one each."""
    threads: Dict[str, float] = {}
    for name, ms in spent.items():
        threads[_thread(name)] = threads.get(_thread(name), 0.0) + ms
    busiest = max(threads, key=lambda thread: threads[thread], default="reader")
    return max((name for name in spent if _thread(name) == busiest), key=lambda name: spent[name], default="read")


def _thread(span: str) -> str:
    return "engine" if span.startswith("stage:") or span == "decide" else "images" if span == "image" else "reader"


def _stride_that_keeps_up(session: Session, spent: Dict[str, float]) -> Optional[int]:
    """The least stride with which reader, I-pictures and stages each take less than a stream picture's time.

    Each has a thread of its own; I-pictures take as long whatever the stride.
    """
    run = session.run
    if not (run.pictures and run.sampled and session.stream_fps):
        return None
    budget = 1e3 / session.stream_fps
    read = (spent.get("read", 0.0) + spent.get("trace", 0.0)) / run.pictures
    prepare = (spent.get("parse", 0.0) + spent.get("prepare", 0.0)) / run.sampled
    stages = sum(ms for name, ms in spent.items() if name.startswith("stage:") or name == "decide") / run.sampled
    if max(read, spent.get("image", 0.0) / run.pictures) >= budget:
        return None
    stride = math.ceil(max(stages / budget, prepare / (budget - read)))
    return stride if session.every < stride <= LARGEST_STRIDE else None


def _remedy(session: Session, largest: str) -> str:
    if largest == "read":
        if session.extraction == "ffmpeg":
            return "send progressive H.264 or HEVC, which is read without decoding, or a smaller picture"
        return "a smaller picture, such as a camera's second stream, is what helps"
    if largest == "trace":
        return "a network that does not accumulate vectors needs none of it"
    if largest == "image":
        return "send fewer I-pictures (a longer GOP), or a smaller picture"
    stride = 2 * session.every
    fewer = [f"sample fewer pictures (--every {stride})"] if stride <= LARGEST_STRIDE else []
    if largest == "parse":
        return ", or ".join([*fewer, "send a smaller picture, such as a camera's second stream"])
    if largest in ("prepare", "decide"):
        return ", or ".join(fewer or ["train a network of smaller inputs"])
    if session.precision == "int8":
        return ", or ".join([*fewer, "train a smaller backbone"])
    narrower = "int8" if session.precision == "fp16" or session.runner.startswith("onnxruntime") else "fp16"
    return ", or ".join([f"try --precision {narrower} where the bundle has it", *fewer])


def _called(span: str) -> str:
    return (
        f"the stage {span[6:]}"
        if span.startswith("stage:")
        else {"read": "reading", "parse": "parsing", "image": "decoding I-pictures"}.get(span, f"`{span}`")
    )

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
    largest = max(spent, key=lambda name: spent[name]) if spent else "read"
    kept = f"{pace:.1f} such streams fit on this machine" if pace >= 1 else f"this is {pace:.2f} of the stream's rate"
    every = None if pace >= 1 else _stride_that_keeps_up(session, spent)
    if every is not None:
        return f"advice: {kept}, and --every {every} (now {session.every}) keeps up with it"
    remedy = _remedy(session, largest)
    return f"advice: {kept}; most time ({spent.get(largest, 0.0) / total:.0%}) goes to {_called(largest)}: {remedy}"


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
            return "send progressive H.264, which is read without decoding, or a smaller picture"
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
    return ", or ".join([f"try --precision {narrower}", *fewer])


def _called(span: str) -> str:
    return (
        f"the stage {span[6:]}"
        if span.startswith("stage:")
        else {"read": "reading", "parse": "parsing", "image": "decoding I-pictures"}.get(span, f"`{span}`")
    )

"""The Trace Event Format, as far as our files use it, held against a file: what is no part of it is an error.

Field names, phases and units are those of Google's document (see `edgecvar/run/trace_file.py`); that the two keys come
in this order, that no event has a list, and that threads differ by number alone, is what Perfetto's reader wants.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Literal, Optional, Tuple, Union

from pydantic import BaseModel, ConfigDict, Field

BEGINS = '{"displayTimeUnit":"ms","traceEvents":['


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Picture(_Strict):
    picture: int = Field(ge=0)


class Complete(_Strict):
    """Work that began at `ts` and took `dur` microseconds."""

    ph: Literal["X"]
    ts: Union[float, int] = Field(ge=0)
    dur: Union[float, int] = Field(ge=0)
    pid: int = Field(ge=1)
    tid: int = Field(ge=1)
    name: str = Field(min_length=1)
    cat: str = Field(min_length=1)
    args: Optional[_Picture] = None


class _Level(_Strict):
    pictures: int = Field(ge=0)


class Counted(_Strict):
    """What a counter of a process was from `ts` on."""

    ph: Literal["C"]
    ts: Union[float, int] = Field(ge=0)
    pid: int = Field(ge=1)
    tid: int = Field(ge=1)
    name: str = Field(min_length=1)
    args: _Level


class _Name(_Strict):
    name: str = Field(min_length=1)


class _Place(_Strict):
    sort_index: int


class Named(_Strict):
    """How a process or a thread is called."""

    ph: Literal["M"]
    pid: int = Field(ge=1)
    tid: int = Field(ge=1)
    name: Literal["process_name", "thread_name"]
    args: _Name


class Sorted(_Strict):
    """Where a process or a thread is shown."""

    ph: Literal["M"]
    pid: int = Field(ge=1)
    tid: int = Field(ge=1)
    name: Literal["process_sort_index", "thread_sort_index"]
    args: _Place


class _Told(_Strict):
    program: str
    spans_left_out: int = Field(ge=0)


class TraceFile(_Strict):
    displayTimeUnit: Literal["ms", "ns"]
    traceEvents: List[Union[Complete, Counted, Named, Sorted]]
    otherData: _Told


Track = Tuple[str, str]
"""Process and thread by their names."""


def spans_of(path: Path) -> Dict[Track, List[Complete]]:
    """The spans of a file that is in the format, by process and thread, as they are in it; AssertionError otherwise."""
    text = path.read_text(encoding="ascii")
    assert text.startswith(BEGINS) and list(json.loads(text)) == ["displayTimeUnit", "traceEvents", "otherData"]
    file = TraceFile.model_validate(json.loads(text))
    processes = {each.pid: each.args.name for each in file.traceEvents if _is(each, "process_name")}
    threads = {each.tid: (each.pid, each.args.name) for each in file.traceEvents if _is(each, "thread_name")}
    assert len(threads) == sum(_is(each, "thread_name") for each in file.traceEvents), "two threads share a number"
    assert not set(processes) & set(threads), "a thread's number that is its process's is the main thread's"
    tracks: Dict[Track, List[Complete]] = defaultdict(list)
    for each in file.traceEvents:
        if isinstance(each, (Complete, Counted)):
            assert threads[each.tid][0] == each.pid, "a span in a thread of another process"
        if isinstance(each, Complete):
            tracks[processes[each.pid], threads[each.tid][1]].append(each)
    for track, spans in tracks.items():
        check_nesting([(each.ts, each.ts + each.dur) for each in spans], str(track))
    return tracks


def counters_of(path: Path) -> Dict[int, List[int]]:
    """By process, what its counter was, in its order; the times must go forward."""
    events = [each for each in json.loads(path.read_text())["traceEvents"] if each["ph"] == "C"]
    levels: Dict[int, List[int]] = defaultdict(list)
    for before, each in zip([None, *events], events):
        assert before is None or before["pid"] != each["pid"] or before["ts"] < each["ts"]
        levels[each["pid"]].append(each["args"]["pictures"])
    return levels


def check_nesting(spans: List[Tuple[float, float]], where: str = "") -> None:
    """AssertionError where two of the spans (begin, end) overlap, and neither holds the other."""
    open_until: List[float] = []
    for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        while open_until and open_until[-1] <= begin + 1e-4:  # a tenth of a nanosecond: floats of microseconds
            open_until.pop()
        assert not open_until or end <= open_until[-1] + 1e-4, f"{where}: a span ends at {end} in one that ended before"
        open_until.append(end)


def _is(event: Any, name: str) -> bool:
    return isinstance(event, Named) and event.name == name

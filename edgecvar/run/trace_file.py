"""A trace as a file that Perfetto and chrome://tracing open: JSON in the Trace Event Format.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU is that format. A stream is a process
there, and each of its threads a thread. Perfetto's reader stops at a key that it does not know, so the events come
before what is said of the whole; it takes a thread's name by its number alone, so no two threads share one.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from edgecvar import __version__
from edgecvar.errors import ConfigError, reason
from edgecvar.files import check_writable, takes_all, whole_file
from edgecvar.run.trace import ROLES, SPANS, Span, Trace
from edgecvar.stream.sources.opening import is_source
from edgecvar.terminal import printable, say

Event = Dict[str, Any]

IN_FLIGHT = "sampled pictures in flight"
"""The counter of a stream: parsed, and not yet decided on."""
_ORDER = list(dict.fromkeys(ROLES.values()))


@contextmanager
def tracing(
    path: Optional[Path], sources: Sequence[str] = (), taken: Sequence[Optional[Path]] = ()
) -> Iterator[Optional[Trace]]:
    """A trace that is written when this ends, whatever ends it, if anything was done; None without a path.

    Raises ConfigError, before anything runs where it can, if it cannot be written, or would replace one of the
    `sources`, or what is written to the files `taken`.
    """
    if path is None:
        yield None
        return
    if any(each is not None and path.absolute() == each.absolute() for each in taken):
        raise ConfigError(f"--trace {path}: something else is written there; choose another name")
    if any(is_source(source, path) for source in sources):
        raise ConfigError(f"--trace {path}: this is a source itself; choose another name")
    if not takes_all(path):
        check_writable(path.parent, "choose another --trace")
    trace = Trace()
    try:
        yield trace
    finally:
        if trace.streams():
            write_trace(trace, path)
            cut = f"; the first {SPANS} spans, {trace.left_out} more are left out" if trace.left_out else ""
            say(f"trace: {path} (open it at https://ui.perfetto.dev){cut}", err=True)


def write_trace(trace: Trace, path: Path) -> None:
    """Write the trace, whole or not at all; raises ConfigError where that cannot be done."""
    try:
        with whole_file(path) as draft, draft.open("w", encoding="ascii") as file:
            file.write('{"displayTimeUnit":"ms","traceEvents":[')
            for number, event in enumerate(events(trace)):
                file.write((",\n" if number else "\n") + json.dumps(event, separators=(",", ":")))
            told = {"program": f"edgecvar {__version__}", "spans_left_out": trace.left_out}
            file.write(f'\n],"otherData":{json.dumps(told)}}}\n')
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({reason(error)}); choose another with --trace") from error


def events(trace: Trace) -> Iterator[Event]:
    """The events of the file: names of streams and threads, then spans and counters of each stream."""
    numbers = count(1)
    for place, (stream, spans) in enumerate(trace.streams()):
        pid = next(numbers)
        threads = {thread: next(numbers) for thread in _threads(spans)}
        yield _named("process_name", pid, pid, name=printable(stream))
        yield _named("process_sort_index", pid, pid, sort_index=place)
        for order, (thread, tid) in enumerate(threads.items()):
            yield _named("thread_name", pid, tid, name=printable(thread))
            yield _named("thread_sort_index", pid, tid, sort_index=order)
        for span in spans:
            yield _complete(span, pid, threads[span.thread], trace.began_ns)
        for at_ns, pictures in in_flight(spans):
            ts = _microseconds(at_ns - trace.began_ns)
            args = {"pictures": pictures}
            yield {"ph": "C", "ts": ts, "pid": pid, "tid": min(threads.values()), "name": IN_FLIGHT, "args": args}


def _complete(span: Span, pid: int, tid: int, began_ns: int) -> Event:
    event: Event = {
        "ph": "X",
        "ts": _microseconds(span.start_ns - began_ns),
        "dur": _microseconds(span.ns),
        "pid": pid,
        "tid": tid,
        "name": printable(span.name),
        "cat": printable(span.name.split(":")[0]),
    }
    return event if span.picture is None else {**event, "args": {"picture": span.picture}}


def _named(what: str, pid: int, tid: int, **args: Any) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": args}


def _microseconds(ns: int) -> float:
    return ns / 1000


def _threads(spans: Sequence[Span]) -> List[str]:
    """As the data flows; threads that have no role come last."""
    there = dict.fromkeys(span.thread for span in spans)
    return sorted(there, key=lambda thread: (_ORDER.index(thread) if thread in _ORDER else len(_ORDER), thread))


def in_flight(spans: Sequence[Span]) -> List[Tuple[int, int]]:
    """When how many pictures have been parsed and not decided on: those alone that came to be decided on.

    A decision is of the last picture of its number that was parsed before: several runs of a stream count anew.
    """
    parsed: Dict[Optional[int], int] = {}
    changes: Counter[int] = Counter()
    for span in sorted(spans, key=_end_ns):
        end = _end_ns(span)
        if span.name == "parse":
            parsed[span.picture] = end
        elif span.name == "decide" and span.picture in parsed:
            changes[parsed.pop(span.picture)] += 1
            changes[end] -= 1
    levels, level = [], 0
    for at, change in sorted(changes.items()):
        level += change
        levels.append((at, level))
    return levels


def _end_ns(span: Span) -> int:
    return span.start_ns + span.ns

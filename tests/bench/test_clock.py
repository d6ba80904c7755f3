"""The clock of a measurement, and the moments that a session keeps of it."""

from __future__ import annotations

import time

from edgecvar.bench.clock import SpanClock
from edgecvar.bench.observed import MOMENTS
from edgecvar.run.trace import Observers, Trace


def test_the_first_spans_are_kept_as_they_were():
    clock = SpanClock()
    with clock.span("outer"), clock.span("stage:motion", 7):
        time.sleep(0.002)
    outer, motion = clock.moments(since_ms=100.0)
    assert (outer.name, outer.picture, motion.name, motion.picture) == ("outer", None, "stage:motion", 7)
    assert outer.thread == motion.thread == "engine"
    assert 100 <= outer.start_ms <= motion.start_ms
    assert motion.start_ms + motion.ms <= outer.start_ms + outer.ms and motion.ms >= 2
    assert clock.spans_ms() == {"stage:motion": [motion.ms], "outer": [outer.ms]}
    assert clock.moments(most=1) and clock.moments(most=0) == []


def test_no_more_moments_than_a_session_holds():
    clock = SpanClock()
    for _ in range(MOMENTS + 10):
        with clock.span("read"):
            pass
    assert len(clock.moments()) == MOMENTS and len(clock.spans_ms()["read"]) == MOMENTS + 10


def test_a_trace_hears_the_same_times():
    trace = Trace()
    clock = SpanClock(Observers(trace, subject="tiny fp32"), "run")
    with clock.span("read", 3):
        pass
    ((stream, (span,)),) = trace.streams()
    assert stream == "tiny fp32: run" and span.picture == 3
    assert clock.spans_ms() == {"read": [span.ns / 1e6]}

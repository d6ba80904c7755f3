"""A trace: what is kept of a run, and the file that is made of it."""

from __future__ import annotations

import json
import threading
import time

import pytest
from pydantic import ValidationError

import edgecvar
from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import ConfigError
from edgecvar.run.model import Model, RunSettings
from edgecvar.run.trace import NOBODY, ListenedClock, Observers, Span, Trace
from edgecvar.run.trace_file import events, in_flight, tracing, write_trace
from edgecvar.runners.choice import RunnerChoice
from tests.trace_event_format import check_nesting, counters_of, spans_of


def span(name="read", start=0, took=1, picture=None, thread="reader"):
    return Span(name, thread, picture, start, took)


def traced(*spans, stream="clip", most=100):
    trace = Trace(most)
    trace.began_ns = 0
    hear = trace.listener(stream)
    for each in spans:
        hear(each)
    return trace


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's bundle on its clip: the file of its trace, and the run's counts."""
    path = tmp_path_factory.mktemp("trace") / "demo.json"
    with tracing(path) as trace, Model(open_bundle(default_bundle()), RunnerChoice(runner="onnx")) as model:
        run = model.start(str(default_clip()), RunSettings(observers=Observers(trace)))
        decided = [decision.decode_index for decision in run]
    return path, run.summary, decided


def test_a_run_is_told_span_by_span_and_thread_by_thread(demo):
    path, summary, decided = demo
    spans = spans_of(path)
    name = str(default_clip())
    assert set(spans) == {(name, "reader"), (name, "engine")}
    reader, engine = spans[name, "reader"], spans[name, "engine"]
    assert sum(each.name == "read" for each in reader) == summary.pictures + 1  # and the end
    both = [*reader, *engine]
    for work, times in {
        "parse": summary.sampled,
        "prepare": summary.sampled,
        "stage:motion": summary.decisions,
    }.items():
        assert sorted(each.args.picture for each in both if each.name == work) == sorted(decided)
        assert times == len(decided)
    assert [each.args.picture for each in engine if each.name == "decide"] == decided
    assert not {each.name for each in reader} & {"stage:motion", "decide"}


def test_spans_take_no_longer_than_the_run(demo):
    path, summary, _ = demo
    for spans in spans_of(path).values():
        assert 0 < sum(each.dur for each in spans) <= summary.wall_seconds * 1.1e6


def test_pictures_in_flight_come_and_go(demo):
    path, summary, _ = demo
    (levels,) = counters_of(path).values()
    assert 1 <= max(levels) < 64 and levels[-1] == 0
    ups = sum(max(0, after - before) for before, after in zip([0, *levels], levels))
    assert ups == summary.decisions


def test_pictures_that_nobody_decides_on_are_not_in_flight():
    spans = [
        span("parse", 0, 1, 4),
        span("parse", 10, 1, 8),
        span("decide", 20, 5, 8),
        span("parse", 30, 1, 8),  # the next run of the stream
        span("decide", 40, 1, 8),
        span("decide", 50, 1, 9),
        span("stage:motion", 60, 1, 4),
    ]
    assert in_flight(spans) == [(11, 1), (25, 0), (31, 1), (41, 0)]


def test_spans_that_hold_others_come_before_them(tmp_path):
    trace = traced(span("inner", 5, 2), span("outer", 5, 10), span("next", 15, 1))
    write_trace(trace, tmp_path / "t.json")
    assert [each.name for each in spans_of(tmp_path / "t.json")["clip", "reader"]] == ["outer", "inner", "next"]


def test_times_are_microseconds_to_the_nanosecond(tmp_path):
    write_trace(traced(span(start=1_234_567_891, took=1)), tmp_path / "t.json")
    (only,) = spans_of(tmp_path / "t.json")["clip", "reader"]
    assert (only.ts, only.dur, only.cat) == (1_234_567.891, 0.001, "read")


def test_every_stream_is_a_process_with_threads_of_its_own(tmp_path):
    trace = Trace()
    for stream in ("door", "yard", "door", "nothing"):
        hear = trace.listener(stream)
        if stream != "nothing":
            hear(span(start=time.perf_counter_ns()))
            hear(span("decide", time.perf_counter_ns(), thread="engine"))
            hear(span("image", time.perf_counter_ns(), thread="I-pictures"))
    write_trace(trace, tmp_path / "t.json")
    spans = spans_of(tmp_path / "t.json")
    as_data_flows = ("reader", "I-pictures", "engine")
    assert set(spans) == {(stream, thread) for stream in ("door", "yard") for thread in as_data_flows}
    assert len(spans["door", "reader"]) == 2
    named = [each["args"]["name"] for each in events(trace) if each["name"] in ("process_name", "thread_name")]
    assert named == ["door", *as_data_flows, "yard", *as_data_flows]


def test_what_does_not_fit_is_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edgecvar.run.trace_file.Trace", lambda: Trace(2))
    with tracing(tmp_path / "t.json") as trace:
        for start in range(5):
            trace.listener("clip")(span(start=time.perf_counter_ns() + start))
    assert len(spans_of(tmp_path / "t.json")["clip", "reader"]) == 2
    assert json.loads((tmp_path / "t.json").read_text())["otherData"]["spans_left_out"] == 3
    assert "3 more are left out" in capsys.readouterr().err


def test_names_of_strangers_are_told_in_plain_signs(tmp_path):
    name = 'a"\\\n\x1b[2J\udcff\N{SNOWMAN}.mp4'
    write_trace(traced(span("stage:x\ny", thread="t\x00"), stream=name), tmp_path / "t.json")
    ((stream, thread),) = spans_of(tmp_path / "t.json")
    assert (stream, thread) == ('a"\\\\n\\x1b[2J\\udcff\N{SNOWMAN}.mp4', "t\\x00")
    assert stream.isprintable()


def test_spans_from_two_threads_are_all_kept_and_timed_in_theirs():
    trace = Trace()
    clock = Observers(trace).clock("clip")

    def work(name):
        for picture in range(50):
            with clock.span(name, picture):
                pass

    threads = [threading.Thread(target=work, args=(name,), name=f"edgecvar-{name}") for name in ("reader", "stream")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((_, spans),) = trace.streams()
    assert [each.picture for each in spans if each.name == "reader"] == list(range(50))
    assert {(each.name, each.thread) for each in spans} == {("reader", "reader"), ("stream", "engine")}


def test_work_that_fails_is_kept_and_its_range_closed():
    class Ranges:
        def __init__(self):
            self.told = []

        def push(self, name, picture):
            self.told.append((name, picture))

        def pop(self):
            self.told.append("pop")

    heard, ranges = [], Ranges()
    clock = ListenedClock([heard.append], ranges)
    with pytest.raises(ZeroDivisionError), clock.span("read", 3):
        raise ZeroDivisionError
    assert ranges.told == [("read", 3), "pop"]
    assert [(each.name, each.picture) for each in heard] == [("read", 3)]


def test_nobody_asked_and_nothing_is_timed():
    assert not NOBODY and not isinstance(NOBODY.clock("clip"), ListenedClock)
    with NOBODY.clock("clip").span("read", 1):
        pass


def test_a_run_that_fails_leaves_its_trace(tmp_path):
    with pytest.raises(edgecvar.EdgecvarError), tracing(tmp_path / "t.json") as trace:
        trace.listener("broken.mp4")(span(start=time.perf_counter_ns()))
        raise edgecvar.EdgecvarError("broken")
    assert set(spans_of(tmp_path / "t.json")) == {("broken.mp4", "reader")}


def test_nothing_done_is_no_file(tmp_path):
    with tracing(tmp_path / "t.json"):
        pass
    with tracing(None) as trace:
        assert trace is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", ["source", "taken", "no folder"])
def test_where_nothing_can_be_written_nothing_is_begun(tmp_path, case):
    source, taken = tmp_path / "clip.mp4", tmp_path / "session.json"
    source.write_bytes(b"clip")
    path = {"source": source, "taken": taken, "no folder": source / "t.json"}[case]
    with pytest.raises(ConfigError, match="--trace") as caught, tracing(path, [str(source)], [taken, None]):
        pytest.fail("begun")
    assert "\n" not in str(caught.value) and source.read_bytes() == b"clip"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_trace(traced(span()), tmp_path / "missing" / "t.json")


def test_the_check_of_the_format_can_fail(tmp_path):
    path = tmp_path / "t.json"
    write_trace(traced(span(start=1)), path)
    for good, bad in (('"ph":"X"', '"ph":"Q"'), ('"dur"', '"duration"'), ('"ts":0.001', '"ts":"0"')):
        text = path.read_text()
        assert good in text
        (tmp_path / "bad.json").write_text(text.replace(good, bad))
        with pytest.raises(ValidationError):
            spans_of(tmp_path / "bad.json")
    for overlapping in ([(0, 10), (5, 15)], [(0, 10), (2, 4), (3, 5)]):
        with pytest.raises(AssertionError):
            check_nesting(overlapping)
    check_nesting([(0, 10), (0, 4), (4, 10), (5, 6), (10, 11)])


def test_events_are_given_one_by_one():
    given = events(traced(span(), span("decide", 5, 1, thread="engine")))
    assert [each["ph"] for each in given] == ["M"] * 6 + ["X"] * 2

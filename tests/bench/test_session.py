"""Summaries are arithmetic on plain data, and sessions survive the disk."""

from __future__ import annotations

import io
import json
import re
import threading

import pytest

from edgecvar.bench.advice import advice
from edgecvar.bench.clock import SpanClock
from edgecvar.bench.session import LEAST, MOST, Against, Phase, Session, Turn, load_session, merged, save_session
from edgecvar.bench.summary import _rows, summarise
from edgecvar.cli.report.session import as_document, print_report
from edgecvar.console import Console
from edgecvar.documents import parse_json
from edgecvar.errors import ConfigError

SPANS = {
    "stage:fuse": [1.0, 1.0],
    "decide": [0.5, 0.5],
    "read": [2.0] * 24,
    "stage:motion": [10.0, 30.0],
    "prepare": [5.0, 5.0],
}


def phase(**changes):
    fields = {
        "wall_seconds": 0.1, "pictures": 24, "sampled": 2, "decisions": 2, "spans_ms": SPANS,
        "latency_ms": [20.0, 40.0],
    }  # fmt: skip
    return Phase(**{**fields, **changes})


def session(**changes):
    fields = {
        "bundle": "tiny", "untrained": False, "runner": "onnxruntime", "precision": "fp32", "source": "clip.mp4",
        "width": 64, "height": 48, "stream_fps": 30.0, "every": 12, "machine": {"cores": "2"},
        "warm_up": phase(), "run": phase(), "stages_alone": phase(wall_seconds=0.08, spans_ms={}),
    }  # fmt: skip
    return Session(**{**fields, **changes})


def test_rates_are_counts_over_wall_time():
    summary = summarise(session())
    assert summary.pictures_per_second == pytest.approx(240)
    assert summary.samples_per_second == pytest.approx(20)
    assert summary.decisions_per_second == pytest.approx(20)
    assert summary.realtime == pytest.approx(8)
    assert summary.allowed_per_second == pytest.approx(300)
    assert summary.efficiency == pytest.approx(0.8)


def test_work_per_sampled_picture_is_split_as_the_paper_does():
    summary = summarise(session())
    assert summary.stage_ms_per_sample == pytest.approx((40 + 2) / 2)
    assert summary.other_ms_per_sample == pytest.approx((48 + 10 + 1) / 2)


def test_accumulating_comes_before_what_is_prepared_of_it():
    spans = {name: [1.0] for name in ("decide", "stage:motion", "prepare", "trace", "read")}
    assert [row.name for row in _rows(spans)] == ["read", "trace", "prepare", "stage:motion", "decide"]


def test_rows_follow_the_data_and_their_shares_add_up():
    rows = summarise(session()).rows
    assert [row.name for row in rows] == ["read", "prepare", "stage:fuse", "stage:motion", "decide"]
    assert sum(row.share for row in rows) == pytest.approx(1)
    motion = next(row for row in rows if row.name == "stage:motion")
    assert (motion.count, motion.p50_ms, motion.p99_ms) == (2, 20.0, pytest.approx(29.8))


def test_merged_phases_add_up():
    other = phase(spans_ms={"read": [9.0], "stage:late": [1.0]}, latency_ms=[60.0], pictures=1)
    both = merged([phase(), other])
    assert (both.pictures, both.sampled, both.decisions) == (25, 4, 4)
    assert both.wall_seconds == pytest.approx(0.2)
    assert both.spans_ms["read"] == [2.0] * 24 + [9.0]
    assert both.spans_ms["stage:late"] == [1.0]
    assert both.latency_ms == [20.0, 40.0, 60.0]


def test_a_session_comes_back_from_disk(tmp_path):
    save_session(session(), tmp_path / "s.json")
    assert load_session(tmp_path / "s.json") == session()
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_version": 9}'])
def test_what_is_no_session_is_one_line(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ConfigError, match="not a session") as caught:
        load_session(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1e-320, 1e308, -1.0])
@pytest.mark.parametrize("place", ["stream_fps", "run.wall_seconds", "stages_alone.wall_seconds", "run.spans_ms.read"])
def test_an_absurd_session_is_one_line(tmp_path, place, value):
    """Its quotients would be infinite, and no JSON."""
    document = session().model_dump()
    outer = document
    for part in place.split(".")[:-1]:
        outer = outer[part]
    name = place.split(".")[-1]
    outer[name] = [value, value] if name == "read" else value
    (tmp_path / "s.json").write_text(json.dumps(document))
    mistake = f"{place.replace('.read', '')}: {value:g} is no plausible figure, expected 0"
    with pytest.raises(ConfigError, match=re.escape(mistake)) as caught:
        load_session(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("measured", [LEAST, MOST, 0.0])
@pytest.mark.parametrize("rate", [LEAST, MOST, 0.0])
def test_the_figures_of_any_session_that_is_read_are_json(tmp_path, measured, rate):
    spans = {name: [measured] * len(values) for name, values in SPANS.items()}
    for count in (0, 1, int(MOST)):
        most = phase(
            wall_seconds=measured, pictures=count, sampled=count, decisions=count, spans_ms=spans, latency_ms=[measured]
        )
        save_session(session(stream_fps=rate, run=most, stages_alone=most), tmp_path / "s.json")
        document = json.dumps(as_document(load_session(tmp_path / "s.json")), allow_nan=False)
        assert parse_json(document)["counts"]["pictures"] == count


def test_a_session_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save_session(session(), tmp_path / "missing" / "s.json")


def test_the_report_names_untrained_weights_and_every_meaning():
    out = io.StringIO()
    print_report(session(untrained=True), Console(file=out, width=200))
    text = out.getvalue()
    for part in ("UNTRAINED", "per sampled picture", "per stream picture", "per decision", "80%", "stage:motion"):
        assert part in text
    assert as_document(session(untrained=True))["session"]["untrained"] is True


def test_spans_from_two_threads_are_all_kept():
    clock = SpanClock()

    def work(name):
        for _ in range(50):
            with clock.span(name):
                pass

    threads = [threading.Thread(target=work, args=(name,)) for name in ("read", "read", "decide")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: len(spans) for name, spans in clock.spans_ms().items()} == {"read": 100, "decide": 50}


def test_a_span_that_raises_is_kept():
    clock = SpanClock()
    with pytest.raises(RuntimeError), clock.span("read"):
        raise RuntimeError
    assert len(clock.spans_ms()["read"]) == 1


def advised(spans, wall_seconds=0.1, **changes):
    """The advice on a run of 24 pictures, 2 of them sampled, at 30 pictures/s: 33 ms each."""
    run = phase(spans_ms=spans, wall_seconds=wall_seconds)
    return advice(session(run=run, **changes))


def test_advice_names_what_takes_most_and_what_helps_there():
    assert advised(SPANS) == (
        "advice: 8.0 such streams fit on this machine; in the busiest thread most time (48% of all) goes to reading: "
        "a smaller picture, such as a camera's second stream, is what helps"
    )
    slow = {"read": [5.0] * 24, "stage:motion": [100.0, 100.0]}
    assert (
        "the stage motion: try --precision int8 where the bundle has it, or sample fewer pictures (--every 24)"
        in advised(slow)
    )
    assert "try --precision fp16" in advised(slow, runner="tensorrt")
    assert "train a smaller backbone" in advised(slow, precision="int8")
    assert "send progressive H.264 or HEVC" in advised(SPANS, extraction="ffmpeg")
    assert "`prepare`: sample fewer" in advised({"prepare": [9.0] * 2})
    assert "decoding I-pictures: send fewer I-pictures" in advised({"image": [9.0] * 2, "prepare": [1.0]})


def test_advice_is_on_the_busiest_thread_and_not_on_the_largest_span():
    spans = {"image": [30.0], "read": [1.0] * 24, "parse": [10.0] * 2}
    assert "(32% of all) goes to reading" in advised(spans)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("spans", [{"stage:motion": [100.0, 100.0]}, {"prepare": [9.0] * 2}])
def test_advice_names_no_stride_that_the_flag_refuses(spans, precision):
    assert "--every 300" in advised(spans, precision=precision, every=150)
    told = advised(spans, precision=precision, every=151)
    assert "--every" not in told and told.rpartition(": ")[2]


def test_advice_promises_no_stride_where_i_pictures_alone_take_too_long():
    spans = {"read": [5.0] * 24, "image": [900.0], "stage:motion": [500.0] * 2}
    assert "keeps up" not in advised(spans, wall_seconds=1.0, every=12)
    assert "keeps up" in advised({**spans, "image": [700.0]}, wall_seconds=1.0, every=12)


def test_advice_for_what_is_too_slow_is_a_stride_that_keeps_up_or_none():
    # Stages 500 ms a sampled picture: every 15th of 33 ms each leaves 500.
    assert advised({"read": [5.0] * 24, "stage:motion": [500.0] * 2}, wall_seconds=1.0, every=12) == (
        "advice: this is 0.80 of the stream's rate, and --every 15 (now 12) keeps up with it"
    )
    # Reading alone takes longer than the stream gives: no stride helps.
    assert "goes to reading: a smaller picture" in advised({"read": [40.0] * 24}, wall_seconds=1.0)


def test_a_report_ends_with_its_advice_and_the_document_has_it():
    out = io.StringIO()
    print_report(session(), Console(file=out))
    assert out.getvalue().splitlines()[-1] == advice(session()) == as_document(session())["advice"]


def compared(*turns, **changes):
    """A session against decoding all: turns of (seconds, seconds of decoding), CPU twice as much."""
    figures = [
        Turn(pictures=24, seconds=one, cpu_seconds=2 * one, decode_seconds=all_, decode_cpu_seconds=4 * all_)
        for one, all_ in turns
    ]
    decoded = phase(spans_ms={"stage:appearance": [1.0], "scale": [1.0], "decode": [2.0]}, **changes)
    return session(against=Against(stage="appearance", threads=2, turns=figures, decode=decoded))


def said(told):
    out = io.StringIO()
    print_report(told, Console(file=out, width=200))
    return out.getvalue()


def test_a_comparison_is_the_median_of_its_turns_and_said_in_a_sentence():
    told = compared((0.1, 0.2), (0.1, 0.115), (0.1, 0.09))
    summary = summarise(told).against
    assert (summary.times, summary.cpu_times) == (pytest.approx(1.15), pytest.approx(2.3))
    assert summary.decode_cpu_ms_per_picture == pytest.approx(1e3 * 4 * 0.405 / 72)
    assert [row.name for row in summary.rows] == ["decode", "scale", "stage:appearance"]
    assert "reading the compressed video: 1.15 times decoding all; 2.30 times by CPU time; medians of 3 turns" in said(
        told
    )
    assert as_document(told)["summary"]["against"]["times"] == pytest.approx(1.15)


def test_a_comparison_that_saves_nothing_says_so():
    assert "0.85 times decoding all: it saves no time here; 1.70 times by CPU" in said(compared((0.2, 0.17)))


def test_a_clock_that_has_not_moved_gives_no_infinite_figure():
    json.dumps(as_document(compared((0.0, 0.17), wall_seconds=0.0)), allow_nan=False)


def test_a_comparison_survives_the_disk(tmp_path):
    save_session(compared((0.1, 0.2)), tmp_path / "s.json")
    assert load_session(tmp_path / "s.json") == compared((0.1, 0.2))

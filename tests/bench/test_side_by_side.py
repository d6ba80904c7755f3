"""Bundles and precisions measured in turn, saved as one document, and shown in one table."""

from __future__ import annotations

import io
import shutil

import pytest

from edgecvar.bench.measure import TURNS, BenchConfig
from edgecvar.bench.session import load_session, load_sessions, save_sessions
from edgecvar.bench.side_by_side import measure_sessions, subjects
from edgecvar.bench.summary import summarise
from edgecvar.bundle.default import default_bundle
from edgecvar.cli.report.sessions.side_by_side import as_documents, print_side_by_side
from edgecvar.console import Console
from edgecvar.errors import BundleError, ConfigError
from edgecvar.run.trace import Observers, Trace
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle

QUICK = {"seconds": 0.2, "runner": "onnx", "threads": 1}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), untrained=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "right.mp4", pictures=40)


@pytest.fixture(scope="module")
def measured(tiny, clip):
    """The demo's bundle and a tiny one, and the trace of measuring both."""
    trace = Trace()
    config = BenchConfig(source=str(clip), **QUICK)
    return measure_sessions(config, [default_bundle(), tiny], [], observers=Observers(trace)), trace


def said(sessions):
    out = io.StringIO()
    print_side_by_side(sessions, Console(file=out, width=200))
    return out.getvalue()


def test_each_is_measured_as_long_as_alone(measured):
    sessions, _ = measured
    assert [session.bundle.rpartition("/")[2] for session in sessions] == ["motion.edgecvar", "tiny.edgecvar"]
    for session in sessions:
        assert session.run.wall_seconds >= QUICK["seconds"] and session.run.decisions > 0
        assert session.moments and session.moments[0].start_ms < 1e3 * session.run.wall_seconds


def test_turns_are_taken_by_both(measured):
    """The runs of one lie between those of the other: neither is measured at one go."""
    _, trace = measured
    streams = dict(trace.streams())
    assert {"motion fp32: run", "tiny fp32: run", "motion fp32: warm-up", "tiny fp32: stages alone"} <= set(streams)
    runs = [(span.start_ns, name) for name, spans in streams.items() if name.endswith(": run") for span in spans]
    order = [name for _, name in sorted(runs)]
    changes = sum(before != after for before, after in zip(order, order[1:]))
    assert changes >= TURNS


def test_the_table_has_a_column_each(measured):
    sessions, _ = measured
    text = said(sessions)
    for part in ("motion fp32", "tiny fp32", "stage:appearance", "stage:motion", "pictures/s", "efficiency"):
        assert part in text
    assert "tiny.edgecvar (onnxruntime-cpu-fp32, fp32); UNTRAINED weights" in text
    row = next(line for line in text.splitlines() if "stage:appearance" in line)
    motion, tiny = (cell.strip() for cell in row.split("│")[2:4])
    appearance = next(each for each in summarise(sessions[1]).rows if each.name == "stage:appearance")
    assert (motion, tiny) == ("", f"{appearance.p50_ms:.2f}")
    rates = [summarise(session).pictures_per_second for session in sessions]
    fastest = ["motion fp32", "tiny fp32"][rates[1] > rates[0]]
    assert f"fastest: {fastest}, {max(rates) / min(rates):.2f} times" in text


def test_they_come_back_from_disk_and_are_no_single_session(measured, tmp_path):
    sessions, _ = measured
    save_sessions(sessions, tmp_path / "s.json")
    assert load_sessions(tmp_path / "s.json") == sessions
    with pytest.raises(ConfigError, match="2 sessions side by side, expected one"):
        load_session(tmp_path / "s.json")
    save_sessions(sessions[:1], tmp_path / "one.json")
    assert load_session(tmp_path / "one.json") == sessions[0]


def test_the_document_has_each_as_it_is_alone(measured):
    document = as_documents(measured[0])
    assert [each["session"]["precision"] for each in document["sessions"]] == ["fp32", "fp32"]
    assert "moments" not in document["sessions"][0]["session"]  # thousands, which the saved session has


@pytest.mark.parametrize("text", ['{"sessions": []}', '{"sessions": [{}, {}]}', '{"sessions": 1, "schema_version": 1}'])
def test_what_is_no_document_of_sessions_is_one_line(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ConfigError, match="not a session") as caught:
        load_sessions(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


def test_a_precision_that_one_lacks_is_an_error_before_anything_is_measured(tiny, clip):
    def progress(done, total, what):
        pytest.fail("measured")

    config = BenchConfig(source=str(clip), **QUICK)
    with pytest.raises(BundleError, match="no int8 stages"):
        measure_sessions(config, [default_bundle(), tiny], ["int8"], progress)
    with pytest.raises(ConfigError, match="given twice"):
        measure_sessions(config, [tiny, tiny], [], progress)


def test_bundles_of_one_name_are_told_apart_by_their_paths(tiny, tmp_path):
    other = tmp_path / tiny.name
    shutil.copytree(tiny, other)
    assert subjects([(str(tiny), "fp32"), (str(tiny), "int8")]) == ["tiny fp32", "tiny int8"]
    assert subjects([(str(tiny), "fp32"), (str(other), "fp32")]) == [f"{tiny} fp32", f"{other} fp32"]

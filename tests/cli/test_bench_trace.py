"""`edgecvar bench --trace`, and what else says when every thread did what, as a user meets it."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from edgecvar.bundle.default import default_bundle
from edgecvar.run import nvtx
from tests.moving_clip import moving_clip
from tests.trace_event_format import spans_of

QUICK = ("--runner", "onnx", "--threads", "1")


def test_a_measurement_is_told_part_by_part(edgecvar, tmp_path, bundle, clip):
    trace, saved = tmp_path / "t.json", tmp_path / "s.json"
    options = ("--bundle", bundle, "--seconds", "0.2", "--save", saved, "--trace", trace, "--against", "decode")
    code, _, err = edgecvar("bench", clip, *options, *QUICK)
    assert code == 0 and f"trace: {trace}" in err
    spans = spans_of(trace)
    assert set(spans) == {
        *((part, thread) for part in ("warm-up", "run") for thread in ("reader", "I-pictures", "engine")),
        ("stages alone", "engine"),
        ("decoding all", "engine"),
    }
    session = json.loads(saved.read_text())
    told = {}
    for (part, _), each in spans.items():
        for span in each if part == "run" else ():
            told.setdefault(span.name, []).append(span.dur / 1e3)
    measured = session["run"]["spans_ms"]
    assert {name: len(times) for name, times in told.items()} == {name: len(times) for name, times in measured.items()}
    for name, times in measured.items():
        assert sorted(told[name]) == pytest.approx(sorted(times))
    assert {span.name for span in spans["decoding all", "engine"]} == {"decode", "scale", "stage:appearance"}


def test_a_session_keeps_its_first_moments(edgecvar, tmp_path, bundle, clip):
    saved = tmp_path / "s.json"
    assert edgecvar("bench", clip, "--bundle", bundle, "--seconds", "0.2", "--save", saved, *QUICK)[0] == 0
    session = json.loads(saved.read_text())
    moments = session["moments"]
    assert {each["thread"] for each in moments} == {"reader", "I-pictures", "engine"}
    assert {each["name"] for each in moments} == set(session["run"]["spans_ms"])
    assert min(each["start_ms"] for each in moments) >= 0
    assert max(each["start_ms"] + each["ms"] for each in moments) <= 1e3 * session["run"]["wall_seconds"]
    decided = [each["picture"] for each in moments if each["name"] == "decide"]
    parsed = [each["picture"] for each in moments if each["name"] == "parse"]
    # Each picture of each pass, which this clip gives in order; the last pass ends with the time, and reads ahead.
    assert len(decided) >= 20 and decided == parsed[: len(decided)]


@pytest.mark.parametrize("what", ["clip", "save"])
def test_a_trace_replaces_nothing_else(edgecvar, tmp_path, bundle, clip, what):
    saved = tmp_path / "s.json"
    trace = clip if what == "clip" else saved
    before = clip.read_bytes()
    code, _, err = edgecvar("bench", clip, "--bundle", bundle, "--save", saved, "--trace", trace)
    assert code == 1 and "--trace" in err and err.count("\n") == 1
    assert clip.read_bytes() == before and not saved.exists()


def test_a_run_leaves_a_trace_whatever_ends_it(edgecvar, tmp_path, bundle, clip):
    still = moving_clip(tmp_path / "intra.mp4", pictures=5, g="1")
    trace = tmp_path / "t.json"
    code, _, err = edgecvar("run", still, "--bundle", bundle, "--trace", trace, *QUICK)
    assert code == 1 and err.startswith("trace: ") and err.count("\n") == 2
    assert {span.name for span in spans_of(trace)[str(still), "reader"]} >= {"read"}


@pytest.mark.parametrize("together", [(), ("--together",)])
def test_every_stream_of_a_run_is_told(edgecvar, tmp_path, bundle, clip, together):
    other, trace = moving_clip(tmp_path / "other.mp4", pictures=30), tmp_path / "t.json"
    code, out, _ = edgecvar("run", clip, other, *together, "--json", "--bundle", bundle, "--trace", trace, *QUICK)
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    spans = spans_of(trace)
    assert {stream for stream, _ in spans} == {str(clip), str(other)}
    for stream in (clip, other):
        counts = next(line["summary"] for line in lines if "summary" in line and line["source"] == str(stream))
        engine = spans[str(stream), "engine"]
        assert sum(span.name == "decide" for span in engine) == counts["decisions"] > 0


def test_ranges_are_told_where_they_are_asked_for(edgecvar, tmp_path, bundle, clip, monkeypatch):
    told, module = [], ModuleType("nvtx")
    module.push_range = lambda message, domain: told.append(message)
    module.pop_range = lambda domain: told.append(None)
    monkeypatch.setattr(nvtx, "LIBRARIES", ())
    monkeypatch.setitem(sys.modules, "nvtx", module)
    monkeypatch.delenv(nvtx.UNDER_NSIGHT, raising=False)
    options = ("--bundle", bundle, "--seconds", "0.1", "--save", tmp_path / "s.json", *QUICK)
    assert edgecvar("bench", clip, *options)[0] == 0 and not told
    assert edgecvar("bench", clip, *options, "--nvtx")[0] == 0
    assert told.count(None) == len(told) / 2
    assert {"read", "parse", "prepare", "image", "stage:motion", "stage:fuse", "decide"} <= set(told)


def test_ranges_that_cannot_be_had_are_one_line(edgecvar, tmp_path, bundle, clip, monkeypatch):
    monkeypatch.setattr(nvtx, "LIBRARIES", ())
    monkeypatch.setitem(sys.modules, "nvtx", None)
    code, _, err = edgecvar("bench", clip, "--bundle", bundle, "--save", tmp_path / "s.json", "--nvtx")
    assert code == 1 and "--nvtx" in err and err.count("\n") == 1


def test_precisions_are_shown_side_by_side_and_again(edgecvar, tmp_path, clip):
    saved = tmp_path / "s.json"
    options = ("--seconds", "0.2", "--precision", "int8,fp32", "--save", saved, *QUICK)
    code, first, err = edgecvar("bench", clip, *options)
    assert code == 0 and "motion fp32" in first and "motion int8" in first and "session saved" in err
    assert edgecvar("bench", "--from", saved)[1] == first
    document = json.loads(edgecvar("bench", "--from", saved, "--json")[1])
    assert [each["session"]["precision"] for each in document["sessions"]] == ["fp32", "int8"]


def test_bundles_are_shown_side_by_side(edgecvar, tmp_path, bundle, clip):
    both = ("--bundle", bundle, "--bundle", default_bundle())
    code, out, _ = edgecvar("bench", clip, *both, "--seconds", "0.1", "--save", tmp_path / "s.json", "--json", *QUICK)
    sessions = [each["session"] for each in json.loads(out)["sessions"]]
    assert code == 0 and [each["bundle"] for each in sessions] == [str(bundle), str(default_bundle())]


def test_one_precision_is_shown_as_it_ever_was(edgecvar, tmp_path, bundle, clip):
    asked = ("--bundle", bundle, "--precision", "fp32", "--seconds", "0.1", "--save", tmp_path / "s.json")
    code, out, _ = edgecvar("bench", clip, *asked)
    assert code == 0 and "end to end is a picture's packet" in out and "fastest" not in out
    assert "sessions" not in json.loads((tmp_path / "s.json").read_text())


def test_a_precision_that_there_is_not_is_one_line(edgecvar, tmp_path, bundle, clip):
    code, _, err = edgecvar("bench", clip, "--precision", "fp32,fp64", "--save", tmp_path / "s.json")
    assert code == 1 and "fp64" in err and err.count("\n") == 1

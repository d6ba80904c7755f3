"""`edgecvar bench together` as a user meets it."""

from __future__ import annotations

import json

from tests.moving_clip import moving_clip
from tests.trace_event_format import spans_of

QUICK = ("--streams", "3", "--seconds", "1", "--warm-up", "0", "--runner", "onnx", "--threads", "1")


def test_both_ways_are_measured_side_by_side(edgecvar, bundle, tmp_path):
    trace = tmp_path / "t.json"
    made = ("--width", "96", "--height", "64", "--rate", "25")
    code, out, _ = edgecvar("bench", "together", "--bundle", bundle, *QUICK, *made, "--trace", trace, "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["streams"], document["sources"]) == (3, ["96 x 64, 25/s"])
    assert [trial["way"] for trial in document["trials"]] == ["batches", "one by one"]
    for trial in document["trials"]:
        assert 0 < trial["fewest"] <= trial["most"] and trial["decisions"] >= 3
        assert len(trial["sent_ms"]) == len(trial["read_ms"]) == 3
        assert trial["launches"] >= trial["batches"] > 0
    assert document["trials"][1]["launches_per_batch"] == 1
    streams = {stream for stream, _ in spans_of(trace)}
    assert streams == {f"{way}: stream {n}" for way in ("batches", "one by one") for n in range(3)}


def test_what_cannot_be_played_is_one_line(edgecvar, bundle, tmp_path):
    broken = moving_clip(tmp_path / "clip.ts", pictures=5)
    code, out, err = edgecvar("bench", "together", broken, "--bundle", bundle, *QUICK)
    assert (code, out) == (1, "") and "MP4 or Matroska" in err and err.count("\n") == 1

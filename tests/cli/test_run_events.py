"""`edgecvar run --events` and `--clips` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys

import av
import pytest

from tests.moving_clip import moving_clip
from tests.sinks.clips.cut_streams import source_packets
from tests.tiny_bundle import tiny_bundle

QUICK = ("--event", "smoothing=0.1", "--event", "background=still")


def place(picture: int) -> int:
    """Still, to the right from 1 to 2 s, still, to the left from 3 to 4 s, still."""
    return 4 * max(0, min(picture, 50) - 25) - 4 * max(0, min(picture, 100) - 75)


@pytest.fixture(scope="module")
def gestures(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("gestures") / "gestures.mp4", 125, place, bf="2")


def test_the_table_has_a_line_an_event(edgecvar, bundle, gestures):
    code, out, err = edgecvar("run", gestures, "--bundle", bundle, *QUICK)
    lines = [line.strip() for line in out.splitlines() if "event" in line]
    assert (code, err, len(lines)) == (0, "", 2)
    assert lines[0].startswith("-- event 0: right, 1.") and lines[1].startswith("-- event 1: left, 3.")


def test_without_events_nothing_is_said_of_them(edgecvar, bundle, gestures):
    code, out, _ = edgecvar("run", gestures, "--bundle", bundle)
    assert code == 0 and "event" not in out


def test_json_tells_when_they_begin_and_when_they_end(edgecvar, bundle, gestures):
    code, out, _ = edgecvar("run", gestures, "--bundle", bundle, "--json", "--events", *QUICK)
    lines = [json.loads(line) for line in out.splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert code == 0 and [(e["phase"], e["number"], e["label"]) for e in events] == [
        ("began", 0, "right"),
        ("ended", 0, "right"),
        ("began", 1, "left"),
        ("ended", 1, "left"),
    ]
    began, ended = events[:2]
    assert "end_seconds" not in began and began["start_seconds"] == ended["start_seconds"]
    assert abs(ended["start_seconds"] - 1.0) < 0.25 and abs(ended["end_seconds"] - 2.0) < 0.4
    assert ended["peak"] > 0.95 and 1 < ended["peak_seconds"] < 2.2
    at = next(number for number, line in enumerate(lines) if "event" in line)
    assert lines[at - 1]["pts_seconds"] >= began["start_seconds"] and "summary" in lines[-1]


def test_csv_has_a_row_an_event(edgecvar, bundle, gestures):
    code, out, _ = edgecvar("run", gestures, "--bundle", bundle, "--csv", *QUICK)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and [(row["event"], row["label"]) for row in rows] == [("0", "right"), ("1", "left")]
    assert all(float(row["start_seconds"]) < float(row["end_seconds"]) for row in rows)


def test_settings_come_from_a_file(edgecvar, bundle, gestures, tmp_path):
    file = tmp_path / "events.yaml"
    file.write_text("smoothing: 0.1\nbackground: [still]\nlabels: {left: {hold: 5}}\n")
    code, out, _ = edgecvar("run", gestures, "--bundle", bundle, "--csv", "--event-file", file)
    assert code == 0 and [row["label"] for row in csv.DictReader(io.StringIO(out))] == ["right"]


def test_a_label_that_is_background_by_its_name_is_said(edgecvar, gestures, tmp_path):
    bundle = tiny_bundle(tmp_path, labels=["left", "right", "Not left"])
    code, out, err = edgecvar("run", gestures, "--bundle", bundle, "--events", "--event", "on=0.5", "--csv")
    assert code == 0 and {row["label"] for row in csv.DictReader(io.StringIO(out))} == {"left", "right"}
    assert err == "events: Not left: background by name, gives none; --event background= lists others\n"
    _, out, err = edgecvar("run", gestures, "--bundle", bundle, "--event", "on=0.5", "--event", "background=", "--csv")
    assert err == "" and "Not left" in out


@pytest.mark.parametrize(
    "flags, wrong",
    [
        (["--event", "onn=0.5"], "error: --event onn=0.5: unknown key 'onn': did you mean 'on'?"),
        (["--event", "labels.lefd.on=0.5"], "error: unknown label 'lefd' in the events: did you mean 'left'?"),
        (["--event", "background=stil"], "error: unknown label 'stil' in the events: did you mean 'still'?"),
        (["--clips", "."], "error: --clips: clips are of events, which nobody asked for; add --events"),
        (["--events", "--clips", "nowhere/in"], "error: --clips nowhere/in: no folder that can be made (No such file"),
        (["--events", "--clips", ".", "--clips-keep", "7"], "error: '7': expected a duration such as 90s, 12h or 7d"),
        (["--events", "--clips", ".", "--clip-before", "-1"], "error: --clip_before: Input should be greater than"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_read(edgecvar, bundle, gestures, flags, wrong):
    code, out, err = edgecvar("run", gestures, "--bundle", bundle, *flags)
    assert (code, out) == (1, "") and err.startswith(wrong) and err.count("\n") == 1


def test_clips_are_cut_around_events(edgecvar, bundle, gestures, tmp_path):
    flags = ("--clips", tmp_path, "--clip-before", "0.2", "--clip-after", "0.3")
    code, _, err = edgecvar("run", gestures, "--bundle", bundle, *QUICK, *flags)
    right, left = sorted(tmp_path.iterdir())
    assert code == 0 and err == f"clips: 2 in {tmp_path}\n"
    assert right.name.startswith("gestures_00h00m01.") and right.name.endswith("s_right.mp4")
    mine, theirs = source_packets(left), source_packets(gestures)
    first = theirs.index(mine[0])
    assert mine == theirs[first : first + len(mine)] and first % 12 == 0 and 60 <= first <= 72
    with av.open(str(left)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times[0] == 0 and first / 25 + times[-1] > 4.2


def test_clips_of_a_pipe_are_called_by_the_time_of_day(bundle, gestures, tmp_path):
    stream = tmp_path / "s.ts"
    with av.open(str(gestures)) as container, av.open(str(stream), "w") as other:
        template = container.streams.video[0]
        added = getattr(other, "add_stream_from_template", lambda one: other.add_stream(template=one))(template)
        for packet in container.demux(template):
            if packet.size:
                packet.stream = added
                other.mux(packet)
    clips = tmp_path / "clips"
    clips.mkdir()
    command = [sys.executable, "-m", "edgecvar", "run", "-", "--bundle", bundle, *QUICK, "--clips", clips]
    done = subprocess.run([str(each) for each in command], input=stream.read_bytes(), capture_output=True, check=True)
    assert done.stderr.decode() == f"clips: 2 in {clips}\n"
    assert all(file.name.startswith("stdin_20") for file in clips.iterdir())


def test_two_sources_whose_clips_would_have_one_name_are_refused(edgecvar, bundle, gestures, tmp_path):
    (tmp_path / "a").mkdir()
    other = shutil.copy(gestures, tmp_path / "a")
    code, _, err = edgecvar("run", gestures, other, "--bundle", bundle, "--events", "--clips", tmp_path)
    assert code == 1 and err == "error: --clips: those of two sources would be called gestures; run them apart\n"


def test_old_clips_go_when_new_ones_come(edgecvar, bundle, gestures, tmp_path):
    for _ in range(2):
        edgecvar("run", gestures, "--bundle", bundle, *QUICK, "--clips", tmp_path, "--clips-size", "1B")
    (left,) = tmp_path.iterdir()  # the newest stays
    assert left.name.endswith("_left.mp4")


def test_eval_finds_thresholds_that_run_takes(edgecvar, gestures, tmp_path):
    bundle, file = tiny_bundle(tmp_path), tmp_path / "events.yaml"
    for label, shift in (("left", -2), ("right", 2), ("still", 0)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        moving_clip(tmp_path / "clips" / label / "a.mp4", shift=shift, pictures=40)
    command = ("eval", bundle, tmp_path / "clips", "--thresholds", "--jobs", "1")
    code, out, err = edgecvar(*command, "-o", file)
    assert code == 0 and f"thresholds: {file}" in out and err == ""
    assert "at most 1 false alarm an hour of each label; 3 of 3 clips found" in out
    assert "too few clips to show it for 3 of 3 labels: " in out and "3 h without a false alarm would" in out
    _, out, _ = edgecvar(*command, "--json", "--false-alarms-per-hour", "1e6")
    rows = {row["label"]: row for row in json.loads(out)["thresholds"]["labels"]}
    assert rows["left"]["recall"] == 1.0 and rows["left"]["supported"] and rows["left"]["off"] < rows["left"]["on"]
    assert rows["left"]["hours"] == pytest.approx(3.2 / 3600, abs=1e-5)  # two clips of 40 pictures
    code, out, _ = edgecvar("run", gestures, "--bundle", bundle, "--csv", "--event-file", file)
    assert code == 0 and {"left", "right"} <= {row["label"] for row in csv.DictReader(io.StringIO(out))}


@pytest.mark.parametrize(
    "flags, wrong",
    [
        (["x", "-o", "f.yaml"], "-o: the file of --thresholds, which is not asked for"),
        (["x", "y", "--sources", "--thresholds"], "--thresholds takes one DIR"),
        (["--thresholds"], "Missing argument 'DIR'"),
    ],
)
def test_eval_refuses_what_goes_unheard(edgecvar, bundle, flags, wrong):
    code, _, err = edgecvar("eval", bundle, *flags)
    assert code == 2 and wrong in err

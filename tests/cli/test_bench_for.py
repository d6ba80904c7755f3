"""`edgecvar bench --for` and `bench published`: predictions, labelled as such."""

from __future__ import annotations

import json

import pytest

from edgecvar.bench.predicted import published
from edgecvar.bundle.devices import DEVICES
from edgecvar.predict.fitted import FITTED
from edgecvar.predict.prediction import Prediction
from edgecvar.predict.published.measured import published_measurements
from tests.bench.predicted.test_calibrating import measured
from tests.predict.onnx_file import OnnxFile
from tests.tiny_bundle import replace_stage, tiny_bundle


@pytest.fixture(autouse=True)
def no_sessions(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def document(out):
    read = json.loads(out)
    assert read.pop("predicted") is True
    return Prediction.model_validate(read)


@pytest.mark.parametrize("flag", [["--for", "tx2"], ["--for=tx2"]])
def test_what_is_printed_is_labelled_and_whole(edgecvar, bundle, flag):
    code, out, err = edgecvar("bench", *flag, "--bundle", bundle)
    assert code == 0 and err == ""
    lines = out.splitlines()
    assert lines[0] == f"{bundle} on Jetson TX2 (tx2), fp16"
    assert lines[1] == "PREDICTED from data sheets and published figures, not measured"
    for part in ("1 stream such as", "stage:motion", "read", "bottleneck: ",
                 "unknown; published is 7.5 to 15", "note: a prediction, not a measurement"):  # fmt: skip
        assert part in out


def test_the_demos_bundle_is_what_is_predicted_without_a_name(edgecvar):
    code, out, _ = edgecvar("bench", "--for", "orin-nano", "--json")
    assert code == 0
    assert document(out).bundle.endswith("motion.edgecvar")


def test_flags_are_the_same_in_the_document(edgecvar, bundle):
    code, out, err = edgecvar(
        "bench", "--for", "orin-nx", "1080p camera", "--bundle", bundle, "--precision", "fp32", "--streams", "3",
        "--every", "4", "--goal", "75", "--json",
    )  # fmt: skip
    made = document(out)
    assert code == 0 and err == ""
    assert (made.device, made.title, made.precision) == ("orin-nx", DEVICES["orin-nx"].title, "fp32")
    assert (made.streams, made.stream.every, made.goal, made.stream.width) == (3, 4, 75.0, 1920)
    assert {stage.stage for stage in made.stages} == {"appearance", "motion", "residual", "fuse"}
    rate = made.pictures_per_second
    assert rate.low <= rate.likely <= rate.high


@pytest.mark.parametrize(
    "goal, said",
    [("1", "goal of 1 pictures/s: likely reached as it is"), ("1e5", "pictures/s: not reached")],
)
def test_a_goal_is_answered(edgecvar, bundle, goal, said):
    code, out, _ = edgecvar("bench", "--for", "nano", "--bundle", bundle, "--goal", goal)
    assert code == 0 and said in out


def test_a_page_is_written_beside(edgecvar, bundle, tmp_path):
    code, out, err = edgecvar("bench", "--for", "tx2", "--bundle", bundle, "--report", tmp_path / "p.html", "--json")
    assert code == 0 and "page written: " in err
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Jetson TX2" in page and "predicted" in page.lower() and document(out).device == "tx2"


def test_a_session_corrects_from_then_on(edgecvar, bundle, tmp_path):
    asked = ("bench", "--for", "tx2", "--bundle", bundle, "--json")
    before = document(edgecvar(*asked)[1])
    slower = {stage.stage: 2 * stage.ms.likely for stage in before.stages}
    path = measured(tmp_path / "s.json", slower)
    code, out, err = edgecvar(*asked, "--calibrate", path)
    assert code == 0 and "took 2.00 times what was predicted; kept for tx2" in err
    assert document(out).sample_ms.likely == pytest.approx(2 * before.sample_ms.likely)
    assert document(edgecvar(*asked)[1]).calibrated == ["s.json"]
    assert "corrected by 1 session from such a device" in edgecvar(*asked[:-1])[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--for", "orin-nanno"], "orin-nano"),
        (["--for", "dgpu"], "no data sheet"),
        (["--for", "tx2", "--precision", "int8"], "no INT8 path"),
        (["--for", "tx2", "--goal", "0"], "--goal"),
        (["--for", "tx2", "--calibrate", "no such file"], "no such file"),
        (["--for", "tx2", "nothing.mp4"], "nothing.mp4"),
    ],
)
def test_what_is_refused_is_said_in_a_line(edgecvar, bundle, arguments, message):
    code, out, err = edgecvar("bench", *arguments, "--bundle", bundle)
    assert code != 0 and out == "" and message in err
    assert "Traceback" not in err and len([line for line in err.splitlines() if line.startswith("error")]) <= 1


def test_what_strangers_named_moves_no_cursor(edgecvar, tmp_path):
    file = OnnxFile(motion=[2, 32, 32])
    conv = file.conv("motion", (2, 2, 3, 3), name="a\x1b[2J\u202eb")
    model = file.content(file.call("ReduceMean", conv, name="mean", axes=[2, 3], keepdims=0))
    root = replace_stage(tiny_bundle(tmp_path), "motion", model)
    for flags in ((), ("--json",)):
        code, out, err = edgecvar("bench", "--for", "tx2", "--bundle", root, *flags)
        assert code == 0 and "2J" in out
        assert "\x1b" not in out + err and "\u202e" not in out + err


@pytest.fixture
def few(monkeypatch):
    """Judging all takes some seconds."""
    rows = [row for row in published_measurements() if row.network in ("resnet18", "mobilenet_v2")]
    monkeypatch.setattr(published, "published_measurements", lambda: rows)
    return rows


def test_published_figures_are_listed_and_nothing_is_kept(edgecvar, few):
    before = FITTED.read_bytes()
    code, out, err = edgecvar("bench", "published", "--json")
    read = json.loads(out)
    assert code == 0 and err == ""
    assert [line["measured_ms"] for line in read["lines"]] == [row.milliseconds for row in few]
    code, table, _ = edgecvar("bench", "published", "--markdown")
    lines = table.splitlines()
    assert code == 0 and lines[0].startswith("| device | network |") and lines[1].count("---") == 9
    assert len([line for line in lines if line.startswith("| ")]) == 1 + len(few)
    assert f"{read['median_error']:.1%}" in table and f"{read['median_device_error']:.1%} without the device" in table
    assert edgecvar("bench", "published", "--json", "--markdown")[0] != 0
    assert FITTED.read_bytes() == before

"""Sessions from a device correct what is predicted for it, until a newer one does; any other session is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecvar.bench.predicted.calibrating import calibrate
from edgecvar.bench.session import Phase, Session, load_session, save_session
from edgecvar.bundle.devices import DEVICES
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import ConfigError
from edgecvar.predict.calibration import (
    LEAST_SPREAD,
    Calibration,
    Calibrations,
    calibration_file,
    compare,
    load_calibrations,
)
from edgecvar.predict.fitted import fitted_model
from edgecvar.predict.predictor import PredictConfig, predict
from tests.tiny_bundle import add_precision, tiny_bundle, tiny_clip_bundle

NONE = Phase(wall_seconds=1.0, pictures=10, sampled=5, decisions=5, spans_ms={})
TX2 = DEVICES["tx2"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return add_precision(tiny_bundle(tmp_path_factory.mktemp("bundle")), "fp16")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def config(bundle, device="tx2", **changes):
    return PredictConfig(device=device, bundle=bundle, **changes)


def predicted(bundle, **changes):
    return {each.stage: each.ms.likely for each in predict(config(bundle, **changes)).stages}


def measured(path: Path, stages, **changes) -> Path:
    """A session of a TX2 in which each stage took so long, but for an odd call."""
    spans = {f"stage:{name}": [ms, ms, 50 * ms] for name, ms in stages.items()}
    fields = {
        "bundle": "mine", "untrained": False, "runner": "tensorrt-8.2", "precision": "fp16", "source": "mine",
        "width": 64, "height": 48, "stream_fps": 25.0, "every": 2, "machine": {"device": TX2.title},
        "warm_up": NONE, "run": NONE, "stages_alone": NONE.model_copy(update={"spans_ms": spans}),
    }  # fmt: skip
    save_session(Session(**{**fields, **changes}), path)
    return path


def times(stages, factor):
    return {name: factor * ms for name, ms in stages.items()}


def test_a_session_corrects_the_device_and_no_other(tmp_path, bundle, state):
    before, other = predict(config(bundle)), predict(config(bundle, "nano"))
    found = calibrate(measured(tmp_path / "s.json", times(predicted(bundle), 1.5)), config(bundle))
    assert found.factor == pytest.approx(1.5) and found.session == "s.json" and found.precision == "fp16"
    assert found.stages == pytest.approx(dict.fromkeys(predicted(bundle), 1.5))
    after = predict(config(bundle))
    assert after.sample_ms.likely == pytest.approx(1.5 * before.sample_ms.likely)
    for old, new in zip(before.stages, after.stages):
        assert sum(each.ms for each in new.layers) == pytest.approx(1.5 * sum(each.ms for each in old.layers))
    assert after.calibrated == ["s.json"] and before.calibrated == []
    assert predict(config(bundle, "nano")) == other
    assert calibration_file(TX2) == state / "edgecvar" / "devices" / "tx2.json"
    assert [each.session for each in load_calibrations(TX2).sessions] == ["s.json"]


def test_the_spread_narrows_and_stays_sane(tmp_path, bundle):
    stages = predicted(bundle)
    wide = fitted_model().spread
    calibrate(measured(tmp_path / "s.json", times(stages, 2.0)), config(bundle))
    like = predict(config(bundle)).stages[0].ms
    assert (like.low / like.likely, like.high / like.likely) == pytest.approx((wide[0], LEAST_SPREAD))
    # Stages that disagree leave it as wide as it was, at most.
    torn = {name: ms * factor for (name, ms), factor in zip(stages.items(), (0.2, 1.0, 5.0, 1.0))}
    calibrate(measured(tmp_path / "t.json", torn), config(bundle))
    like = predict(config(bundle)).stages[0].ms
    assert (like.low / like.likely, like.high / like.likely) == pytest.approx(wide)


def test_a_session_of_another_bundle_says_nothing_of_this_one(tmp_path, bundle):
    session = load_session(measured(tmp_path / "s.json", predicted(bundle)))
    save_session(session.model_copy(update={"seal": open_bundle(bundle).manifest.seal}), tmp_path / "same.json")
    save_session(session.model_copy(update={"seal": "0" * 64}), tmp_path / "other.json")
    assert calibrate(tmp_path / "same.json", config(bundle)).factor == pytest.approx(1.0)
    with pytest.raises(ConfigError, match=r"another bundle than .* name that one with --bundle"):
        calibrate(tmp_path / "other.json", config(bundle))


def test_a_newer_session_takes_the_place_of_an_older_and_precisions_are_kept_apart(tmp_path, bundle):
    for name, precision, factor in (("a", "fp16", 3.0), ("b", "fp16", 1.2), ("c", "fp32", 2.0)):
        stages = predicted_before_any(bundle, precision)
        calibrate(measured(tmp_path / name, times(stages, factor), precision=precision), config(bundle))
    kept = load_calibrations(TX2).sessions
    assert [(each.session, each.precision) for each in kept] == [("b", "fp16"), ("c", "fp32")]
    assert [each.factor for each in kept] == pytest.approx([1.2, 2.0])
    again = predict(config(bundle))
    assert again.calibrated == ["b", "c"]
    plain = sum(predicted_before_any(bundle, "fp16").values())
    assert sum(each.ms.likely for each in again.stages) == pytest.approx(1.6 * plain)


def predicted_before_any(bundle, precision):
    """What the model says without what was kept."""
    kept = calibration_file(TX2)
    text = kept.read_text() if kept.is_file() else ""
    kept.unlink(missing_ok=True)
    stages = predicted(bundle, precision=precision)
    if text:
        kept.write_text(text)
    return stages


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"machine": {"device": DEVICES["nano"].title}}, "measured on Jetson Nano, not on Jetson TX2"),
        ({"machine": {}}, "measured on nothing, not on Jetson TX2"),
        ({"runner": "onnxruntime-cpu-fp32"}, "measured with onnxruntime-cpu-fp32; what corrects is measured with"),
        ({"precision": "int8"}, "measured in int8, which Jetson TX2 has not"),
        ({"precision": "int9"}, "int9"),
        ({"stages_alone": NONE}, "it measured none of the stages appearance, motion, residual, fuse"),
    ],
)
def test_what_says_nothing_of_the_device_is_refused_in_a_line(tmp_path, bundle, changes, message):
    path = measured(tmp_path / "s.json", predicted(bundle), **changes)
    with pytest.raises(ConfigError) as caught:
        calibrate(path, config(bundle))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not calibration_file(TX2).exists()


def test_a_session_of_another_bundle_is_refused(tmp_path, bundle):
    path = measured(tmp_path / "s.json", {"recall": 1.0, "drift": 2.0})
    with pytest.raises(ConfigError, match="is it of another bundle"):
        calibrate(path, config(bundle))
    other = tiny_clip_bundle(tmp_path, 3)
    with pytest.raises(ConfigError, match="is it of another bundle"):
        calibrate(measured(tmp_path / "t.json", {"appearance": 1.0}), config(other))


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_an_absurd_factor_is_no_correction(tmp_path, bundle, factor):
    path = measured(tmp_path / "s.json", times(predicted(bundle), factor))
    with pytest.raises(ConfigError, match="which is no correction") as caught:
        calibrate(path, config(bundle))
    assert "\n" not in str(caught.value) and not calibration_file(TX2).exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[1, 2]", b'{"schema_version": 1}'])
def test_a_file_that_is_no_session_is_one_line(tmp_path, bundle, content):
    (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        calibrate(tmp_path / "s.json", config(bundle))
    assert "s.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"device": "tx2", "sessions": [{"session": "a"}]}', '{"other": 1}'])
def test_what_was_kept_and_is_spoilt_is_one_line(bundle, content):
    kept = calibration_file(TX2)
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    with pytest.raises(ConfigError, match=r"tx2\.json: not what --calibrate keeps: .*; delete it") as caught:
        predict(config(bundle))
    assert "\n" not in str(caught.value)


def test_what_is_kept_is_plain_and_bounded(tmp_path, bundle):
    many = [Calibration(session=f"{place}", bundle=f"{place}", precision="fp16", factor=1.1, stages={})
            for place in range(256)]  # fmt: skip
    kept = calibration_file(TX2)
    kept.parent.mkdir(parents=True)
    kept.write_text(Calibrations(device="tx2", sessions=many).model_dump_json())
    calibrate(measured(tmp_path / "new", times(predicted_before_any(bundle, "fp16"), 1.1)), config(bundle))
    sessions = json.loads(kept.read_text())["sessions"]
    assert len(sessions) == 256
    assert (sessions[0]["session"], sessions[-1]["session"]) == ("1", "new")
    assert predict(config(bundle)).stages


def test_where_nothing_can_be_kept_is_one_line(tmp_path, bundle, state):
    state.write_text("a file")
    path = measured(tmp_path / "s.json", {"motion": 1.0})
    with pytest.raises(ConfigError) as caught:
        calibrate(path, config(bundle))
    assert "state" in str(caught.value) and "\n" not in str(caught.value)


def test_a_stage_that_is_nothing_says_nothing():
    found = compare("s", "b", "fp16", {"motion": 2.0, "view": 1.0}, {"motion": 1.0, "view": 0.0})
    assert (found.factor, found.stages) == (2.0, {"motion": 2.0})

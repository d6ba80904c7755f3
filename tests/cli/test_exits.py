"""Early exits the whole way: compiled, verified, measured and run."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.bundle.manifest import open_bundle  # noqa: E402
from edgecvar.compile.bundle import compile_bundle  # noqa: E402
from edgecvar.compile.config import CompileConfig  # noqa: E402
from edgecvar.compile.exits import CONFIDENCES  # noqa: E402
from edgecvar.compile.plan import plan_compilation  # noqa: E402
from edgecvar.errors import ConfigError  # noqa: E402
from tests.moving_clip import moving_clip  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for number in range(2):
        (root / f"untrained {number}").mkdir()
        moving_clip(root / f"untrained {number}" / "a.mp4", shift=2 - 4 * number, pictures=20)
    return root


TINY = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
SMALL = {"appearance": TINY, "motion": TINY, "residual": TINY}


def asked(data, output, **options):
    """Of new weights: there is no accuracy to keep, but the whole way is gone."""
    fields = {
        "model": "coviar",
        "untrained": True,
        "classes": 2,
        "network": {**SMALL, "exits": True},
        "input": {"height": 32, "width": 32, "gop_length": 12, "stride": 4, "accumulate": True},
        "data": data,
        "precision": frozenset(["fp32", "fp16"]),
        "output": output,
    }
    return CompileConfig.model_validate({**fields, **options})


@pytest.fixture(scope="module")
def compiled(data, tmp_path_factory):
    output = tmp_path_factory.mktemp("bundle") / "exits.edgecvar"
    return compile_bundle(plan_compilation(asked(data, output, exit_data=data, exit_drop=100.0)))


def test_a_bundle_says_how_sure_its_exits_must_be_and_what_came_of_it(compiled, data):
    record = open_bundle(compiled.bundle.path).manifest.exits
    assert [rule.stage for rule in record.rules] == ["motion", "residual_exit"]
    assert {rule.confidence for rule in record.rules} == {CONFIDENCES[0]}
    trial = record.trial
    assert trial.data == str(data) and trial.clips == 2 and sum(trial.left.values()) == trial.pictures
    assert trial.left["motion"] == trial.pictures and trial.saved > 0.5  # of two classes one is always so sure


def test_verify_eval_and_bench_take_it(compiled, data, edgecvar, tmp_path):
    path = compiled.bundle.path
    code, out, _ = edgecvar("eval", path, data, "--jobs", "1", "--json")
    document = json.loads(out)["exits"]
    assert code == 0 and document["left"]["motion"] == document["pictures"] and document["saved"] > 0.5
    _, out, _ = edgecvar("eval", path, data, "--jobs", "1", "--exits", "off", "--json")
    assert "exits" not in json.loads(out)
    code, out, _ = edgecvar("eval", path, data, "--jobs", "1", "--exits", "0.9")
    assert code == 0 and "early exits: of " in out and "when compiled: " in out
    code, out, err = edgecvar("verify", path, "--data", data, "--runners", "onnx", "--samples", "4")
    assert code == 0, out + err
    clip = data / "untrained 0" / "a.mp4"
    code, out, _ = edgecvar("bench", clip, "--bundle", path, "--seconds", "0.2", "--save", tmp_path / "s.json")
    assert code == 0 and "early exits: of " in out
    code, out, _ = edgecvar("run", clip, "--bundle", path)
    assert code == 0 and "early exits: 100% at motion" in out


def test_what_cannot_be_chosen_is_said(data, tmp_path):
    with pytest.raises(ConfigError, match="has no early exits"):
        plan_compilation(asked(data, tmp_path / "a.edgecvar", network=SMALL, exit_confidence=0.5))
    plan = plan_compilation(asked(data, tmp_path / "a.edgecvar", exit_confidence=0.5))
    assert plan.exits.confidence == 0.5 and not plan.exits.clips
    assert plan_compilation(asked(data, tmp_path / "a.edgecvar")).exits.clips == []  # new weights have no run

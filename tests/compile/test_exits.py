"""How sure exits must be: found on scores made up, and on clips that a bundle is compiled with."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.bundle.manifest import open_bundle  # noqa: E402
from edgecvar.compile.exits import (  # noqa: E402
    CONFIDENCES,
    SeenClip,
    leaving_scores,
    lowest_confidence,
    relative_temperatures,
)
from tests.moving_clip import moving_clip  # noqa: E402


def one(label, early, whole):
    return SeenClip(label, np.array([[early, whole]], float))


def test_a_picture_leaves_at_the_first_exit_that_is_sure():
    scores = np.array([[[5, 0], [9, 0], [0, 1]], [[1, 0], [9, 0], [0, 1]], [[1, 0], [0, 1], [0, 1]]], float)
    assert leaving_scores(scores, [1.0, 1.0], 0.9).tolist() == [[5, 0], [9, 0], [0, 1]]
    assert leaving_scores(scores, [5.0, 1.0], 0.9).tolist() == [[9, 0], [9, 0], [0, 1]]
    assert leaving_scores(scores, [1.0, 1.0], 1.0).tolist() == [[0, 1]] * 3


def test_the_lowest_confidence_keeps_the_accuracy_as_do_all_above():
    # Sure and right; half sure and wrong, where the whole is right.
    clips = [one(0, [6, 0], [4, 0])] * 9 + [one(1, [1, 0], [0, 2])]
    wrong = 1 / (1 + np.exp(-1.0))  # the confidence of the clip that would be lost
    found = lowest_confidence(clips, [1.0], consensus=4, max_drop=1.0)
    assert found == min(each for each in CONFIDENCES if each > wrong)
    assert lowest_confidence(clips, [1.0], consensus=4, max_drop=10.0) == CONFIDENCES[0]
    hopeless = [one(1, [20, 0], [0, 2])]
    assert lowest_confidence(hopeless, [1.0], consensus=4, max_drop=1.0) == 1.0


def test_decisions_count_beside_clips():
    # The clip's mean stays right, and the first of its two decisions does not.
    clip = SeenClip(0, np.array([[[0, 1], [3, 0]], [[9, 0], [9, 0]]], float))
    assert lowest_confidence([clip], [1.0], consensus=1, max_drop=1.0) > 1 / (1 + np.exp(-1.0))


def test_temperatures_bring_exits_to_the_scale_of_the_whole():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(4000, 3)) * 2
    odds = np.exp(whole) / np.exp(whole).sum(1, keepdims=True)
    labels = [int(rng.choice(3, p=each)) for each in odds]
    clips = [SeenClip(label, np.stack([4 * row, row])[None]) for label, row in zip(labels, whole)]
    assert relative_temperatures(clips)[0] == pytest.approx(4.0, rel=0.15)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for number in range(2):
        (root / f"untrained {number}").mkdir()
        moving_clip(root / f"untrained {number}" / "a.mp4", shift=2 - 4 * number, pictures=20)
    return root


@pytest.fixture(scope="module")
def compiled(data, tmp_path_factory):
    """A bundle of new weights; there is no accuracy to keep, but the whole way is gone."""
    from edgecvar.compile.bundle import compile_bundle
    from edgecvar.compile.config import CompileConfig
    from edgecvar.compile.plan import plan_compilation

    tiny = {"block": "basic", "repeats": [1, 1, 1, 1], "width": 0.125}
    config = CompileConfig(
        model="coviar",
        untrained=True,
        classes=2,
        network={"appearance": tiny, "motion": tiny, "residual": tiny, "exits": True},
        input={"height": 32, "width": 32, "gop_length": 12, "stride": 4, "accumulate": True},
        data=data,
        precision=frozenset(["fp32"]),
        exit_data=data,
        exit_drop=100.0,
        output=tmp_path_factory.mktemp("bundle") / "exits.edgecvar",
    )
    return compile_bundle(plan_compilation(config))


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
    code, out, _ = edgecvar("verify", path, "--data", data, "--runners", "onnx", "--samples", "4")
    assert code == 0
    clip = data / "untrained 0" / "a.mp4"
    code, out, _ = edgecvar("bench", clip, "--bundle", path, "--seconds", "0.2", "--save", tmp_path / "s.json")
    assert code == 0 and "early exits: of " in out
    code, out, _ = edgecvar("run", clip, "--bundle", path)
    assert code == 0 and "early exits: 100% at motion" in out

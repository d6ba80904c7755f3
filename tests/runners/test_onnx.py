"""The ONNX engine: what it computes, and what it says of a bundle whose models are not what the manifest says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecvar.bundle.manifest import MANIFEST, Manifest, open_bundle, write_manifest
from edgecvar.bundle.stages import StageSpec
from edgecvar.errors import BundleError
from edgecvar.runners import onnx
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.runner import run_stage
from tests.tiny_bundle import fuse_model, mean_model, tiny_bundle


def test_a_stage_computes_its_graph(tmp_path):
    image = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    with OnnxRunner(open_bundle(tiny_bundle(tmp_path)), threads=1) as runner:
        assert run_stage(runner, "appearance", {"image": image}) == pytest.approx(image.mean((2, 3)), abs=1e-5)
        ones = {"appearance": (1, 3), "adjacent": (1, 3), "motion": (1, 2), "residual": (1, 3)}
        scores = run_stage(runner, "fuse", {name: np.full(shape, 2, np.float32) for name, shape in ones.items()})
    assert scores.tolist() == [[-6.0, 6.0, 1.0]]


def test_building_a_runner_loads_nothing(tmp_path):
    bundle = open_bundle(tiny_bundle(tmp_path))
    for file in (bundle.path / "onnx").iterdir():
        file.unlink()
    runner = OnnxRunner(bundle)
    with pytest.raises(BundleError, match="appearance"), runner:
        pass


@pytest.mark.parametrize(
    ("tensor", "weights", "shared"),
    [
        ({"shape": [3, 64, 64]}, 336_000, False),  # of recipes/synth/attp.yaml: 3.6 M multiply-adds
        ({"shape": [3, 240, 240]}, 7_800_000, True),  # EfficientNet-B1's: 0.7 G
        ({"shape": [8, 2, 64, 64], "segments": 8}, 1_000_000, True),
        ({"shape": [8, 2, 64, 64], "segments": 8}, 100_000, False),
        ({"shape": [1280]}, 10_000_000, False),
    ],
)
def test_a_small_stage_is_left_to_one_core(tensor, weights, shared, monkeypatch):
    monkeypatch.setattr(onnx, "usable_cores", lambda: 6)
    stage = StageSpec.model_validate(
        {
            "name": "look",
            "cadence": "picture",
            "inputs": [{"name": "seen", "source": "image", **tensor}],
            "output_shape": [5],
        }
    )
    assert onnx.threads_for(stage, weights) == (6 if shared else 1)


def test_a_precision_that_the_bundle_has_not_is_an_error(tmp_path):
    with pytest.raises(BundleError, match="no int8 file"), OnnxRunner(open_bundle(tiny_bundle(tmp_path)), "int8"):
        pass


def test_a_stage_that_fails_on_the_way_is_named(tmp_path):
    with OnnxRunner(open_bundle(tiny_bundle(tmp_path)), threads=1) as runner:
        with pytest.raises(BundleError, match="stage appearance: onnxruntime-cpu-fp32 failed") as raised:
            runner.launch("appearance", {"image": np.zeros((1, 3, 32, 31), np.float32)})
        assert "\n" not in str(raised.value)


REPLACED = {
    "an input of another name": ("appearance", mean_model(("picture", [3, 32, 32]), "out"), "inputs picture"),
    "an input of another shape": ("appearance", mean_model(("image", [3, 40, 32]), "out"), "input image"),
    "an output of another shape": (
        "fuse",
        fuse_model([("appearance", [3]), ("adjacent", [3]), ("motion", [2]), ("residual", [3])], 4),
        "output",
    ),
    "no model at all": ("motion", b"\x00 not a model", "cannot load"),
}


@pytest.mark.parametrize("case", list(REPLACED))
def test_a_model_that_is_not_the_manifests_is_refused_by_name(tmp_path, case):
    stage, model, message = REPLACED[case]
    root = tiny_bundle(tmp_path)
    (root / f"onnx/{stage}.fp32.onnx").write_bytes(model)
    write_manifest(root, Manifest.model_validate(json.loads((root / MANIFEST).read_text())))
    with pytest.raises(BundleError) as raised, OnnxRunner(open_bundle(root)):
        pass
    assert message in str(raised.value) and f"{stage}.fp32.onnx" in str(raised.value)
    assert "\n" not in str(raised.value)

"""Verification: the reference, what is compared and left out, and which result fails."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecvar import errors
from edgecvar.bundle.devices import DEVICES
from edgecvar.bundle.manifest import Bundle, open_bundle, sha256_of
from edgecvar.cli.report.device import board
from edgecvar.cli.report.verification import facts_block, verification_document
from edgecvar.errors import ConfigError, DeviceError
from edgecvar.judge import verify as verify_module
from edgecvar.judge.verify import VerifyConfig, find_checkpoint, verify
from edgecvar.runners import choice as runners
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.tensorrt import runner as tensorrt_runner
from tests.bench.board.trees import nano
from tests.moving_clip import moving_clip
from tests.tiny_bundle import add_precision, fuse_model, replace_stage, steep_bundle, steep_model, tiny_bundle

SWAPPED = fuse_model([("motion", [2]), ("adjacent", [3]), ("appearance", [3]), ("residual", [3])], 3)
"""A fuse stage that looks at the image where it should look at velocity."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "to_and_fro.mp4", pictures=40, restless=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(add_precision(tiny_bundle(tmp_path_factory.mktemp("bundle")), "fp16"))


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """A machine without torch and without TensorRT, whatever this one has."""
    monkeypatch.setattr(runners, "find_spec", lambda name: None)
    monkeypatch.setattr(errors, "find_spec", lambda name: None)


def no_torch(path):
    raise AssertionError(f"{path} must not be read")


def check(bundle, clip, torch=no_torch, **options):
    return verify(bundle, VerifyConfig(data=clip, samples=12, **options), torch)


def with_checkpoint(bundle, checkpoint):
    provenance = bundle.manifest.provenance.model_copy(update={"checkpoint_sha256": sha256_of(checkpoint)})
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"provenance": provenance}))


@pytest.fixture
def trained(bundle, tmp_path, monkeypatch):
    """A bundle whose checkpoint lies among others under the current folder's runs, on a machine with torch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(errors, "find_spec", lambda name: object())
    for number in (1, 2, 3):
        folder = tmp_path / "runs" / "tiny" / str(number)
        folder.mkdir(parents=True)
        (folder / "best.pt").write_bytes(b"weights %d" % number)
    return with_checkpoint(bundle, tmp_path / "runs" / "tiny" / "2" / "best.pt")


def test_fp32_on_onnx_runtime_is_the_reference_without_torch(bundle, clip):
    found = check(bundle, clip)
    assert found.reference.runner == "onnxruntime-cpu-fp32"
    assert [result.runner for result in found.results] == ["onnxruntime-cpu-fp16"]
    assert found.passed and found.samples == 12
    assert [run.stage for run in found.results[0].stages] == ["appearance", "motion", "residual", "fuse"]
    assert found.results[0].whole.decisions.agreement == 1
    assert any("without torch: comparing with torch needs torch, not installed" in note for note in found.notes)
    assert any("without TensorRT: tensorrt and pycuda" in note for note in found.notes)


def test_torch_is_the_reference_where_its_checkpoint_is_found_by_hash(trained, clip):
    asked = []

    def torch(path):
        asked.append(path)
        return OnnxRunner(trained, threads=1)

    found = check(trained, clip, torch)
    assert [path.parent.name for path in asked] == ["2"]
    assert [result.precision for result in found.results] == ["fp32", "fp16"]
    assert found.passed
    # torch that is not asked for is not the reference either.
    assert check(trained, clip, runners="onnx").reference.runner == "onnxruntime-cpu-fp32"


def test_a_checkpoint_is_not_read_before_its_hash_agrees(trained, tmp_path, clip):
    other = tmp_path / "other.pt"
    other.write_bytes(b"something else")
    with pytest.raises(ConfigError, match=r"other\.pt: not what the bundle was compiled from \(sha256"):
        check(trained, clip, checkpoint=other)
    (tmp_path / "runs" / "tiny" / "2" / "best.pt").write_bytes(b"changed")
    with pytest.raises(ConfigError, match=r"none under runs is it; name it with --checkpoint"):
        find_checkpoint(trained, VerifyConfig())
    assert any("without torch" in note for note in check(trained, clip).notes)


def test_a_runner_that_was_asked_for_and_is_not_there_is_an_error(bundle, trained, clip, monkeypatch):
    with pytest.raises(ConfigError, match="tensorrt and pycuda cannot be imported here"):
        check(bundle, clip, runners="onnx,trt")
    with pytest.raises(ConfigError, match="untrained weights"):
        check(bundle, clip, runners="torch,onnx")
    with pytest.raises(ConfigError, match="--dla and --converter: for TensorRT alone"):
        check(bundle, clip, runners="onnx", dla=0, converter="torch2trt")
    with pytest.raises(ConfigError, match="did you mean 'onnx'"):
        check(bundle, clip, runners="onxx")
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs torch, not installed"):
        check(trained, clip, runners="torch,onnx")


def test_nothing_to_compare_is_said(tmp_path, clip):
    plain = open_bundle(tiny_bundle(tmp_path))
    found = check(plain, clip)
    assert found.passed is None and any("nothing to compare" in note for note in found.notes)
    assert "result: nothing compared" in facts_block(found)
    with pytest.raises(ConfigError, match="nothing to compare"):
        check(plain, clip, runners="onnx")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_wrong_stage_fails_by_name(tmp_path, clip, precision):
    wrong = open_bundle(add_precision(tiny_bundle(tmp_path), precision, fuse=SWAPPED))
    found = check(wrong, clip)
    (result,) = found.results
    assert found.passed is False
    assert {failure.split(":")[0] for failure in result.failures(untrained=False)} == {"stage fuse", "end to end"}
    assert any("decisions differ" in failure for failure in result.failures(untrained=False))


def test_decisions_of_untrained_weights_are_not_judged(tmp_path, clip):
    wrong = open_bundle(add_precision(tiny_bundle(tmp_path, untrained=True), "fp16", fuse=SWAPPED))
    found = check(wrong, clip)
    failures = found.results[0].failures(found.untrained)
    assert found.passed is False and not any("decisions" in failure for failure in failures)


def test_a_runner_that_does_not_run_leaves_the_others(tmp_path, clip):
    broken = add_precision(tiny_bundle(tmp_path), "fp16", motion=b"\x00 not a model")
    found = check(open_bundle(add_precision(broken, "int8")), clip)
    fp16, int8 = found.results
    assert "motion.fp16.onnx" in fp16.error and fp16.failures(False) == [fp16.error]
    assert int8.error is None and int8.failures(False) == []
    assert found.passed is False


def test_clips_that_cannot_be_read_are_named(bundle, clip, tmp_path):
    (tmp_path / "good.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "bad.mp4").write_text("no video")
    found = check(bundle, tmp_path)
    assert [path.name for path, _ in found.unreadable] == ["bad.mp4"] and found.samples == 12
    assert "samples: 12 from 2 clips, 1 unreadable" in facts_block(found)
    (tmp_path / "good.mp4").unlink()
    with pytest.raises(ConfigError, match=r"no sample in 1 clips .*bad\.mp4"):
        check(bundle, tmp_path)


class Standin(OnnxRunner):
    """TensorRT, played by ONNX Runtime: without its options, and failing where told to."""

    fails = ""

    def __init__(self, bundle, options):
        super().__init__(bundle, options.precision, threads=1)
        self.name = f"tensorrt-{options.precision}"

    def launch(self, stage, inputs):
        if stage == self.fails:
            raise DeviceError("out of memory")
        return super().launch(stage, inputs)


@pytest.fixture
def tensorrt(monkeypatch):
    for module in (runners, verify_module):
        monkeypatch.setattr(module, "missing_for_tensorrt", list)
    monkeypatch.setattr(tensorrt_runner, "TensorRtRunner", Standin)


def test_tensorrt_is_compared_at_what_the_device_has(tmp_path, clip, tensorrt, monkeypatch):
    full = open_bundle(add_precision(add_precision(tiny_bundle(tmp_path), "fp16"), "int8"))
    monkeypatch.setattr(verify_module, "detect_device", lambda: DEVICES["tx2"])
    found = check(full, clip, runners="trt")
    assert [result.runner for result in found.results] == ["tensorrt-fp32", "tensorrt-fp16"]
    assert found.passed and "without int8 on TensorRT: Jetson TX2 has no path for it" in found.notes


def test_a_dla_is_compared_at_what_it_computes_in(tmp_path, clip, tensorrt):
    full = open_bundle(add_precision(add_precision(tiny_bundle(tmp_path), "fp16"), "int8"))
    found = check(full, clip, runners="trt", dla=0, device="agx-orin")
    assert [result.runner for result in found.results] == ["tensorrt-fp16"]
    assert [note for note in found.notes if "DLA" in note] == [
        "without fp32 on TensorRT: the DLA cannot",
        "without int8 on TensorRT: the DLA cannot",
    ]


def test_a_device_that_fails_on_the_way_keeps_what_it_has_done(bundle, clip, tensorrt, monkeypatch):
    monkeypatch.setattr(Standin, "fails", "residual")
    found = check(bundle, clip, runners="trt")
    assert [run.stage for run in found.results[0].stages] == ["appearance", "motion"]
    assert found.results[0].error == "out of memory" and found.passed is False


def test_the_slowest_layers_of_a_device_are_in_the_block(bundle, clip, tensorrt, monkeypatch):
    found = check(bundle, clip, runners="trt")
    for result in found.results:
        times = [slow.layer.ms for slow in result.slowest]
        assert times == sorted(times, reverse=True) and 4 <= len(times) <= 8
        slow = result.slowest[0]
        document = next(each for each in verification_document(found)["figures"] if each["runner"] == result.runner)
        assert document["slowest_layers"][0]["name"] == slow.layer.name
        said = f"{result.runner}, layer of {slow.stage}, {slow.layer.ms:.3f} ms: {slow.layer.name}, {slow.layer.kind}"
        assert any(line.startswith(said) for line in facts_block(found))

    def fails(self, stage, inputs, runs):
        raise DeviceError("tells no times")

    monkeypatch.setattr(Standin, "layer_times", fails)
    assert [result.slowest for result in check(bundle, clip, runners="trt").results] == [[], []]
    assert [result.slowest for result in check(bundle, clip, runners="onnx").results] == [[]]


def test_the_clocks_of_a_jetson_are_in_the_block(bundle, clip, tensorrt, monkeypatch, tmp_path):
    assert not any(line.startswith("clocks: ") for line in facts_block(check(bundle, clip, runners="trt")))
    monkeypatch.setattr(board, "l4t_release", lambda: "32.7.1")
    assert board.clock_facts(tmp_path) == {}
    assert board.clock_facts(nano(tmp_path)) == {"clocks": "gpu 77 MHz, emc 1600 MHz, 2 CPUs 1428 MHz (not locked)"}


def test_the_document_has_no_number_that_json_has_not(bundle, clip, tensorrt, monkeypatch):
    with np.errstate(divide="ignore", invalid="ignore"):
        monkeypatch.setattr(Standin, "launch", lambda self, *call: OnnxRunner.launch(self, *call) / np.float32(0))
        document = verification_document(check(bundle, clip, runners="trt"))
    json.dumps(document, allow_nan=False)
    assert document["passed"] is False and document["figures"][0]["stages"][0]["max_difference"] is None


def test_the_layer_that_overflows_is_named_where_onnx_runtime_hides_it(tmp_path, clip):
    steep = open_bundle(steep_bundle(tmp_path))
    assert check(steep, clip).passed  # what fp16 does not hold it computes in fp32
    found = check(steep, clip, layers=True)
    (result,) = found.results
    (fault,) = result.layers
    assert found.passed is False and (fault.stage, fault.layer, fault.operator) == ("motion", "beyond", "Mul")
    assert fault.high > 90000 and not fault.everywhere
    (failure,) = result.failures(False)
    assert failure.startswith("stage motion: goes wrong at layer beyond (Mul): not finite in ")
    assert failure.endswith("edgecvar compile --keep-fp32 motion:beyond")
    json.dumps(verification_document(found), allow_nan=False)


def test_a_stage_that_passes_has_no_faulty_layer(bundle, clip):
    found = check(bundle, clip, layers=True)
    assert found.passed and [result.layers for result in found.results] == [[]]


def test_a_stage_of_wrong_weights_goes_wrong_at_the_layer_that_has_them(tmp_path, clip):
    wrong = open_bundle(add_precision(tiny_bundle(tmp_path), "fp16", fuse=SWAPPED))
    found = check(wrong, clip, layers=True)
    (fault,) = found.results[0].layers
    assert (fault.stage, fault.layer) == ("fuse", "all") and "cosine" in fault.what
    assert found.results[0].error is None


def test_what_is_not_finite_in_fp32_either_is_not_laid_to_the_precision(tmp_path, clip):
    steep = steep_model(("motion", [2, 32, 32]), "mean", half=False).replace(
        np.float32(300).tobytes(), np.float32(3e38).tobytes()
    )
    root = add_precision(replace_stage(tiny_bundle(tmp_path), "motion", steep), "fp16")
    (fault, *_) = check(open_bundle(root), clip, layers=True).results[0].layers
    assert fault.everywhere and "not finite in fp32 either" in fault.text and "not the precision" in fault.text
    assert "--keep-fp32" not in fault.text

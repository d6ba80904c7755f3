"""`edgecvar verify` as a user meets it, and the flags that choose a runner."""

from __future__ import annotations

import getpass
import json
import platform

import pytest

from edgecvar.runners import choice as runners
from tests.moving_clip import moving_clip
from tests.tiny_bundle import add_precision, fuse_model, tiny_bundle


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return moving_clip(tmp_path_factory.mktemp("clip") / "to_and_fro.mp4", pictures=40, restless=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return add_precision(tiny_bundle(tmp_path_factory.mktemp("bundle")), "fp16")


@pytest.fixture(autouse=True)
def no_tensorrt(monkeypatch):
    monkeypatch.setattr(runners, "find_spec", lambda name: None)


def test_the_shipped_bundle_passes(edgecvar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no checkpoint lies
    code, out, err = edgecvar("verify", "--samples", "16", "--threads", "1")
    assert (code, err) == (0, "")
    assert "onnxruntime-cpu-fp32 (reference)" in out and "16 from 1 clips" in out and "FAILED" not in out
    assert "clips of your own (--data) say more" in out


def test_what_agrees_passes_and_the_block_names_nobody(edgecvar, bundle, clip):
    code, out, err = edgecvar("verify", bundle, "--data", clip, "--runners", "onnx", "--samples", "8")
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if "onnxruntime-cpu-fp16 " in line]
    assert len(rows) == 5 and all("ok" in row for row in rows) and "8 of 8" in rows[-1]
    block = out[out.index("paste this") :].splitlines()[1:]
    assert any(line.startswith("device: ") for line in block) and "result: passed" in block
    text = "\n".join(block)
    assert str(clip.parent) not in text and str(bundle) not in text and clip.stem not in text
    assert platform.node() not in text and f"/{getpass.getuser()}" not in text


def test_a_wrong_stage_is_named_after_everything_is_printed(edgecvar, tmp_path, clip):
    wrong = fuse_model([("motion", [2]), ("adjacent", [3]), ("appearance", [3]), ("residual", [3])], 3)
    root = add_precision(add_precision(tiny_bundle(tmp_path), "int8", fuse=wrong), "fp16")
    code, out, err = edgecvar("verify", root, "--data", clip, "--runners", "onnx", "--samples", "12")
    assert (code, err) == (1, "")
    assert "FAILED onnxruntime-cpu-int8, stage fuse: cosine" in out and "result: FAILED" in out
    assert "FAILED onnxruntime-cpu-fp16" not in out and "stage motion:" not in out
    code, out, _ = edgecvar("verify", root, "--data", clip, "--runners", "onnx", "--samples", "12", "--json")
    document = json.loads(out)
    assert code == 1 and document["passed"] is False
    failures = {figure["precision"]: figure["failures"] for figure in document["figures"]}
    assert failures["fp16"] == [] and any("stage fuse" in failure for failure in failures["int8"])


def test_a_byte_changed_is_one_line(edgecvar, tmp_path, clip):
    root = add_precision(tiny_bundle(tmp_path), "fp16")
    file = root / "onnx" / "motion.fp16.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    code, out, err = edgecvar("verify", root, "--data", clip)
    assert (code, out) == (1, "") and err.startswith("error:") and err.count("\n") == 1
    assert "motion.fp16.onnx: changed since it was compiled" in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--runners", "trt"), "tensorrt and pycuda cannot be imported"),
        (("--runners", "onnyx"), "did you mean 'onnx'"),
        (("--data", "nowhere"), "no such file or folder"),
        (("--samples", "0"), "--samples"),
    ],
)
def test_a_wrong_request_is_one_line(edgecvar, bundle, arguments, message):
    code, out, err = edgecvar("verify", bundle, *arguments)
    assert (code, out) == (1, "") and err.startswith("error:") and err.count("\n") == 1
    assert message in err


def test_run_eval_and_bench_take_the_precision_that_is_asked_for(edgecvar, tmp_path, clip, bundle):
    wrong = fuse_model([("motion", [2]), ("adjacent", [3]), ("appearance", [3]), ("residual", [3])], 3)
    root = add_precision(tiny_bundle(tmp_path), "fp16", fuse=wrong)

    def labels(*flags):
        _, out, _ = edgecvar("run", clip, "--bundle", root, "--json", *flags)
        return [json.loads(line).get("label") for line in out.splitlines()]

    assert labels("--threads", "1") != labels("--precision", "fp16")
    folder = tmp_path / "clips"
    (folder / "right").mkdir(parents=True)
    moving_clip(folder / "right" / "a.mp4", shift=4)
    for flags, correct in (((), 1), (("--precision", "fp16", "--runner", "onnx"), 0)):
        code, out, _ = edgecvar("eval", root, folder, "--json", "--jobs", "1", *flags)
        assert code == 0 and json.loads(out)["per_class"]["right"]["correct"] == correct
    options = ("--bundle", bundle, "--seconds", "0.1", "--save", tmp_path / "s.json", "--json")
    code, out, _ = edgecvar("bench", clip, *options, "--precision", "fp16")
    session = json.loads(out)["session"]
    assert (code, session["precision"], session["runner"]) == (0, "fp16", "onnxruntime-cpu-fp16")


@pytest.mark.parametrize("verb", ["run", "eval", "bench"])
def test_a_precision_that_is_not_there_is_one_line(edgecvar, tmp_path, bundle, clip, verb):
    (tmp_path / "right").mkdir()
    (tmp_path / "right" / "a.mp4").write_bytes(clip.read_bytes())
    arguments = {"run": (clip, "--bundle", bundle), "eval": (bundle, tmp_path), "bench": (clip, "--bundle", bundle)}
    code, out, err = edgecvar(verb, *arguments[verb], "--precision", "int8")
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "no int8 stages in this bundle; it has fp32, fp16" in err and "edgecvar compile" in err

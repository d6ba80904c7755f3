"""`edgecvar build` on a played device: which engines it builds, that none is built twice, and what it refuses."""

from __future__ import annotations

import json

import pytest

from edgecvar.runners import choice as runners
from tests.contracts.fake_tensorrt import RECORDED
from tests.runners.tensorrt.played_tensorrt import PlayedTensorRt, with_precision
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def played(tmp_path, monkeypatch):
    """A bundle in fp32 and fp16 on a machine with TensorRT."""
    monkeypatch.setattr(runners, "missing_for_tensorrt", list)
    return PlayedTensorRt(RECORDED, with_precision(tiny_bundle(tmp_path), "fp16"), monkeypatch)


def folders(bundle):
    return sorted(each.name for each in (bundle.path / "engines").iterdir() if not each.name.endswith("timings"))


def test_every_precision_of_the_bundle_is_built_once(edgecvar, played):
    path = played.bundle.path
    code, out, err = edgecvar("build", path)
    assert code == 0
    kinds = [f"sm87-{played.version}-{precision}" for precision in ("fp16", "fp32")]
    assert folders(played.bundle) == kinds
    short = ".".join(played.version.split(".")[:2])
    assert out.splitlines() == [
        f"built: tensorrt-{short}-sm87-fp32",
        f"built: tensorrt-{short}-sm87-fp16",
        f"next: edgecvar verify {path} --runners onnx,trt",
    ]
    built = played.fake.names.count("Builder.build_serialized_network")
    code, out, err = edgecvar("build", path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"bundle": str(path), "built": [f"tensorrt-{short}-sm87-{p}" for p in ("fp32", "fp16")]}
    assert played.fake.names.count("Builder.build_serialized_network") == built


def test_only_what_is_named_is_built(edgecvar, played):
    code, out, _ = edgecvar("build", played.bundle.path, "--precision", "fp16", "--device", "agx-orin")
    assert code == 0 and out.count("built: ") == 1
    assert folders(played.bundle) == [f"sm87-{played.version}-fp16"]


def test_engines_for_several_streams_are_built_anew_and_serve_one_too(edgecvar, played):
    builds = "Builder.build_serialized_network"
    for options, built in [((), True), (("--max-batch", "4"), True), (("--max-batch", "3"), False), ((), False)]:
        before = played.fake.names.count(builds)
        code, _, _ = edgecvar("build", played.bundle.path, "--precision", "fp16", *options)
        assert code == 0 and (played.fake.names.count(builds) > before) == built
    sizes = {call.arguments[3][0] for call in played.fake.of("IOptimizationProfile.set_shape")}
    assert sizes == {1, 4}


@pytest.mark.parametrize(
    "options, message",
    [
        (("--precision", "fp8"), "unknown precision 'fp8'"),
        (("--precision", ","), "expected a list such as fp32,fp16"),
        (("--precision", "int8"), "no int8 stages in this bundle"),
        (("--device", "tx3"), "did you mean 'tx2'"),
        (("--device", "tx2", "--dla", "0"), "has no DLA"),
        (("--precision", "fp32", "--dla", "0", "--device", "agx-orin"), "a DLA core computes in fp16"),
    ],
)
def test_what_cannot_be_built_is_one_line(edgecvar, played, options, message):
    code, out, err = edgecvar("build", played.bundle.path, *options)
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and len(err.splitlines()) == 1 and message in err
    assert not (played.bundle.path / "engines").exists()


def test_without_tensorrt_it_says_what_is_missing(edgecvar, tmp_path, monkeypatch):
    monkeypatch.setattr(runners, "find_spec", lambda name: None)
    code, _, err = edgecvar("build", tiny_bundle(tmp_path))
    assert code == 1 and "tensorrt and pycuda cannot be imported here" in err


def test_compile_names_the_verb_that_builds(edgecvar):
    code, _, err = edgecvar("compile", "--bundle", "my.edgecvar")
    assert code == 2 and "edgecvar build my.edgecvar" in err

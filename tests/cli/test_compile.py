"""`edgecvar compile` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import pytest

from edgecvar.bundle.manifest import open_bundle
from tests.moving_clip import moving_clip
from tests.tiny_bundle import tiny_bundle

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytestmark = pytest.mark.train

from edgecvar.cli.main import main  # noqa: E402

TINY = [
    *("--set", "network.backbone={width: 0.1, depth: 0.1}", "--set", "network.fusion=mv"),
    *("--set", "input.height=48", "--set", "input.width=64"),
    *("--set", "input.stride=4", "--set", "input.crop=1.0"),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "moving.mp4", restless=True, bf="1")


def run(arguments: List[str], capfd: Any) -> Any:
    """(exit code, stdout, stderr)."""
    code = 0
    try:
        main(["compile", *arguments])
    except SystemExit as left:
        code = int(left.code or 0)
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def test_untrained_says_so(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(["--model", "attp", "--untrained", "--classes", "4", "--data", str(clip), *TINY], capfd)
    assert (code, err) == (0, "")  # not a word from the exporter
    lines = out.splitlines()
    assert any(line.startswith("motion ") and "fp32" in line for line in lines)
    assert any(line.startswith("fuse ") and "fp16" in line for line in lines)
    assert any(line.startswith(f"no int8: {clip} is one clip") for line in lines)
    assert any(line.startswith("UNTRAINED") for line in lines)
    manifest = open_bundle(tmp_path / "attp.edgecvar").manifest
    assert manifest.provenance.untrained
    assert len(manifest.labels) == 4
    assert manifest.input.height == 48


def test_json_is_one_document(clip: Path, tmp_path: Path, capfd: Any) -> None:
    target = tmp_path / "out.edgecvar"
    arguments = ["--model", "attp", "--untrained", "--data", str(clip), "-o", str(target), "--json", *TINY]
    code, out, err = run(arguments, capfd)
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["bundle"] == str(target)
    assert document["untrained"] is True
    assert [stage["stage"] for stage in document["stages"]] == ["motion", "fuse"] * 2
    assert [stage["precision"] for stage in document["stages"]] == ["fp32"] * 2 + ["fp16"] * 2
    assert list(document["precisions"]) == ["fp32", "fp16"]
    assert document["int8"] is None and "one clip" in document["int8_left_out"]
    assert len(document["labels"]) == 51
    assert document["checked_with"] == [str(clip)]
    kept = [file.max_difference for file in open_bundle(target).manifest.files]
    assert [stage["max_difference"] for stage in document["stages"]] == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "attp"], "no trained run of 'attp'"),
        (["--model", "atpp", "--untrained"], "did you mean 'attp'"),
        (["--untrained"], "of which model"),
        ([], "name a model"),
        (["--checkpoint", "none.pt"], "none.pt: no such file"),
        (["--model", "attp", "--classes", "4"], "--classes and --set are for --untrained"),
        (["--model", "attp", "--untrained", "--classes", "0"], "--classes: Input should be greater"),
        (["--model", "attp", "--untrained", "--classes", "100001"], "--classes: Input should be less"),
        (["--model", "attp", "--untrained", "--set", "network.fuson=mv"], "did you mean 'fusion'"),
        (["--model", "attp", "--untrained", "--set", "input.hieght=96"], "did you mean 'height'"),
        (["--model", "attp", "--untrained", "--set", "epochs=3"], "expected network.KEY=VALUE or input.KEY=VALUE"),
        (["--model", "attp", "--untrained", "-o", "place"], "ends in .edgecvar"),
        (["--model", "attp", "--untrained", "--precision", "fp8"], "unknown precision 'fp8'"),
        (["--model", "attp", "--untrained", "--precision", ","], "expected a list such as fp32,fp16"),
        (["--model", "attp", "--untrained", "--precision", "int8"], "name a folder with --data"),
        (["--model", "attp", "--untrained", "--device", "tx3"], "did you mean 'tx2'"),
        (["--model", "attp", "--untrained", "--device", "tx2", "--precision", "int8"], "use --precision fp16"),
        (["--model", "attp", "--untrained", "--for", "tx2"], "--for tx2: Jetson TX2 has no INT8 path"),
        (["--model", "attp", "--untrained", "--max-drop", "much"], "expected a percentage from 0 to 100, or none"),
        (["--model", "attp", "--untrained", "--engines"], "tensorrt and pycuda cannot be imported here"),
        (["--model", "attp", "--untrained", "--converter", "torch2trt"], "cannot be imported here"),
    ],
)
def test_a_wrong_request_is_one_line(
    arguments: List[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(arguments, capfd)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_bundle_is_not_replaced(clip: Path, tmp_path: Path, capfd: Any) -> None:
    """The folder that is renamed away must be the one that was looked at."""
    real = tiny_bundle(tmp_path)
    before = open_bundle(real).manifest
    (tmp_path / "link.edgecvar").symlink_to(real)
    arguments = ["--model", "attp", "--untrained", "--data", str(clip), "-o", str(tmp_path / "link.edgecvar"), *TINY]
    assert run(arguments, capfd)[0] == 0
    assert open_bundle(real).manifest == before

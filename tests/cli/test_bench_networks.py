"""`edgecvar bench networks` compiles, tests and measures checkpoints, and says what it cannot compare."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from edgecvar.bundle.manifest import open_bundle

pytest.importorskip("torch", reason="the device half has no torch")
pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def run(tmp_path_factory, by_heart):
    """A run folder whose best.pt knows the synthetic clips."""
    folder = tmp_path_factory.mktemp("run") / "20260101-120000"
    folder.mkdir()
    shutil.copyfile(by_heart("attp").checkpoint, folder / "best.pt")
    return folder


@pytest.fixture(scope="module", autouse=True)
def compile_once(tmp_path_factory):
    """Compiling takes seconds, and here it is always the same network."""
    from edgecvar.compile import bundle

    compile_bundle, kept = bundle.compile_bundle, tmp_path_factory.mktemp("kept") / "net.edgecvar"

    def compiled(plan):
        assert plan.precisions == ["fp32"]
        if not kept.exists():
            compile_bundle(replace(plan, target=kept))
        shutil.copytree(kept, plan.target)
        return SimpleNamespace(bundle=open_bundle(plan.target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "compile_bundle", compiled)
        yield


def quick(clip):
    return ("--source", clip, "--rounds", "2", "--seconds", "0.1", "--threads", "1")


def test_what_has_learnt_its_clips_is_right_on_them(edgecvar, run, synthetic, clip):
    """As `edgecvar eval` says of its bundle, which decides on every sampled picture."""
    from edgecvar.train.checkpoint import load_checkpoint

    code, out, err = edgecvar("bench", "networks", run, "--data", synthetic, *quick(clip), "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    (row,) = document["networks"]
    assert row["name"] == "attp"
    assert row["checkpoint"] == str(run / "best.pt")
    assert row["accuracy"]["clips"] == 20
    assert row["top1"] == row["accuracy"]["right"] / 20 > 0.5
    network = load_checkpoint(run / "best.pt").build()
    assert row["parameters"] == sum(weight.numel() for weight in network.parameters())
    rates = sorted(each["pictures_per_second"] for each in row["rounds"])
    assert rates[0] <= row["pictures_per_second"] <= rates[-1]
    assert document["machine"]["cores"]


def test_without_clips_there_is_no_top1_and_two_of_a_model_are_told_apart(edgecvar, run, clip, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    code, out, _ = edgecvar("bench", "networks", run, other / "best.pt", *quick(clip), "--markdown")
    assert code == 0
    header, rule, first, second = out.splitlines()
    assert header == "| network | size | parameters | multiply-adds | pictures/s | sampled/s |"
    assert rule == "|---|---|---:|---:|---:|---:|"
    assert first.startswith(f"| attp ({run}) | 32 x 48 |")
    assert second.startswith(f"| attp ({other}/best.pt) | 32 x 48 |")


def test_what_cannot_be_compared_is_one_line(edgecvar, run, synthetic, tmp_path):
    (tmp_path / "clips" / "juggle").mkdir(parents=True)
    for arguments, said in (
        ((run, run), "given twice"),
        ((run, "--data", tmp_path / "clips"), "unknown label 'juggle'"),
        ((tmp_path,), "no such file"),
    ):
        code, out, err = edgecvar("bench", "networks", *arguments)
        assert (code, out) == (1, "")
        assert said in err and err.count("\n") == 1
    for flags in (("--match", "x"), ("--json", "--markdown")):
        code, _, _ = edgecvar("bench", "networks", run, *flags)
        assert code == 2

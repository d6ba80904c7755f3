"""The samples that int8 is made with, and what the manifest of a bundle says of them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.cli.report.bundle.compiled import as_document
from edgecvar.compile.bundle import compile_bundle
from edgecvar.compile.int8.data import Int8Data, hash_samples, read_int8_data
from edgecvar.compile.plan import CompilePlan, plan_compilation
from edgecvar.errors import CompileError
from edgecvar.predict.fitted import EngineModel
from edgecvar.predict.timing import PRIOR
from tests.moving_clip import moving_clip

Configure = Callable[..., Any]


def read(plan: CompilePlan) -> Int8Data:
    assert plan.int8 is not None
    return read_int8_data(plan.int8, plan.subject)


@pytest.fixture(scope="module")
def int8(configure: Configure, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    target = tmp_path_factory.mktemp("int8") / "tiny.edgecvar"
    config = configure(
        {"fusion": "mv"}, data=folder, precision={"int8"}, max_drop=None, search_samples=6, output=target
    )
    return compile_bundle(plan_compilation(config))


def test_what_calibrates_does_not_judge(configure: Configure, folder: Path) -> None:
    data = read(plan_compilation(configure(data=folder, precision=None, search_samples=5)))
    assert data.name == str(folder)
    assert data.clips == [folder / "0.mp4", folder / "3.mp4"]
    assert len(data.search) == 5


def test_a_clip_without_a_sample_is_not_named_among_those_that_calibrate(
    configure: Configure, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "clips")
    moving_clip(tmp_path / "clips" / "3.mp4", pictures=1)
    data = read(plan_compilation(configure(data=tmp_path / "clips", precision=None)))
    assert [clip.name for clip in data.clips] == ["0.mp4"]


def test_a_clip_that_cannot_be_read_is_named(configure: Configure, folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "clips"
    shutil.copytree(folder, broken)
    (broken / "2.mp4").write_bytes(b"not a video")
    plan = plan_compilation(configure(data=broken, precision=None))
    with pytest.raises(CompileError, match=r"int8 cannot be calibrated: .*2\.mp4"):
        read(plan)


def test_the_manifest_says_how_int8_was_made(int8: Any, folder: Path, configure: Configure) -> None:
    record = open_bundle(int8.bundle.path).manifest.int8
    assert record == int8.bundle.manifest.int8 and record is not None
    assert (record.data, record.clips) == (str(folder), ["0.mp4", "3.mp4"])
    assert (record.max_drop, record.searched, record.kept) == (None, 6, [])
    assert sorted(method for method, _ in record.losses) == ["entropy", "minmax", "percentile"]
    assert dict(record.losses)[record.method] == min(loss for _, loss in record.losses)
    data = read(plan_compilation(configure({"fusion": "mv"}, data=folder, precision=None, search_samples=6)))
    assert record.inputs_sha256 == hash_samples([*data.calibration, *data.search])
    assert int8.bundle.precisions == ["fp32", "int8"]
    assert int8.left_out is None


def test_the_same_data_give_the_same_stages(int8: Any, configure: Configure, folder: Path, tmp_path: Path) -> None:
    config = configure(
        {"fusion": "mv"},
        data=folder,
        precision={"int8"},
        max_drop=None,
        search_samples=6,
        output=tmp_path / "again.edgecvar",
    )
    again = compile_bundle(plan_compilation(config))
    assert again.bundle.manifest.sha256 == int8.bundle.manifest.sha256


def test_other_inputs_hash_otherwise(configure: Configure, folder: Path) -> None:
    data = read(plan_compilation(configure(data=folder, precision=None, search_samples=4)))
    before = hash_samples(data.search)
    sample = data.search[0]
    changed = {**sample.inputs, "motion": np.asarray(sample.inputs["motion"]) + np.float32(1)}
    other = [dataclasses.replace(sample, inputs=changed), *data.search[1:]]
    assert hash_samples(other) != before


def test_the_manifest_says_for_which_device_the_layers_were_chosen(
    configure: Configure, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predictor's coefficients are those believed before anything is measured."""
    model = EngineModel({name: believed for name, (believed, _) in PRIOR.items()}, (0.8, 1.2), 1, 0.2)
    monkeypatch.setattr("edgecvar.compile.bundle.fitted_model", lambda: model)
    monkeypatch.setattr("edgecvar.compile.bundle.corrected", lambda model, device: (model, []))
    config = configure(
        {"fusion": "mv"},
        data=folder,
        precision={"int8"},
        max_drop=None,
        search_samples=6,
        fastest_on="orin-nano",
        output=tmp_path / "timed.edgecvar",
    )
    compiled = compile_bundle(plan_compilation(config))
    timed = open_bundle(tmp_path / "timed.edgecvar").manifest.int8.timed  # type: ignore[union-attr]
    assert timed is not None and timed.device == "orin-nano"
    assert 0 < timed.ms <= min(timed.int8_ms, timed.fp16_ms)
    stages = [layer.stage for layer in timed.unpaid]
    assert set(stages) <= {stage.name for stage in compiled.bundle.manifest.stages}
    assert as_document(compiled)["int8"]["timed"]["device"] == "orin-nano"

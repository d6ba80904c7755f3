"""Which precisions a bundle gets, and what its manifest says of int8."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from edgecvar.bundle.manifest import open_bundle
from edgecvar.compile.bundle import choose_precisions, compile_bundle, hash_samples
from edgecvar.compile.int8.data import halves, read_int8_data, why_no_int8
from edgecvar.compile.subject import Subject, find_subject
from edgecvar.errors import CompileError, ConfigError

Configure = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clip: Path, other: Path) -> Path:
    """Four clips, two different ones under two names each, so that either half has both."""
    root = tmp_path_factory.mktemp("clips")
    for place, source in enumerate((clip, clip, other, other)):
        shutil.copy(source, root / f"{place}.mp4")
    return root


@pytest.fixture(scope="module")
def int8(configure: Configure, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    target = tmp_path_factory.mktemp("int8") / "tiny.edgecvar"
    config = configure(
        {"fusion": "mv"}, data=folder, precision={"int8"}, max_drop=None, search_samples=6, output=target
    )
    return compile_bundle(config)


def subject(config: Any) -> Subject:
    return find_subject(config)


def test_everything_is_the_default_where_clips_can_calibrate(configure: Configure, folder: Path, clip: Path) -> None:
    config = configure(data=folder, precision=None)
    assert choose_precisions(config, subject(config)) == (["fp32", "fp16", "int8"], None)
    config = configure(data=clip, precision=None)
    precisions, reason = choose_precisions(config, subject(config))
    assert precisions == ["fp32", "fp16"]
    assert reason is not None and "one clip" in reason


def test_a_device_gets_what_it_has(configure: Configure, folder: Path) -> None:
    config = configure(data=folder, precision=None, device="tx2")
    assert choose_precisions(config, subject(config)) == (["fp32", "fp16"], None)
    config = configure(data=folder, precision={"int8"}, device="agx-orin")
    assert choose_precisions(config, subject(config)) == (["fp32", "int8"], None)
    config = configure(data=folder, precision={"int8"}, device="tx2")
    with pytest.raises(ConfigError, match=r"no INT8 path.*use --precision fp16"):
        choose_precisions(config, subject(config))


def test_there_is_no_random_calibration(configure: Configure) -> None:
    config = configure(data=None, precision={"int8"})
    assert why_no_int8(config, subject(config)) is not None
    with pytest.raises(ConfigError, match="name a folder with --data"):
        read_int8_data(config, subject(config))


def test_what_calibrates_does_not_judge(configure: Configure, folder: Path) -> None:
    config = configure(data=folder, search_samples=5)
    data = read_int8_data(config, subject(config))
    assert data.name == str(folder)
    assert data.clips == [folder / "0.mp4", folder / "3.mp4"]
    assert len(data.search) == 5


def test_either_half_has_every_kind_of_clip() -> None:
    for period in (2, 4):
        clips = [Path(f"{place:02d}-{place % period}.mp4") for place in range(64)]
        first, second = halves(clips)
        assert sorted(first + second) == clips and len(first) == len(second) == 32
        for half in (first, second):
            assert [sum(clip.stem.endswith(f"-{kind}") for clip in half) for kind in range(period)] == [
                32 // period
            ] * period
    assert all(len(half) == 1 for half in halves(clips[:2]))


def test_a_clip_that_cannot_be_read_is_named(configure: Configure, folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "clips"
    shutil.copytree(folder, broken)
    (broken / "2.mp4").write_bytes(b"not a video")
    config = configure(data=broken)
    with pytest.raises(CompileError, match=r"int8 cannot be calibrated: .*2\.mp4"):
        read_int8_data(config, subject(config))


def test_the_manifest_says_how_int8_was_made(int8: Any, folder: Path, configure: Configure) -> None:
    record = open_bundle(int8.bundle.path).manifest.int8
    assert record == int8.bundle.manifest.int8 and record is not None
    assert (record.data, record.clips) == (str(folder), ["0.mp4", "3.mp4"])
    assert (record.max_drop, record.searched, record.kept) == (None, 6, [])
    assert sorted(method for method, _ in record.losses) == ["entropy", "minmax", "percentile"]
    assert dict(record.losses)[record.method] == min(loss for _, loss in record.losses)
    config = configure({"fusion": "mv"}, data=folder, search_samples=6)
    data = read_int8_data(config, subject(config))
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
    again = compile_bundle(config)
    assert again.bundle.manifest.sha256 == int8.bundle.manifest.sha256


def test_other_inputs_hash_otherwise(configure: Configure, folder: Path) -> None:
    config = configure(data=folder, search_samples=4)
    data = read_int8_data(config, subject(config))
    before = hash_samples(data.search)
    sample, neighbour = data.search[0]
    changed = {**sample.inputs, "motion": np.asarray(sample.inputs["motion"]) + np.float32(1)}
    other = [(dataclasses.replace(sample, inputs=changed), neighbour), *data.search[1:]]
    assert hash_samples(other) != before

"""What a compilation comes to: its precisions, and why int8 is not among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.compile.plan import plan_compilation
from edgecvar.errors import ConfigError

Configure = Callable[..., Any]


def test_everything_is_the_default_where_clips_can_calibrate(configure: Configure, folder: Path, clip: Path) -> None:
    plan = plan_compilation(configure(data=folder, precision=None))
    assert (plan.precisions, plan.left_out) == (["fp32", "fp16", "int8"], None)
    plan = plan_compilation(configure(data=clip, precision=None))
    assert plan.precisions == ["fp32", "fp16"] and plan.int8 is None
    assert plan.left_out is not None and "one clip" in plan.left_out


def test_a_device_gets_what_it_has(configure: Configure, folder: Path) -> None:
    plan = plan_compilation(configure(data=folder, precision=None, device="tx2"))
    assert (plan.precisions, plan.left_out) == (["fp32", "fp16"], None)
    plan = plan_compilation(configure(data=folder, precision={"int8"}, device="agx-orin"))
    assert (plan.precisions, plan.left_out) == (["fp32", "int8"], None)
    with pytest.raises(ConfigError, match=r"no INT8 path.*use --precision fp16"):
        plan_compilation(configure(data=folder, precision={"int8"}, device="tx2"))


def test_there_is_no_random_calibration(configure: Configure) -> None:
    assert plan_compilation(configure(data=None, precision=None)).left_out is not None
    with pytest.raises(ConfigError, match="name a folder with --data"):
        plan_compilation(configure(data=None, precision={"int8"}))


def test_a_folder_of_one_clip_checks_and_cannot_calibrate(configure: Configure, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "only.mp4").write_bytes(clip.read_bytes())
    plan = plan_compilation(configure(data=tmp_path, precision=None))
    assert plan.clips == [tmp_path / "only.mp4"] and plan.precisions == ["fp32", "fp16"]
    assert "holds one clip" in str(plan.left_out)
    with pytest.raises(ConfigError, match="holds one clip, and some calibrate while others judge"):
        plan_compilation(configure(data=tmp_path, precision={"int8"}))


def test_layers_that_fp16_keeps_in_fp32_are_sorted_by_stage(configure: Configure, clip: Path) -> None:
    named = {"fuse:Mul", "motion:head.0", "motion:head:1"}
    plan = plan_compilation(configure(data=clip, keep_fp32=named))
    assert plan.keep_fp32 == {"fuse": {"Mul"}, "motion": {"head.0", "head:1"}}
    with pytest.raises(ConfigError, match="unknown stage 'mution' in --keep-fp32: did you mean 'motion'"):
        plan_compilation(configure(data=clip, keep_fp32={"mution:a"}))
    for wrong in ("motion", "motion:"):
        with pytest.raises(ConfigError, match=f"--keep-fp32 '{wrong}': expected STAGE:LAYER"):
            plan_compilation(configure(data=clip, keep_fp32={wrong}))
    with pytest.raises(ConfigError, match="--keep-fp32: for fp16 stages, and none are made here"):
        plan_compilation(configure(data=clip, precision={"fp32"}, keep_fp32=named))


def test_a_device_whose_time_is_weighed_must_have_int8_and_a_data_sheet(
    configure: Configure, folder: Path, clip: Path
) -> None:
    plan = plan_compilation(configure(data=folder, precision=None, fastest_on="orin-nano"))
    assert plan.int8 is not None and plan.int8.fastest_on is DEVICES["orin-nano"]
    assert plan_compilation(configure(data=folder, precision=None)).int8.fastest_on is None  # type: ignore[union-attr]
    for name, wrong in (
        ("tx2", "--for tx2: Jetson TX2 has no INT8 path in TensorRT, so it runs fp16; leave --for out"),
        ("dgpu", "--for dgpu: .* no data sheet"),
        ("orin-nona", "unknown device 'orin-nona': did you mean 'orin-nano'"),
    ):
        with pytest.raises(ConfigError, match=wrong):
            plan_compilation(configure(data=folder, precision=None, fastest_on=name))
    with pytest.raises(ConfigError, match=r"--for thor: .* no int8 is made here; leave it out"):
        plan_compilation(configure(data=folder, fastest_on="thor"))
    with pytest.raises(ConfigError, match=r"no int8 is made here \(.*one clip.*\); leave it out"):
        plan_compilation(configure(data=clip, precision=None, fastest_on="thor"))

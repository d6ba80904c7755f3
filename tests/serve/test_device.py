"""Temperature and power as the kernel of a Jetson, or of none, tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

from edgecvar.serve.device import power_watts, temperature_celsius


def sysfs(folder: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_where_nothing_is_told_nothing_is_said(tmp_path: Path) -> None:
    assert temperature_celsius(tmp_path) is None and power_watts(tmp_path) is None


def test_the_hottest_zone_that_can_be_true(tmp_path: Path) -> None:
    zones = {"0": "41500\n", "1": "52250\n", "2": "-256000\n", "3": "oops"}
    sys = sysfs(tmp_path, {f"class/thermal/thermal_zone{zone}/temp": text for zone, text in zones.items()})
    assert temperature_celsius(sys) == 52.2


def test_the_input_rail_of_an_orin(tmp_path: Path) -> None:
    chip = "class/hwmon/hwmon1"
    rails = {"1": ("VDD_IN", "5016", "1200"), "2": ("VDD_CPU_GPU_CV", "5000", "400"), "7": ("Sum of shunt", "", "")}
    files = {}
    for index, (name, volt, ampere) in rails.items():
        files.update({f"{chip}/in{index}_label": name, f"{chip}/in{index}_input": volt})
        files[f"{chip}/curr{index}_input"] = ampere
    assert power_watts(sysfs(tmp_path, files)) == 6.02


def test_the_rails_of_jetpack_4(tmp_path: Path) -> None:
    chip = "bus/iio/devices/iio:device0"
    files = {f"{chip}/rail_name_0": "POM_5V_GPU", f"{chip}/in_power0_input": "1500"}
    assert power_watts(sysfs(tmp_path / "rails", files)) == 1.5
    files.update({f"{chip}/rail_name_1": "POM_5V_IN", f"{chip}/in_power1_input": "4100"})
    assert power_watts(sysfs(tmp_path / "whole", files)) == 4.1

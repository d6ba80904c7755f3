"""What the machine says of itself: temperature, power."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Optional, Tuple

SYS = Path("/sys")
MOST_FILES = 64


def temperature_celsius(sys: Path = SYS) -> Optional[float]:
    """Of the hottest thermal zone; None where the kernel tells of none."""
    zones = sorted((sys / "class" / "thermal").glob("thermal_zone*/temp"))[:MOST_FILES]
    values = [value / 1000 for value in map(_number, zones) if value is not None]
    sound = [value for value in values if -40 < value < 150]  # a sensor that is off says less, or more
    return round(max(sound), 1) if sound else None


def power_watts(sys: Path = SYS) -> Optional[float]:
    """Of the whole board, as its INA3221 measures it (V x A of the input's rail); None where there is none.

    By `hwmon` on JetPack 5 and later (millivolts, milliamperes), by `iio` on JetPack 4 (milliwatts).
    """
    rails: Dict[str, float] = {}
    for label in sorted((sys / "class" / "hwmon").glob("hwmon*/in*_label"))[:MOST_FILES]:
        index = label.name[len("in") : -len("_label")]
        name = _text(label)
        volt, ampere = _number(label.with_name(f"in{index}_input")), _number(label.with_name(f"curr{index}_input"))
        if name and volt is not None and ampere is not None:
            rails[name] = volt * ampere / 1e6
    for label in sorted((sys / "bus" / "iio" / "devices").glob("iio:device*/rail_name_*"))[:MOST_FILES]:
        index = label.name.rpartition("_")[2]
        milliwatts, name = _number(label.with_name(f"in_power{index}_input")), _text(label)
        if name and milliwatts is not None:
            rails[name] = milliwatts / 1000
    return _whole(list(rails.items()))


def _whole(rails: List[Tuple[str, float]]) -> Optional[float]:
    """The input's rail (VDD_IN, POM_5V_IN, VIN_SYS_5V0); where a board has none, all that are measured."""
    if not rails:
        return None
    inputs = [watts for name, watts in rails if name.startswith(("VDD_IN", "POM_5V_IN", "VIN", "SYS5V", "VDD_TOTAL"))]
    return round(max(inputs) if inputs else sum(watts for _, watts in rails), 2)


def _text(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="utf-8").strip()
    return ""


def _number(file: Path) -> Optional[float]:
    with suppress(ValueError):
        return float(_text(file))
    return None

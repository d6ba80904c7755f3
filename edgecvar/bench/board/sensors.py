"""Temperatures and watts of a board, by the names that it has for them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

from edgecvar.bench.board.files import entries, number_of, text_of
from edgecvar.terminal import printable

THERMAL = Path("sys/class/thermal")
HWMON = Path("sys/class/hwmon")
IIO = Path("sys/bus/iio/devices")
MOST_WATTS = 10_000
"""Of a rail: what is beyond was misread."""
MONITORS = ("ina3221", "ina3221x", "ina238")
WHOLE = ("VDD_IN", "POM_5V_IN", "VIN")
"""Rails that feed all others: Orin NX and Nano, Xavier NX, TX2; Nano; Thor."""
SUMS: Tuple[Tuple[str, ...], ...] = (
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),  # AGX Orin
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),  # AGX Xavier
)
"""Rails that together feed a module which has no sensor of its input."""


def celsius(root: Path) -> Dict[str, float]:
    """By thermal zone; PMIC-Die is left out, which stands at 50 or 100 whatever happens."""
    degrees: Dict[str, float] = {}
    for zone in entries(root / THERMAL, "thermal_zone*"):
        name, value = text_of(zone / "type"), number_of(zone / "temp")
        if name is not None and value is not None and not name.startswith("PMIC") and -50_000 < value < 250_000:
            degrees[printable(name)[:40]] = round(value / 1e3, 3)
    return degrees


def watts(root: Path) -> Dict[str, float]:
    """By rail: of the INA3221 (and 238) under hwmon, or, on JetPack 4, under iio."""
    rails: Dict[str, float] = {}
    for monitor in entries(root / HWMON, "hwmon*"):
        if text_of(monitor / "name") in MONITORS:
            rails.update(_hwmon_rails(monitor))
    for monitor in entries(root / IIO, "iio:device*"):
        for channel in range(3):
            name = text_of(monitor / f"rail_name_{channel}")
            milliwatts = number_of(monitor / f"in_power{channel}_input")
            if name is not None and milliwatts is not None and abs(milliwatts) <= 1e3 * MOST_WATTS:
                rails[printable(name)[:40]] = round(milliwatts / 1e3, 3)
    return rails


def whole_watts(rails: Mapping[str, float]) -> Optional[float]:
    """What the module takes in; None where its rails do not tell."""
    for name in WHOLE:
        if name in rails:
            return rails[name]
    for names in SUMS:
        if all(name in rails for name in names):
            return sum(rails[name] for name in names)
    return None


def _hwmon_rails(monitor: Path) -> Dict[str, float]:
    rails: Dict[str, float] = {}
    for channel in range(1, 4):  # behind them come shunt voltages, and their sum
        name = text_of(monitor / f"in{channel}_label")
        millivolts, milliamperes = (number_of(monitor / f"{what}{channel}_input") for what in ("in", "curr"))
        if name in (None, "NC") or millivolts is None or milliamperes is None:
            continue
        if abs(millivolts * milliamperes) <= 1e6 * MOST_WATTS:
            rails[printable(str(name))[:40]] = round(millivolts * milliamperes / 1e6, 3)
    return rails

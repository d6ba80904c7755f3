"""Clocks of a board, with whether they are held: CPU, GPU and memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from edgecvar.bench.board.files import entries, number_of

CPU = Path("sys/devices/system/cpu")
DEVFREQ = Path("sys/class/devfreq")
GPU = re.compile(r"gp10b|gv11b|ga10b|\.gpu$|^gpu")
"""By chip up to JetPack 5 (57000000.gpu, 17000000.gp10b, ..gv11b, ..ga10b), then 17000000.gpu, and gpu-gpc-0 on 7."""
EMC = ("sys/kernel/debug/bpmp/debug/clk/emc/rate", "sys/kernel/debug/clk/emc/clk_rate")
"""For root alone; on JetPack 7 a device of its own, bwmgr, tells it to everybody."""

MOST = 100_000
"""MHz, and times a whole load: what is beyond was misread."""


def clocks_mhz(root: Path) -> Dict[str, float]:
    """By name, such as "cpu0", "gpu" and "emc"; what is missing is left out."""
    clocks: Dict[str, float] = {}
    for cpu in entries(root / CPU, "cpu[0-9]*"):
        _put(clocks, cpu.name, number_of(cpu / "cpufreq" / "scaling_cur_freq"), 1e3)
    for name, folder in _gpus(root):
        _put(clocks, name, number_of(folder / "cur_freq"), 1e6)
    memory = [number_of(root / DEVFREQ / "bwmgr" / "cur_freq"), *(number_of(root / file) for file in EMC)]
    _put(clocks, "emc", next((rate for rate in memory if rate is not None), None), 1e6)
    return clocks


def clocks_locked(root: Path) -> Optional[bool]:
    """Whether CPU and GPU may run at one rate each and no other, as `jetson_clocks` has it; None where none is told."""
    limits: List[Tuple[float, float]] = []
    folders = [(each / "cpufreq", "scaling_") for each in entries(root / CPU, "cpu[0-9]*")]
    folders += [(each, "") for _, each in _gpus(root)]
    for folder, prefix in folders:
        least, most = number_of(folder / f"{prefix}min_freq"), number_of(folder / f"{prefix}max_freq")
        if least is not None and most is not None:
            limits.append((least, most))
    return all(least == most for least, most in limits) if limits else None


def gpu_load(root: Path) -> Dict[str, float]:
    """The share of time in which the GPU worked, of 1, by the driver's own count in thousandths."""
    load: Dict[str, float] = {}
    for name, folder in _gpus(root):
        _put(load, name, number_of(folder / "device" / "load"), 1e3)
    return load


def stood_still(before: Dict[str, float], after: Dict[str, float]) -> bool:
    """Whether no clock differs by more than 2 %: some are counted by the kernel, and never twice the same."""
    return before.keys() == after.keys() and all(
        abs(rate - before[name]) <= 0.02 * max(rate, before[name]) for name, rate in after.items()
    )


def _gpus(root: Path) -> List[Tuple[str, Path]]:
    """The GPU's clocks: one, "gpu", or several by their own names."""
    found = [folder for folder in entries(root / DEVFREQ, "*") if GPU.search(folder.name)]
    return [("gpu" if len(found) == 1 else folder.name, folder) for folder in found]


def _put(values: Dict[str, float], name: str, value: Optional[float], unit: float) -> None:
    if value is not None and 0 <= value <= MOST * unit:
        values[name] = round(value / unit, 3)

"""What a board's readings come to: joules a decision, and what to change before measuring again (pure)."""

from __future__ import annotations

from statistics import fmean
from typing import List, Optional, Sequence

from edgecvar.bench.board.sensors import whole_watts
from edgecvar.bench.observed import Reading

LEAST_SECONDS = 30.0
"""Of load, below which watts are those of a board that still warms up."""


def mean_watts(readings: Sequence[Reading]) -> Optional[float]:
    """Of the whole module over readings; None where no sensor tells it."""
    told = [value for value in (whole_watts(reading.watts) for reading in readings) if value is not None]
    return fmean(told) if told else None


def joules_per_decision(
    idle: Sequence[Reading], loaded: Sequence[Reading], decisions: int, seconds: float
) -> Optional[float]:
    """(Loaded - idle watts) over decisions a second; None below 30 s of load or without a sensor."""
    before, meanwhile = mean_watts(idle), mean_watts(loaded)
    if before is None or meanwhile is None or seconds < LEAST_SECONDS or not decisions:
        return None
    return max(0.0, meanwhile - before) * seconds / decisions


def board_advice(mode: str, locked: Optional[bool], throttled: str, unsettled: bool = False) -> List[str]:
    """What makes figures comparable and the board fast, a sentence each."""
    said: List[str] = []
    if mode and not mode.startswith("MAXN"):
        said.append(
            f"the power mode is {mode}, which limits clocks and cores: for the fastest take MAXN "
            "(`sudo nvpmodel -p --verbose` lists the modes, `sudo nvpmodel -m NUMBER` sets one)"
        )
    if locked is False:
        said.append("clocks follow the load, so that figures differ from run to run: `sudo jetson_clocks` locks them")
    if unsettled:
        said.append("the clocks did not settle in the warm-up: other programs run, or heat slows the board down")
    if throttled:
        cause = "cool it, or set the fan to full (`sudo jetson_clocks --fan`)"
        remedy = cause if "heat" in throttled else "give it a stronger supply, or a lower power mode"
        said.append(f"it was {throttled}: figures are those of a slower board; {remedy}")
    return said

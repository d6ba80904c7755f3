"""Signs that a board slowed itself down: by heat, or by what its supply gave."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Set

from edgecvar.bench.board.files import entries, number_of, text_of
from edgecvar.bench.board.sensors import HWMON, THERMAL
from edgecvar.terminal import printable

HARMLESS = re.compile(r"fan|hot-surface|shutdown|reset", re.IGNORECASE)
"""Cooling devices that slow nothing down: the fan above all."""
EVENTS = {"oc1": "too low a voltage", "oc2": "too high a current on average", "oc3": "too high a current at once"}
"""What the counters of soctherm_oc mean on Orin and Thor, by NVIDIA's guide."""


def slowed_by_heat(root: Path) -> Set[str]:
    """The cooling devices that are at work now."""
    found = set()
    for device in entries(root / THERMAL, "cooling_device*"):
        name, state = text_of(device / "type"), number_of(device / "cur_state")
        if name is not None and state and not HARMLESS.search(name):
            found.add(printable(name)[:40])
    return found


def supply_events(root: Path) -> Dict[str, int]:
    """How often, since the board started, its supply was not what it should be, by counter."""
    counts: Dict[str, int] = {}
    for monitor in entries(root / HWMON, "hwmon*"):
        for file in entries(monitor, "oc[0-9]_event_cnt"):
            count = number_of(file)
            if count is not None:
                counts[file.name.split("_")[0]] = int(count)
    return counts


def throttling(heat: Set[str], before: Dict[str, int], after: Dict[str, int]) -> str:
    """A sentence of what slowed the board down while it was measured; empty where nothing did."""
    causes: List[str] = []
    if heat:
        causes.append(f"heat ({', '.join(sorted(heat))})")
    for name, count in sorted(after.items()):
        more = count - before.get(name, count)
        if more > 0:
            causes.append(f"{EVENTS.get(name, name)} ({more} times)")
    return f"slowed down while it was measured by {' and by '.join(causes)}" if causes else ""

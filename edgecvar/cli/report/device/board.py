"""A board's readings in lines."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from edgecvar.bench.board.advice import mean_watts
from edgecvar.bench.board.clocks import clocks_locked, clocks_mhz
from edgecvar.bench.observed import Board, Reading
from edgecvar.bundle.devices import l4t_release


def board_facts(board: Board) -> Dict[str, str]:
    """By name what a board said, in words; nothing in it tells whose it is."""
    facts: Dict[str, str] = {}
    last = board.loaded[-1:] or board.idle[-1:]
    if last:
        facts["clocks"] = _clocks(last[0].clocks_mhz) + _held(board.clocks_locked)
    if board.settled_seconds is not None:
        facts["clocks settled"] = f"after {board.settled_seconds:.1f} s of warm-up"
    idle, loaded = mean_watts(board.idle), mean_watts(board.loaded)
    if idle is not None and loaded is not None:
        facts["watts"] = f"{idle:.2f} idle, {loaded:.2f} loaded"
    rails = _mean(board.loaded, lambda reading: reading.watts)
    if rails:
        facts["rails"] = ", ".join(f"{name} {value:.2f} W" for name, value in rails.items())
    if board.joules_per_decision is not None:
        facts["energy"] = f"{board.joules_per_decision:.3f} J a decision above idle"
    hottest = _hottest([*board.idle, *board.loaded])
    if hottest:
        facts["hottest"] = hottest
    load = _mean(board.loaded, lambda reading: reading.load)
    if load:
        facts["load"] = ", ".join(f"{name} {value:.0%}" for name, value in load.items())
    facts["throttled"] = board.throttled or "no sign of it"
    return facts


def clock_facts(root: Path = Path("/")) -> Dict[str, str]:
    """The clocks of this Jetson as they are now, and whether they are held; nothing elsewhere."""
    clocks = clocks_mhz(root) if l4t_release() is not None else {}
    return {"clocks": _clocks(clocks) + _held(clocks_locked(root))} if clocks else {}


def board_lines(board: Board) -> List[str]:
    """The facts, then what to change before measuring again."""
    mode = f"power mode {board.power_mode}; " if board.power_mode else ""
    facts = "; ".join(f"{name}: {said}" for name, said in board_facts(board).items())
    return [f"board: {mode}{facts}", *(f"advice: {each}" for each in board.advice)]


def _clocks(clocks: Mapping[str, float]) -> str:
    """Each clock but the CPUs', which are told as a span."""
    cpus = [rate for name, rate in clocks.items() if name.startswith("cpu")]
    said = [f"{name} {rate:.0f} MHz" for name, rate in clocks.items() if not name.startswith("cpu")]
    if cpus:
        span = f"{min(cpus):.0f}" if min(cpus) == max(cpus) else f"{min(cpus):.0f} to {max(cpus):.0f}"
        said.append(f"{len(cpus)} CPUs {span} MHz")
    return ", ".join(said) or "unknown"


def _held(locked: Optional[bool]) -> str:
    return "" if locked is None else " (locked)" if locked else " (not locked)"


def _mean(readings: Sequence[Reading], of: Callable[[Reading], Mapping[str, float]]) -> Dict[str, float]:
    names = dict.fromkeys(name for reading in readings for name in of(reading))
    values = {name: [of(reading)[name] for reading in readings if name in of(reading)] for name in names}
    return {name: sum(each) / len(each) for name, each in values.items()}


def _hottest(readings: Sequence[Reading]) -> str:
    seen = [(degrees, name) for reading in readings for name, degrees in reading.celsius.items()]
    return f"{max(seen)[1]} {max(seen)[0]:.1f} degrees Celsius" if seen else ""

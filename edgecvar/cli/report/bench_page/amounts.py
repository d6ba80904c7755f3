"""Figures as the page of a measurement writes them."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from pydantic import BaseModel

from edgecvar.bench.session import LEAST
from edgecvar.errors import ConfigError
from edgecvar.predict.prediction import Interval

SMALLEST, MOST = 1e-30, 1e15
"""Of any figure that is drawn, beside 0: quotients of such are numbers."""


def figure(value: float) -> str:
    """Three figures, and none behind the point from a hundred on."""
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{decimals}f}"


def span(interval: Interval) -> str:
    """From the lower bound to the upper one."""
    return f"{figure(interval.low)} to {figure(interval.high)}"


def low_likely_high(interval: Interval) -> str:
    """The bounds with the likely figure between them."""
    return f"{figure(interval.low)} / {figure(interval.likely)} / {figure(interval.high)}"


def deviation(predicted: float, measured: float) -> str:
    """How far what was predicted is off, as a part of what was measured."""
    return f"{round(100 * (predicted / measured - 1)):+d}%" if measured > LEAST else "-"


def check_figures(*documents: Optional[BaseModel]) -> None:
    """Raise ConfigError where one holds a number that no drawing has room for."""
    for document in documents:
        for value in _numbers(None if document is None else document.model_dump()):
            if value and not SMALLEST <= abs(value) <= MOST:
                raise ConfigError(
                    f"a report cannot be drawn of {float_text(value)}: expected 0, or {SMALLEST:g} to {MOST:g}"
                )


def float_text(value: float) -> str:
    """A number that may be too large for a float."""
    return f"{value:g}" if isinstance(value, float) else f"a number of {len(str(value))} figures"


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, (int, float)):
        yield value

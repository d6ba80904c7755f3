"""The model fitted on the published measurements, and judged on those of a network or a device that it had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from edgecvar.bundle.devices import find_device
from edgecvar.predict.fitting import Prior, Samples, fit
from edgecvar.predict.hardware import gpu_of
from edgecvar.predict.published.catalog import network
from edgecvar.predict.published.measured import Measured
from edgecvar.predict.timing import PRIOR, Costs

PYTHON_US = "python_us"
"""Microseconds of a call from Python, a coefficient of measurements that were made so."""
WITH_CALLERS: Prior = {**PRIOR, PYTHON_US: (500.0, 0.7)}
TARGET = "attp"
"""What is predicted before it is looked at: no bound is made of it."""
TENTHS = (0.1, 0.9)
"""Between which the bounds of a prediction hold four of five."""


@dataclass(frozen=True)
class Judged:
    """One published figure: milliseconds by the fit on all, and by those without its network, or without its device."""

    row: Measured
    fitted_ms: float
    without_network_ms: float
    without_device_ms: float

    @property
    def error(self) -> float:
        """Of the prediction that had not seen the network, over the measured time."""
        return self.without_network_ms / self.row.milliseconds - 1

    @property
    def device_error(self) -> float:
        return self.without_device_ms / self.row.milliseconds - 1


@dataclass(frozen=True)
class Judgement:
    """All rows, the coefficients of the fit on all, and the errors of those that were fitted on in turn.

    `spread`: measured over predicted, the tenth and the ninetieth percentile, of networks and of devices left out;
    `unseen`: of devices alone. `depthwise`: the factor, either way, within which four of five lie of networks of
    depthwise convolutions on GPUs without tensor cores, those that are only judged among them, the target not.
    """

    rows: List[Judged]
    coefficients: Dict[str, float]
    spread: Tuple[float, float]
    unseen: Tuple[float, float]
    depthwise: float

    @property
    def fitted_on(self) -> int:
        return sum(each.row.fit for each in self.rows)

    @property
    def median_error(self) -> float:
        """Of networks left out, over all rows that are fitted on in turn."""
        return median(abs(each.error) for each in self.rows if each.row.fit)

    @property
    def median_of_networks(self) -> float:
        """The same, each network counted once by its own median."""
        errors: Dict[str, List[float]] = {}
        for each in self.rows:
            if each.row.fit:
                errors.setdefault(network_of(each.row), []).append(abs(each.error))
        return median(median(those) for those in errors.values())

    @property
    def median_device_error(self) -> float:
        """Of devices left out."""
        return median(abs(each.device_error) for each in self.rows if each.row.fit)


def network_of(row: Measured) -> str:
    """What is left out together: a network in all sizes and precisions, on all devices, by whoever drew it."""
    return row.network.split("_slim")[0]


def judge(rows: Sequence[Measured]) -> Judgement:
    """Fit on all, and without each network and each device in turn: some seconds."""
    fits = _Fits(rows)
    found = fits.coefficients(fits.fitted)
    everything = np.ones(len(rows), bool)
    networks = fits.left_out([network_of(row) for row in rows], found)
    devices = fits.left_out([row.device for row in rows], found)
    ratios = [(fits.measured / left_out)[fits.fitted] for left_out in (networks, devices)]
    low, high = np.quantile(np.concatenate(ratios), TENTHS)
    unseen_low, unseen_high = np.quantile(ratios[1], TENTHS)
    hard = np.array([_of_depthwise(row) for row in rows])
    depthwise = float(np.exp(np.quantile(np.abs(np.log(fits.measured / networks))[hard], TENTHS[1] - TENTHS[0])))
    columns = fits.model(everything)(found).tolist(), networks.tolist(), devices.tolist()
    return Judgement(
        rows=[Judged(*each) for each in zip(rows, *columns)],
        coefficients=found,
        spread=(float(low), float(high)),
        unseen=(float(unseen_low), float(unseen_high)),
        depthwise=depthwise,
    )


def _of_depthwise(row: Measured) -> bool:
    """Whether a row says how far depthwise convolutions are from what is predicted of them without tensor cores."""
    if row.network == TARGET or gpu_of(find_device(row.device)).on_tensor_cores("fp16"):
        return False
    return any(layer.kind == "depthwise" for layer in network(row.network, row.precision, row.input))


def coefficients_of(rows: Sequence[Measured]) -> Dict[str, float]:
    """The fit on all rows that are to be fitted on, without judging it."""
    fits = _Fits(rows)
    return fits.coefficients(fits.fitted)


class _Fits:
    """Fits on some of the rows, and what they predict of others."""

    def __init__(self, rows: Sequence[Measured]) -> None:
        self._calls = [_call(row) for row in rows]
        self._python = np.array([float(row.source.caller == "python") for row in rows])
        self._weights = _weights(rows)
        self.measured = np.array([row.milliseconds for row in rows])
        self.fitted = np.array([row.fit for row in rows])

    def model(self, chosen: NDArray[np.bool_]) -> Callable[[Mapping[str, float]], NDArray[np.float64]]:
        """Milliseconds of the chosen rows by coefficients."""
        costs = Costs.joined([call for call, wanted in zip(self._calls, chosen) if wanted])
        python = self._python[chosen]
        return lambda found: costs.call_ms(found) + python * found[PYTHON_US] / 1e3

    def coefficients(self, chosen: NDArray[np.bool_], start: Optional[Mapping[str, float]] = None) -> Dict[str, float]:
        """What explains the chosen rows best."""
        samples = Samples(self.model(chosen), self.measured[chosen], self._weights[chosen])
        return fit(samples, WITH_CALLERS, start)

    def left_out(self, keys: Sequence[str], found: Mapping[str, float]) -> NDArray[np.float64]:
        """Milliseconds of every row by a fit on those of other keys."""
        predicted = np.empty(len(keys))
        for key in sorted(set(keys)):
            inside = np.array([each == key for each in keys])
            predicted[inside] = self.model(inside)(self.coefficients(self.fitted & ~inside, found))
        return predicted


def _call(row: Measured) -> Costs:
    gpu = gpu_of(find_device(row.device)).scaled(row.peak_scale, row.bandwidth_scale)
    return Costs.of(network(row.network, row.precision, row.input), gpu, row.batch, graph=row.source.caller == "graph")


def _weights(rows: Sequence[Measured]) -> NDArray[np.float64]:
    """A network that a device has many rows of counts as much as the root of their number."""
    keys = [(row.device, network_of(row)) for row in rows]
    return np.array([keys.count(key) ** -0.5 for key in keys])

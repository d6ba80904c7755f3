"""The model as it was fitted: its coefficients, how far it was from figures that it had not seen, what corrected it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, Mapping, Tuple

from edgecvar.files import whole_file
from edgecvar.predict.prediction import Interval

UNSEEN = ("thor",)
"""Devices that no published figure is of."""
FITTED = Path(__file__).with_name("fitted.json")


@dataclass(frozen=True)
class EngineModel:
    """`spread`: a measured time over a predicted one, below and above which one of ten lay each, when left out.

    `fitted_on`: measurements. `median_error`: of those left out. `unseen`: the spread of a device without a published
    figure; `depthwise`: the factor of depthwise convolutions, either way, on GPUs without tensor cores.
    `corrections`: by device, what sessions from there multiply a time by, and `corrected_spread` what then is left.
    """

    coefficients: Mapping[str, float]
    spread: Tuple[float, float]
    fitted_on: int
    median_error: float
    unseen: Tuple[float, float] = (0.5, 2.0)
    depthwise: float = 1.0
    corrections: Mapping[str, float] = field(default_factory=dict)
    corrected_spread: Mapping[str, Tuple[float, float]] = field(default_factory=dict)

    def correction(self, device: str) -> float:
        """What a time on that device is multiplied by."""
        return self.corrections.get(device, 1.0)

    def interval(self, likely: float, depthwise: float = 0.0) -> Interval:
        """A time with its bounds; `depthwise`: what of it depthwise convolutions take without tensor cores."""
        low, high = self.spread
        other = likely - depthwise
        return Interval(
            low=other * low + depthwise * min(low, 1 / self.depthwise),
            likely=likely,
            high=other * high + depthwise * max(high, self.depthwise),
        )

    def corrected(self, device: str, factor: float, spread: Tuple[float, float]) -> EngineModel:
        """With a device's own sessions taken into account."""
        return replace(
            self,
            corrections={**self.corrections, device: factor},
            corrected_spread={**self.corrected_spread, device: spread},
        )

    def of(self, device: str) -> EngineModel:
        """With the spread that holds for a device: its own sessions', where it has some."""
        if device in self.corrected_spread:
            return replace(self, spread=self.corrected_spread[device], depthwise=1.0)
        return replace(self, spread=self.unseen) if device in UNSEEN else self


def save_fitted(model: EngineModel, path: Path = FITTED) -> None:
    """Write what `fitted_model` reads, whole or not at all."""
    document = {
        "fitted_on": model.fitted_on,
        "median_error": round(model.median_error, 4),
        "spread": [round(bound, 4) for bound in model.spread],
        "unseen": [round(bound, 4) for bound in model.unseen],
        "depthwise": round(model.depthwise, 4),
        "coefficients": {name: float(f"{value:.6g}") for name, value in model.coefficients.items()},
    }
    with whole_file(path) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def fitted_model() -> EngineModel:
    """The model that the package ships, fitted on published measurements by `edgecvar bench published --save`."""
    document = json.loads(FITTED.read_text(encoding="utf-8"))
    coefficients: Dict[str, float] = document["coefficients"]
    return EngineModel(
        coefficients=coefficients,
        spread=tuple(document["spread"]),
        unseen=tuple(document["unseen"]),
        depthwise=document["depthwise"],
        fitted_on=document["fitted_on"],
        median_error=document["median_error"],
    )

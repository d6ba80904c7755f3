"""The predictor's model held against every published latency, as plain data."""

from __future__ import annotations

from typing import List, Tuple

from pydantic import BaseModel, ConfigDict

from edgecvar.predict.fitted import EngineModel, save_fitted
from edgecvar.predict.published.judging import Judgement, judge, network_of
from edgecvar.predict.published.measured import published_measurements


class PublishedLine(BaseModel):
    """One published latency in milliseconds, beside those predicted without its network, and without its device.

    `fitted`: whether fits on others use it; else it is only judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    network: str
    size: Tuple[int, int]
    precision: str
    batch: int
    measured_ms: float
    predicted_ms: float
    error: float
    without_device_error: float
    fitted: bool
    source: str


class PublishedSession(BaseModel):
    """All lines, and medians of their errors without sign; `spread` as bounds are made with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: List[PublishedLine]
    fitted_on: int
    median_error: float
    median_of_networks: float
    median_device_error: float
    spread: Tuple[float, float]
    unseen: Tuple[float, float]
    depthwise: float


def judge_published(save: bool = False) -> PublishedSession:
    """Fit and judge anew, which takes some seconds; `save` makes it the model that the package predicts with."""
    judgement = judge(published_measurements())
    if save:
        save_fitted(_model(judgement))
    return PublishedSession(
        lines=_lines(judgement),
        fitted_on=judgement.fitted_on,
        median_error=judgement.median_error,
        median_of_networks=judgement.median_of_networks,
        median_device_error=judgement.median_device_error,
        spread=judgement.spread,
        unseen=judgement.unseen,
        depthwise=judgement.depthwise,
    )


def _model(judgement: Judgement) -> EngineModel:
    return EngineModel(
        coefficients=judgement.coefficients,
        spread=judgement.spread,
        unseen=judgement.unseen,
        depthwise=judgement.depthwise,
        fitted_on=judgement.fitted_on,
        median_error=judgement.median_error,
    )


def _lines(judgement: Judgement) -> List[PublishedLine]:
    return [
        PublishedLine(
            device=each.row.device,
            network=network_of(each.row),
            size=each.row.input[1:],
            precision=each.row.precision,
            batch=each.row.batch,
            measured_ms=each.row.milliseconds,
            predicted_ms=each.without_network_ms,
            error=each.error,
            without_device_error=each.device_error,
            fitted=each.row.fit,
            source=each.row.source.title,
        )
        for each in judgement.rows
    ]

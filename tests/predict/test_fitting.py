"""Coefficients that made the measurements are found again."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.predict.fitting import Samples, fit

SIZES = np.geomspace(0.1, 1e3, 40)
TRUE = {"rate": 3.0, "floor": 0.5}
PRIOR = {"rate": (1.0, 2.0), "floor": (1.0, 2.0)}


def model(found):
    """Milliseconds by size."""
    return SIZES / found["rate"] + found["floor"]


def samples(measured, weights=None):
    return Samples(model, measured, np.ones(len(measured)) if weights is None else weights)


def test_what_made_the_measurements_is_found_again():
    found = fit(samples(model(TRUE)), PRIOR)
    assert found == pytest.approx(TRUE, rel=0.01)


def test_noise_does_not_lead_astray():
    noise = np.exp(np.random.default_rng(0).normal(0, 0.1, len(SIZES)))
    assert fit(samples(model(TRUE) * noise), PRIOR) == pytest.approx(TRUE, rel=0.1)


@pytest.mark.parametrize("factor", [20.0, 0.05])
def test_an_outlier_does_not_pull(factor):
    wrong = model(TRUE)
    wrong[[3, 20, 35]] *= factor
    assert fit(samples(wrong), PRIOR) == pytest.approx(TRUE, rel=0.05)


def test_a_firm_belief_is_kept_and_a_start_near_it_leads_to_the_same():
    held = fit(samples(model(TRUE)), {**PRIOR, "floor": (2.0, 1e-3)})
    assert held["floor"] == pytest.approx(2.0, rel=0.01)
    measured = samples(model(TRUE))
    assert fit(measured, PRIOR, start={"rate": 2.5, "floor": 0.6}) == pytest.approx(fit(measured, PRIOR), rel=1e-3)


def test_what_nothing_was_measured_of_stays_as_believed():
    found = fit(samples(model(TRUE)), {**PRIOR, "unseen": (0.7, 0.5)})
    assert found["unseen"] == pytest.approx(0.7)


def test_a_weight_of_nothing_counts_nothing():
    wrong, weights = model(TRUE), np.ones(len(SIZES))
    wrong[:10] *= 1.5
    weights[:10] = 0
    assert fit(samples(wrong, weights), PRIOR) == pytest.approx(TRUE, rel=0.01)

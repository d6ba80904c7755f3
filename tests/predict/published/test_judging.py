"""What the package ships was fitted on the published figures; those that are left out are predicted by the others."""

from __future__ import annotations

import pytest

from edgecvar.predict.fitted import FITTED, EngineModel, fitted_model, save_fitted
from edgecvar.predict.published.judging import WITH_CALLERS, coefficients_of, judge, network_of
from edgecvar.predict.published.measured import published_measurements

ROWS = published_measurements()
FEW = [row for row in ROWS if row.network in ("resnet18", "resnet50", "mobilenet_v2", "alexnet")]


@pytest.fixture(scope="module")
def judgement():
    return judge(FEW)


def test_the_shipped_coefficients_are_those_of_the_published_figures():
    """After a change of either, `edgecvar bench published --save` fits anew."""
    found, stored = coefficients_of(ROWS), fitted_model()
    assert set(found) == set(stored.coefficients) == set(WITH_CALLERS)
    assert found == pytest.approx(stored.coefficients, rel=0.01)
    assert stored.fitted_on == sum(row.fit for row in ROWS)
    low, high = stored.spread
    assert 0.5 < low < 1 < high < 2 and 0 < stored.median_error < 0.25


def test_every_row_is_judged_by_fits_that_had_not_seen_it(judgement):
    assert [each.row for each in judgement.rows] == FEW
    for each in judgement.rows:
        assert each.error == pytest.approx(each.without_network_ms / each.row.milliseconds - 1)
        assert 0.1 < each.without_network_ms / each.row.milliseconds < 10
        assert 0.1 < each.without_device_ms / each.row.milliseconds < 10
    seen, left_out = (
        sum(abs(ms / each.row.milliseconds - 1) for each, ms in zip(judgement.rows, column))
        for column in (
            [each.fitted_ms for each in judgement.rows],
            [each.without_network_ms for each in judgement.rows],
        )
    )
    assert seen < left_out


def test_a_network_left_out_does_not_tell_of_itself():
    """A figure that is ten times too high changes nothing of what is predicted of its own network."""
    rows = [row for row in FEW if row.network in ("resnet18", "alexnet", "mobilenet_v2")]
    wrong = [
        row.model_copy(update={"milliseconds": 10 * row.milliseconds}) if row.network == "alexnet" else row
        for row in rows
    ]
    before, after = ([each.without_network_ms for each in judge(some).rows] for some in (rows, wrong))
    own = [place for place, row in enumerate(rows) if row.network == "alexnet"]
    assert own
    for place in own:
        assert after[place] == pytest.approx(before[place], rel=0.01)


def test_bounds_hold_four_of_five_of_those_left_out(judgement):
    low, high = judgement.spread
    fitted = [each for each in judgement.rows if each.row.fit]
    ratios = [each.row.milliseconds / ms for each in fitted for ms in (each.without_network_ms, each.without_device_ms)]
    inside = sum(low <= ratio <= high for ratio in ratios) / len(ratios)
    assert inside == pytest.approx(0.8, abs=0.05)
    assert judgement.fitted_on == len(fitted)


def test_a_network_is_one_by_whoever_drew_it():
    slim = next(row for row in ROWS if "_slim" in row.network)
    assert network_of(slim) == slim.network.split("_slim")[0]


def test_a_model_survives_the_disk(tmp_path, monkeypatch):
    model = EngineModel({"dense": 0.5}, (0.8, 1.5), 12, 0.1)
    save_fitted(model, tmp_path / "fitted.json")
    monkeypatch.setattr("edgecvar.predict.fitted.FITTED", tmp_path / "fitted.json")
    assert fitted_model() == model
    assert FITTED.is_file()

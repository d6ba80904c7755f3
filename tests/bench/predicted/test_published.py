"""Published figures beside what is predicted of them, as plain data."""

from __future__ import annotations

from statistics import median

import pytest

from edgecvar.bench.predicted import published
from edgecvar.bench.predicted.published import PublishedSession, judge_published
from edgecvar.predict.published.measured import published_measurements

ROWS = [row for row in published_measurements() if row.network in ("resnet18", "alexnet", "attp", "mobilenet_v2")]


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(published, "published_measurements", lambda: ROWS)


def test_a_line_a_figure_and_medians_of_those_that_are_fitted_on(few):
    session = judge_published()
    assert [(line.device, line.network, line.measured_ms) for line in session.lines] == [
        (row.device, row.network, row.milliseconds) for row in ROWS
    ]
    for line, row in zip(session.lines, ROWS):
        assert line.error == pytest.approx(line.predicted_ms / line.measured_ms - 1)
        assert (line.size, line.fitted, line.batch) == (row.input[1:], row.fit, row.batch) and line.source
    fitted = [line for line in session.lines if line.fitted]
    assert session.fitted_on == len(fitted)
    assert session.median_error == pytest.approx(median(abs(line.error) for line in fitted))
    assert session.median_device_error == pytest.approx(median(abs(line.without_device_error) for line in fitted))
    assert PublishedSession.model_validate_json(session.model_dump_json()) == session


def test_a_fit_is_kept_where_that_is_asked_for(few, monkeypatch):
    kept = []
    monkeypatch.setattr(published, "save_fitted", kept.append)
    session = judge_published()
    assert kept == []
    assert judge_published(save=True) == session
    (model,) = kept
    assert (model.fitted_on, model.spread, model.median_error) == (
        session.fitted_on,
        session.spread,
        session.median_error,
    )

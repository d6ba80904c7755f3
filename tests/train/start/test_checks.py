from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

import pytest
from pydantic import BaseModel

from edgecvar.errors import ConfigError
from edgecvar.nets.catalog import NETWORKS, Entry
from edgecvar.train.loop import start_run
from edgecvar.train.progress import Listener
from edgecvar.train.recipe import Recipe, parse_recipe
from edgecvar.train.start.checks import resolve

pytestmark = pytest.mark.train


class Clips(BaseModel):
    """Options of a network that looks at clips."""

    segments: int = 8


def test_a_network_of_clips_is_trained_on_clips_of_that_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "clips", Entry(Clips, lambda *parts: pytest.fail("built")))
    made = resolve(parse_recipe("{model: clips, data: x}"))
    assert made.network.options == {"segments": 8} and made.views.segments == made.views.validation_segments == 8
    with pytest.raises(ConfigError, match=r"clips of 8 .* has segments=3; give segments, validation_segments and"):
        resolve(parse_recipe("{model: clips, data: x, segments: 3}"))
    with pytest.raises(ConfigError, match=r"clips of 3 .* has validation_segments=8; give"):
        resolve(parse_recipe("{model: clips, data: x, segments: 3, network: {segments: 3}}"))


def test_a_network_of_any_length_may_be_tested_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "clips", Entry(Clips, lambda *parts: pytest.fail("built"), any_length=True))
    made = resolve(parse_recipe("{model: clips, data: x, validation_segments: 16, test: {segments: 250}}"))
    assert (made.views.segments, made.views.validation_segments, made.views.test_segments) == (8, 16, 250)
    with pytest.raises(ConfigError, match=r"clips of 8 .* has segments=3"):
        resolve(parse_recipe("{model: clips, data: x, segments: 3}"))


def test_a_span_of_a_test_is_of_dense_sampling() -> None:
    with pytest.raises(ConfigError, match=r"test\.span is of sampling=dense, and this is segments"):
        parse_recipe("{model: attp, data: x, test: {span: 250}}")
    views = parse_recipe("{model: attp, data: x, sampling: dense, test: {span: 250}}").views
    assert (views.sampling.span, views.test_sampling.span) == (64, 250)
    assert parse_recipe("{model: attp, data: x, sampling: dense}").views.test_sampling.span == 64


def test_unknown_models_and_options_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown model 'atp': did you mean 'attp'"):
        resolve(parse_recipe("{model: atp, data: x}"))
    with pytest.raises(ConfigError, match="'fusoin': did you mean 'fusion'"):
        resolve(parse_recipe("{model: attp, data: x, network: {fusoin: i}}"))


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        (2, r"phase 1 takes all 2 epochs, so phase 2 would never run: set epochs above 5"),
        (5, r"phases 1 to 2 take all 5 epochs, so phase 3 would never run: set epochs above 5"),
        (6, None),
    ],
)
def test_a_phase_that_would_never_run_is_refused(epochs: int, said: Optional[str]) -> None:
    text = f"{{model: attp, data: x, epochs: {epochs}, phases: [{{epochs: 2}}, {{epochs: 3}}, {{}}]}}"
    if said is None:
        assert resolve(parse_recipe(text)).course.epochs == epochs
        return
    with pytest.raises(ConfigError, match=said):
        parse_recipe(text)


def test_early_stopping_wants_clips_that_validate(small: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="early_stop: no clip validates"):
        start_run(small("early_stop=1", "validation_pattern="), tmp_path, Listener())
    assert not (tmp_path / "attp").exists()

"""Plans: one picture tells nothing of the class, and the draws cover what they should."""

from __future__ import annotations

import dataclasses
from typing import Dict, List

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecvar.errors import ConfigError
from edgecvar.synth.classes import CENTRE, LABELS, RADIUS, SEPARATION
from edgecvar.synth.plan import ClipPlan, draw_plan, draw_sequence, track

PLANS = 1000
# Two-sample Kolmogorov-Smirnov at n = m = 1000: a distance of 0.1 has a chance of 1e-4 a comparison.
KS_LIMIT = 0.1
MOMENTS = (0, 11, 39)


def observe(plan: ClipPlan) -> NDArray[np.float64]:
    """(pictures, quantities): what one picture shows, in parts of the picture's size."""
    path = track(plan)
    size = np.array([plan.canvas.width, plan.canvas.height])
    centres = path.centres[list(MOMENTS)] / size
    apart = path.centres[list(MOMENTS)] / plan.canvas.width
    return np.column_stack(
        [
            centres.reshape(len(MOMENTS), 4),
            np.hypot(*(apart[:, 1] - apart[:, 0]).T),
            np.log(path.radii[list(MOMENTS)] / plan.canvas.height),
            path.angles[list(MOMENTS)],
        ]
    )


@pytest.fixture(scope="module")
def seen() -> Dict[str, NDArray[np.float64]]:
    """(plans, pictures, quantities) a class, every plan from a generator of its own."""
    return {
        label: np.stack([observe(draw_plan(label, np.random.default_rng([7, number, i]))) for i in range(PLANS)])
        for number, label in enumerate(LABELS)
    }


def ks_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    both = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


@pytest.mark.parametrize("label", LABELS)
def test_every_picture_has_the_same_distribution_in_every_class(
    label: str, seen: Dict[str, NDArray[np.float64]]
) -> None:
    reference = seen["still"][:, 0]
    for moment in range(len(MOMENTS)):
        for quantity in range(reference.shape[1]):
            distance = ks_distance(seen[label][:, moment, quantity], reference[:, quantity])
            assert distance < KS_LIMIT, (label, MOMENTS[moment], quantity)


@pytest.mark.parametrize("label", LABELS)
def test_no_two_quantities_are_bound_in_one_class_alone(label: str, seen: Dict[str, NDArray[np.float64]]) -> None:
    reference = np.corrcoef(seen["still"][:, 0], rowvar=False)
    for moment in range(len(MOMENTS)):
        found = np.corrcoef(seen[label][:, moment], rowvar=False)
        # The standard error of a correlation of 1000 is 0.03, of a difference 0.045: four of those.
        assert np.abs(found - reference).max() < 0.18


def test_a_clip_that_stops_at_the_end_of_its_range_would_be_told_apart(
    seen: Dict[str, NDArray[np.float64]],
) -> None:
    approach = seen["still"][:, 0, 4] - 0.2
    assert ks_distance(np.maximum(approach, SEPARATION[0]), seen["still"][:, 0, 4]) > KS_LIMIT


def test_classes_differ_in_motion_alone() -> None:
    plans = [draw_plan(label, np.random.default_rng(5)) for label in LABELS]
    unlabelled = {dataclasses.replace(plan, acts=()) for plan in plans}
    assert len(unlabelled) == 1
    assert len({plan.pictures for plan in plans}) == 1
    firsts = [track(plan) for plan in plans]
    for other in firsts[1:]:
        np.testing.assert_array_equal(other.centres[0], firsts[0].centres[0])
        np.testing.assert_array_equal(other.radii[0], firsts[0].radii[0])


def test_everything_stays_in_its_range() -> None:
    for index in range(240):
        plan = draw_plan(LABELS[index % len(LABELS)], np.random.default_rng([3, index]))
        path, canvas = track(plan), plan.canvas
        assert path.centres.shape == (plan.pictures, 2, 2)
        middle = path.centres.mean(axis=1) / (canvas.width, canvas.height)
        swayed = plan.speeds.sway_reach / canvas.height
        assert (middle > CENTRE[0] - swayed).all()
        assert (middle < CENTRE[1] + swayed).all()
        assert (path.radii > 0.85 * RADIUS[0] * canvas.height - 1e-9).all()
        assert (path.radii < RADIUS[1] * canvas.height + 1e-9).all()


def test_drift_is_slow_and_in_every_class() -> None:
    for index, label in enumerate(LABELS * 5):
        plan = draw_plan(label, np.random.default_rng([4, index]))
        steps = np.diff(track(plan).camera, axis=0)
        assert 0 < np.hypot(*plan.pose.drift) <= 0.35
        np.testing.assert_allclose(steps, np.broadcast_to(plan.pose.drift, steps.shape))


def test_draws_cover_what_the_issue_asks_for() -> None:
    plans = [draw_plan("left", np.random.default_rng([11, index])) for index in range(3000)]
    codings = [plan.encoding for plan in plans]
    assert {coding.b_pictures for coding in codings} == {0, 1, 2, 3}
    assert {coding.crf for coding in codings} == set(range(18, 33))
    gops = [coding.gop_length for coding in codings]
    assert (min(gops), max(gops) > 240, max(gops) <= 250) == (12, True, True)
    pairs = {(coding.codec, coding.container) for coding in codings}
    assert pairs == {("h264", "mp4"), ("mpeg4", "mp4"), ("mpeg4", "avi")}
    assert 0.2 < np.mean([coding.codec == "mpeg4" for coding in codings]) < 0.3
    assert all(15 <= plan.canvas.fps <= 30 for plan in plans)
    assert all(plan.canvas.width % 2 == 0 and plan.canvas.height % 2 == 0 for plan in plans)
    assert any(plan.canvas.width % 16 for plan in plans)
    assert {look.shape for plan in plans for look in plan.look.objects} == {"disc", "box", "ellipse"}


def test_a_plan_is_its_generator() -> None:
    first, again, other = (draw_plan("meet", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_sequence_goes_on_where_the_last_act_ended() -> None:
    labels = ["left", "rotate_cw", "zoom_in", "still"]
    plan = draw_sequence(labels, 20, np.random.default_rng(8))
    assert [act.label for act in plan.acts] == labels
    assert plan.pictures == 80
    assert plan.encoding.codec == "h264"
    path = track(dataclasses.replace(plan, pose=dataclasses.replace(plan.pose, drift=(0.0, 0.0))))
    turned = np.diff(path.angles, axis=0)[:, 0] % (2 * np.pi)
    moving = turned > 1e-9
    assert moving.tolist() == [False] * 20 + [True] * 20 + [False] * 39
    steps = np.abs(np.diff(path.centres[:, 0], axis=0)).max(axis=1)
    assert (steps > 1).tolist() == [True] * 20 + [False] * 59
    assert steps[20:].max() == 0
    grown = np.diff(path.radii, axis=0)[:, 0] != 0
    assert grown.tolist() == [False] * 40 + [True] * 20 + [False] * 19


@pytest.mark.parametrize("labels", [[], ["left", "sideways"]])
def test_an_unknown_or_empty_sequence_is_an_error(labels: List[str]) -> None:
    with pytest.raises(ConfigError):
        draw_sequence(labels, None, np.random.default_rng(0))


def test_an_unknown_class_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="zoom_in"):
        draw_plan("zoom-in", np.random.default_rng(0))

"""Thresholds of constructed traces, and what so few hours of clips can show."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edgecvar.clips.labelled import Clip, ClipScore, Trace
from edgecvar.errors import DatasetError
from edgecvar.judge.thresholds import TRIED, find_thresholds, most_expected
from edgecvar.run.event_settings import EventSettings

LABELS = ["fight", "wave", "nothing"]
PLAIN = EventSettings(on=0.8, off=0.4, smoothing=0, hold=0, shortest=0, cooldown=0)


def clip(label, duration=10.0, **peaks):
    """A clip in the middle of which each label named has that probability for a second."""
    seconds = np.arange(0.0, duration, 0.5)
    probabilities = np.zeros((len(seconds), len(LABELS)), np.float32)
    for name, peak in peaks.items():
        probabilities[4:7, LABELS.index(name)] = peak
    return ClipScore(Clip(Path(f"{label}.mp4"), label), np.zeros(3), trace=Trace(seconds, probabilities, duration))


def chosen(results, per_hour=1.0, settings=PLAIN):
    found = find_thresholds(LABELS, results, settings, per_hour)
    return {each.label: each for each in found.labels}, found


def test_it_lies_between_the_highest_false_score_and_the_lowest_true_one():
    rows, found = chosen([clip("fight", fight=0.9), clip("fight", fight=0.7), clip("nothing", fight=0.3), clip("wave")])
    fight = rows["fight"]
    assert 0.48 <= fight.on <= 0.52 and fight.off == pytest.approx(fight.on / 2)
    assert (fight.clips, fight.found, fight.recall, fight.false_alarms) == (2, 2, 1.0, 0)
    assert fight.hours == pytest.approx(20 / 3600) and fight.per_hour == 0
    assert found.settings.labels["fight"].on == fight.on and "nothing" not in rows


def test_false_alarms_are_bought_with_recall():
    clips = [clip("fight", fight=0.9), clip("fight", fight=0.5), *[clip("wave", 360, fight=0.7)] * 10]  # an hour
    few, _ = chosen(clips, per_hour=1)
    many, _ = chosen(clips, per_hour=10)
    assert few["fight"].on > 0.7 and (few["fight"].found, few["fight"].false_alarms) == (1, 0)
    assert many["fight"].on <= 0.5 and (many["fight"].found, many["fight"].false_alarms) == (2, 10)


def test_a_label_that_cannot_be_told_apart_is_said():
    rows, found = chosen([clip("fight", fight=0.8), clip("wave", fight=1.0)])
    assert rows["fight"].on == TRIED[-1] and [each.label for each in found.missed] == ["fight"]


def test_so_few_hours_show_so_much_and_no_more():
    assert most_expected(0) == pytest.approx(-math.log(0.05)) and most_expected(1) == pytest.approx(4.744, abs=1e-3)
    _, six_minutes = chosen([clip("fight", fight=0.9), clip("wave", 360, wave=0.9)])
    (fight,) = [each for each in six_minutes.unsupported if each.label == "fight"]
    assert fight.most_per_hour == pytest.approx(29.96, abs=0.01)
    assert six_minutes.hours_needed == pytest.approx(2.996, abs=1e-3)
    rows, three_hours = chosen([clip("fight", fight=0.9), clip("wave", 3 * 3600, wave=0.9)])
    assert "fight" not in [each.label for each in three_hours.unsupported] and rows["fight"].false_alarms == 0


def test_events_are_those_of_the_settings():
    short = PLAIN.model_copy(update={"shortest": 5.0})
    rows, _ = chosen([clip("fight", fight=0.9), clip("wave")], settings=short)
    assert rows["fight"].found == 0


def test_without_a_decided_clip_there_is_none():
    with pytest.raises(DatasetError, match="no clip was decided"):
        chosen([ClipScore(Clip(Path("a.mp4"), "fight"), None, "not a video")])

"""Settings of events: files, flags, and what is wrong with them in one line."""

from __future__ import annotations

import pytest

from edgecvar.errors import ConfigError
from edgecvar.run.event_settings import EventSettings, LabelSettings, read_event_settings, write_event_settings


def test_a_file_says_on_and_off_without_quotes(tmp_path):
    file = tmp_path / "events.yaml"
    file.write_text("on: 0.8\noff: 0.2\nbackground: [still]\nlabels:\n  fight: {on: 0.9, hold: 1}\n")
    settings = read_event_settings(file)
    assert (settings.on, settings.off, settings.background) == (0.8, 0.2, ("still",))
    assert settings.labels == {"fight": LabelSettings(on=0.9, hold=1.0)}
    assert settings.of("fight").on == 0.9 and settings.of("fight").off == 0.2 and settings.of("other").on == 0.8


def test_flags_go_over_a_file(tmp_path):
    file = tmp_path / "events.yaml"
    file.write_text("on: 0.8\nhold: 1\n")
    settings = read_event_settings(file, ["on=0.6", "labels.Mr. Punch.off=0.1", "background=a, b"])
    assert (settings.on, settings.hold, settings.background) == (0.6, 1.0, ("a", "b"))
    assert settings.labels == {"Mr. Punch": LabelSettings(off=0.1)}


def test_what_is_written_is_read(tmp_path):
    settings = EventSettings(on=0.5, labels={"on": LabelSettings(on=0.9, off=0.4)}, background=("no",))
    write_event_settings(tmp_path / "events.yaml", settings, ["a note\nof two lines"])
    assert read_event_settings(tmp_path / "events.yaml") == settings
    assert (tmp_path / "events.yaml").read_text().startswith("# a note\\nof two lines\n")


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("onn: 0.5", "unknown key 'onn': did you mean 'on'"),
        ("labels: {fight: {shortst: 1}}", "unknown key 'shortst' in 'labels.fight': did you mean 'shortest'"),
        ("on: 1.5", "on: Input should be less than or equal to 1, got 1.5"),
        ("on: high", "on: Input should be a valid number, got 'high'"),
        ("on: 0.2", "off=0.3 is above on=0.2"),
        ("labels: {fight: {on: 0.1}}", "labels.fight: off=0.3 is above on=0.1"),
        ("- on", "expected keys and values"),
        ("on: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, text, wrong):
    file = tmp_path / "events.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_event_settings(file)
    assert str(caught.value).startswith(f"{file}: ") and wrong in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("flag", ["on", "=1", "on=high", "labels.on=1", "on.off=1", "hold=-1"])
def test_a_flag_that_is_wrong_is_named(flag):
    with pytest.raises(ConfigError, match="--event"):
        read_event_settings(None, [flag])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the settings of events"):
        read_event_settings(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_event_settings(tmp_path / "none" / "events.yaml", EventSettings())

"""A service's configuration: read whole, wrong whole, and never with a secret in what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import yaml

from edgecvar.serve.configuration.config import ServeConfig
from edgecvar.serve.configuration.example import EXAMPLE
from edgecvar.serve.configuration.loading import WrongConfig, check_config, load_config

TOKEN = "a-token-that-nobody-guesses"


def loaded(folder: Path, text: str, environment: Optional[Dict[str, str]] = None) -> ServeConfig:
    file = folder / "edge.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environment or {})


def wrong(folder: Path, text: str, environment: Optional[Dict[str, str]] = None) -> List[str]:
    with pytest.raises(WrongConfig) as caught:
        loaded(folder, text, environment)
    prefix = f"{folder / 'edge.yaml'}: "
    assert all(line.startswith(prefix) for line in caught.value.lines)
    return [line[len(prefix) :] for line in caught.value.lines]


def test_all_that_is_wrong_is_said_at_once_each_with_its_key_and_the_nearest(tmp_path: Path) -> None:
    lines = wrong(
        tmp_path,
        """
sources:
  door: {uri: a.mp4, evry: 3, top: 0}
  yard: {timeout: 5}
page: {prot: 1}
bundel: x.edgecvar
log: loud
""",
    )
    told = "\n".join(lines)
    assert "unknown key 'evry' in 'sources.door': did you mean 'every'?" in lines
    assert "unknown key 'prot' in 'page': did you mean 'port'?" in lines
    assert "unknown key 'bundel': did you mean 'bundle'?" in lines
    assert "'sources.yard.uri' is missing" in lines
    assert "sources.door.top: " in told and "got 0" in told and "log: " in told and "'loud'" in told
    assert len(lines) == 6


def test_the_environment_is_put_in_and_never_shown(tmp_path: Path) -> None:
    environment = {"PASSWORD": "hunter2${OTHER}", "K": "300"}
    text = "sources: {door: 'rtsp://viewer:${PASSWORD}@camera/$${PASSWORD}'}"
    assert loaded(tmp_path, text, environment).sources["door"].uri == "rtsp://viewer:hunter2${OTHER}@camera/${PASSWORD}"
    (line,) = wrong(tmp_path, "sources: {door: {uri: a.mp4, every: '${PASSWORD}'}}", environment)
    assert line.startswith("sources.door.every: ") and line.endswith("got '${PASSWORD}'")
    (line,) = wrong(tmp_path, "sources: {door: 'rtsp://viewer:${NOT_THERE}@camera/'}", environment)
    assert "sources.door: ${NOT_THERE} is not set in the environment" in line
    (line,) = wrong(tmp_path, "sources: {door: '${no name}'}", environment)
    assert "is no name of the environment" in line
    assert loaded(tmp_path, "sources: {door: {uri: a.mp4, every: '${K}'}}", environment).sources["door"].every == 300


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("page: {token: short}", ["short"]),
        (
            "sources: {door: {uri: 'rtsp://viewer:hunter2@camera/', every: 'rtsp://viewer:hunter2@camera/'}}",
            ["hunter2"],
        ),
        ("sources: [{uri: 'rtsp://viewer:hunter2@camera/'}]", ["hunter2"]),
        ("page: {token: ['long-enough-a-secret']}", ["long-enough-a-secret"]),
    ],
)
def test_what_is_wrong_is_said_without_what_is_secret(tmp_path: Path, text: str, secrets: List[str]) -> None:
    told = "\n".join(wrong(tmp_path, text))
    assert told and not any(secret in told for secret in secrets)


def test_on_and_off_are_keys_however_they_are_written(tmp_path: Path) -> None:
    for key in ("on", "'on'"):
        assert loaded(tmp_path, f"events: {{{key}: 0.9}}").events.on == 0.9
        (line,) = wrong(tmp_path, f"events: {{{key}: 7}}")
        assert line.startswith("events.on: ") and line.endswith("got 7")


def test_clips_have_a_folder_and_bounds(tmp_path: Path) -> None:
    clips = loaded(tmp_path, "clips: {folder: seen, keep: 12h, size: 2GB, before: 1}").clips
    assert clips is not None and (clips.settings.clips_keep, clips.settings.clips_size) == (43200.0, 2 * 10**9)
    assert loaded(tmp_path, "clips: seen").clips is not None
    lines = wrong(tmp_path, "clips: {folder: seen, keep: 3 moons, siez: 2GB}")
    assert len(lines) == 2 and any("expected a duration such as" in line and "'3 moons'" in line for line in lines)
    assert "unknown key 'siez' in 'clips': did you mean 'size'?" in lines


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "edge.example.org"])
def test_beyond_loopback_a_token_is_wanted(tmp_path: Path, host: str) -> None:
    (line,) = wrong(tmp_path, f"page: {{host: '{host}'}}")
    assert line.startswith("page: host is beyond loopback, and token is missing") and host not in line
    assert loaded(tmp_path, f"page: {{host: '{host}', token: {TOKEN}}}").page is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_it_is_not(tmp_path: Path, host: str) -> None:
    page = loaded(tmp_path, f"page: {{host: '{host}'}}").page
    assert page is not None and page.token is None


@pytest.mark.parametrize("name", ["a/b", ".hidden", "", "x" * 65, "two\nlines", " edge"])
def test_a_name_that_cannot_be_part_of_a_topic_or_a_file_is_refused(tmp_path: Path, name: str) -> None:
    document: Dict[str, Any] = {"sources": {name: "a.mp4"}}
    (line,) = wrong(tmp_path, yaml.safe_dump(document))
    assert line.startswith("sources: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "is no mapping"),
        ("sources: {a: b", "not YAML"),
        ("a: 1\na: 2\n", "'a' is given twice"),
    ],
)
def test_what_is_no_document_is_said(tmp_path: Path, text: str, said: str) -> None:
    (line,) = wrong(tmp_path, text)
    assert said in line


def test_without_a_page_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path, "page: false").page is None
    page = loaded(tmp_path, "page: true").page
    assert page is not None and (page.host, page.port) == ("127.0.0.1", 8470)
    assert loaded(tmp_path, "").page == page


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    assert list(loaded(tmp_path, EXAMPLE).sources) == ["pattern"]
    sources, *rest = EXAMPLE.partition("\n# bundle")
    cameras = "".join([sources.replace("\n  # ", "\n  "), *rest])
    config = loaded(tmp_path, cameras, {"DOOR_PASSWORD": "x"})
    assert list(config.sources) == ["pattern", "door", "yard", "lobby"] and config.sources["yard"].every == 4


def test_every_key_is_in_the_example() -> None:
    for name in ServeConfig.model_fields:
        assert name in EXAMPLE or name == "overlap", name


def test_what_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"bundle: {tmp_path / 'gone.edgecvar'}\nsources: {{a: '{tmp_path / 'gone.mp4'}'}}\n")
    with pytest.raises(WrongConfig) as caught:
        check_config(tmp_path / "edge.yaml", config)
    assert len(caught.value.lines) == 2
    assert "bundle: " in caught.value.lines[0] and "sources.a.uri: " in caught.value.lines[1]
    nothing = loaded(tmp_path, "page: false")
    with pytest.raises(WrongConfig, match="sources: there are none"):
        check_config(tmp_path / "edge.yaml", nothing)

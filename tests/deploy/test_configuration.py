"""A service's configuration on its way: everything of the user's stays, but the bundle."""

from __future__ import annotations

from typing import Optional

import pytest

from edgecvar.deploy.configuration import Page, service_text
from edgecvar.errors import ConfigError
from edgecvar.plain_yaml import parse_yaml
from edgecvar.serve.configuration.example import EXAMPLE


def test_the_example_comes_through_with_the_release_s_bundle() -> None:
    given = parse_yaml(EXAMPLE)
    text = service_text(EXAMPLE, "x", "my.edgecvar", trusted=True)
    assert parse_yaml(text.text) == {"bundle": "@RELEASE@/my.edgecvar", "trust": "@RELEASE@/trust.pub", **given}
    assert text.page == Page("127.0.0.1", 8470) and text.page.health == "http://127.0.0.1:8470/healthz"
    again = service_text(text.text.replace("@RELEASE@", "/old/releases/3"), "x", "my.edgecvar", trusted=False)
    assert parse_yaml(again.text) == {"bundle": "@RELEASE@/my.edgecvar", **given}


@pytest.mark.parametrize("key", ["fleet.pub", "/etc/edgecvar/trust.pub", "${KEY}", "[a]"])
def test_a_key_that_a_configuration_names_is_not_dropped_in_silence(key: str) -> None:
    given = f"trust: {key}\nsources: {{}}"
    with pytest.raises(ConfigError, match=r"edge.yaml: it trusts .* alone: name that key here, with --trust KEY.pub"):
        service_text(given, "edge.yaml", "my.edgecvar", trusted=False)
    assert parse_yaml(service_text(given, "edge.yaml", "b", trusted=True).text)["trust"] == "@RELEASE@/trust.pub"


@pytest.mark.parametrize(
    ("given", "page"),
    [
        (None, Page("127.0.0.1", 8470)),
        ("page: false", None),
        ("page: true", Page("127.0.0.1", 8470)),
        ("page: {host: 0.0.0.0, port: 80, token: '${T}'}", Page("127.0.0.1", 80)),
        ("page: {host: '::1'}", Page("::1", 8470)),
        ("page: {port: '${PORT}'}", None),
        ("page: {host: 10.0.0.3, token: abc}", None),
        ("page: {port: 0}", None),
    ],
)
def test_the_page_is_asked_where_it_can_be_reached(given: Optional[str], page: Optional[Page]) -> None:
    assert service_text(given, "x", "b.edgecvar", False).page == page


@pytest.mark.parametrize(("given", "said"), [("- a", "edge.yaml: is no mapping"), ("a: [", "edge.yaml: not YAML")])
def test_what_is_no_configuration_is_named(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        service_text(given, "edge.yaml", "b.edgecvar", False)
